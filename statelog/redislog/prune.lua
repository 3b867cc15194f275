-- Removes a run if it is still closed as it was when it was chosen. A run that
-- has documents leaves its records behind, which name them, until those are
-- removed.
local run_key, log_key, gone_key, past_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local runs_key, closed_key, behind_key, removed_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local run, chosen, keep = ARGV[1], ARGV[2], ARGV[3]

if redis.call('ZREM', closed_key, chosen) == 0 then
  return {'kept'}
end
local now = redis.call('HMGET', run_key, 'first', 'opened', 'order', 'documents')
redis.call('ZREM', runs_key, now[2] .. now[3] .. run)
redis.call('SREM', behind_key, run)
-- So that engines that know the run can tell a run that was removed from one
-- that was lost.
redis.call('SET', gone_key, now[1], 'PX', keep)
if now[4] then
  redis.call('SADD', removed_key, run)
  redis.call('RENAME', log_key, past_key)
end
redis.call('UNLINK', run_key, log_key)
return {'ok'}
