#!/bin/bash
# Runs the command of one attempt. This text is the same for all of them; what
# differs comes as data, see FORMAT.md.
asked=- pid= told= killer= heard= watch= own=
trap 'ask stop' TERM
trap 'ask time' USR1
LC_ALL=C PATH=$PATH:/usr/local/bin:/usr/bin:/bin
dir=$1 key=$2
unset SLURM_JWT # it is for sbatch, not for commands
id=$SLURM_JOB_ID restart=${SLURM_RESTART_COUNT:-0} node=${SLURMD_NODENAME:-$HOSTNAME}
if [ -n "$SLURM_ARRAY_TASK_ID" ]; then
	id=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
	mapfile -t -s "$SLURM_ARRAY_TASK_ID" -n 1 line <"$dir/batches/$key" || exit 0
	key=$line
fi
[ -n "$key" ] || exit 0
tmp=$dir/tmp/$key.$id.$restart

# ask has the command stop, once, and ends it by force after the grace time.
ask() {
	heard=1
	[ "$asked" = - ] && asked=$1
	[ -n "$pid" ] && [ -z "$told" ] || return 0
	told=1
	local m=-m
	[[ $- == *m* ]] || m=+m
	set -m
	kill -CONT -- "-$pid" 2>/dev/null
	kill -TERM -- "-$pid" 2>/dev/null
	(
		trap - TERM USR1
		sleep "$grace"
		kill -KILL -- "-$pid"
	) >/dev/null 2>&1 &
	killer=$!
	set "$m"
}

now() {
	now=$EPOCHREALTIME
	[ -n "$now" ] || printf -v now '%(%s)T' -1
}

# killed counts the processes that were killed for want of memory in the control group
# of this job. Without one of its own they may be those of others.
killed() {
	local n c p file k v
	killed=0
	[ -r /proc/self/cgroup ] || return 0
	while IFS=: read -r n c p; do
		case ,$c, in
		*,memory,*) file=/sys/fs/cgroup/memory$p/memory.oom_control && break ;;
		,,) file=/sys/fs/cgroup$p/memory.events ;;
		esac
	done </proc/self/cgroup
	case $file in */job_"$SLURM_JOB_ID"/*) own=1 ;; esac
	[ -r "$file" ] || return 0
	while read -r k v; do
		[ "$k" = oom_kill ] && killed=$v
	done <"$file"
}

# create makes a file for output. In a directory that others may have too it is a new
# one, which nobody else can read.
create() {
	case $1 in
	/dev/null | "$dir/outputs/$key".*) : >"$1" ;;
	*) ! [ -e "$1" ] && ! [ -L "$1" ] && (umask 077 && set -C && : >"$1") ;;
	esac
} 2>/dev/null

# report says how it ended: whole, or not at all.
report() {
	local end line i oom=0
	now && end=$now
	killed
	[ "$killed" = "$before" ] || { [ -z "$own" ] && [ "$1" != 137 ]; } || oom=1
	line="daggy-exit 1 $key $id $restart $1 $asked $oom $start $end $node"
	for i in 1 2 3 4 5; do
		{
			printf '%s\n%s\n' "$line" "$line"
			times
		} 2>/dev/null >"$tmp.exit" && mv -f -- "$tmp.exit" "$dir/exits/$key" && return 0
		sleep "$i"
	done
	exit 74
}

now && start=$now
killed && before=$killed

# The data: words that each end with a zero byte, the last of them "end".
words=()
while IFS= read -r -d '' word; do
	words+=("$word")
done 2>/dev/null <"$dir/jobs/$key"
n=${#words[@]}
[ "$n" -ge 11 ] && [ "${words[0]}" = daggy-job-1 ] && [ "${words[1]}" = "$key" ] &&
	[ "${words[n - 1]}" = end ] || exit 0
out=${words[4]} err=${words[5]} cwd=${words[6]} limit=${words[7]} grace=${words[8]}
envs=${words[9]}
vars=("${words[@]:10:envs}") argv=("${words[@]:10+envs:n-11-envs}")
[ "${words[3]}" = "${#argv[@]}" ] || exit 0

# Who makes this link first has the key. The file is new: one that is there is that of
# another life of this job, which a controller that was killed may have forgotten.
set -C
printf 'daggy-claim 1 job %s %s %s\n' "$id" "$restart" "$node" 2>/dev/null >"$tmp" || exit 74
set +C
ln -- "$tmp" "$dir/claims/$key" 2>/dev/null
if ! [ "$tmp" -ef "$dir/claims/$key" ]; then
	read -r _ _ _ owner _ 2>/dev/null <"$dir/claims/$key"
	if [ "$owner" = "$id" ] && [ "$restart" != 0 ] && ! [ -e "$dir/exits/$key" ]; then
		asked=requeued
		report 75
	fi
	rm -f -- "$tmp"
	exit 0
fi

if [ "$asked" != - ]; then
	report 143
	exit 143
fi
if ! cd -- "$cwd" 2>/dev/null; then
	asked=dir
	report 72
	exit 72
fi
if ! create "$out" || { [ "$err" != "$out" ] && ! create "$err"; }; then
	asked=output
	report 73
	exit 73
fi

set -m
if [ "$out" = "$err" ]; then
	(
		trap - TERM USR1
		exec env -- "${vars[@]}" "${argv[@]}"
	) </dev/null >>"$out" 2>&1 &
else
	(
		trap - TERM USR1
		exec env -- "${vars[@]}" "${argv[@]}"
	) </dev/null >>"$out" 2>>"$err" &
fi
pid=$!
if [ -n "$limit" ]; then
	(
		trap - TERM USR1
		sleep "$limit"
		kill -USR1 $$
	) >/dev/null 2>&1 &
	watch=$!
fi
# With job control a command that is stopped, by "scontrol suspend" for example, ends
# both wait and the loop that it is in.
set +m
[ "$asked" = - ] || ask stop
while :; do
	heard=
	wait "$pid"
	code=$?
	[ -n "$heard" ] || break
done

# What it left behind does not outlive it.
kill -KILL -- "-$pid" 2>/dev/null
if [ "$asked" != - ]; then
	for file in $(grep -slz -- "^DAGGY_KEY=$key\$" /proc/[0-9]*/environ 2>/dev/null); do
		kill -KILL "${file//[!0-9]/}" 2>/dev/null
	done
fi
[ -n "$killer" ] && kill -KILL -- "-$killer" 2>/dev/null
[ -n "$watch" ] && kill -KILL -- "-$watch" 2>/dev/null
report "$code"
exit "$code"
