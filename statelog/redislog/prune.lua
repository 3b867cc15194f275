-- Removes a run if it is still closed as it was when it was chosen.
local run_key, log_key, gone_key = KEYS[1], KEYS[2], KEYS[3]
local runs_key, closed_key = KEYS[4], KEYS[5]
local run, chosen, keep = ARGV[1], ARGV[2], ARGV[3]

if redis.call('ZREM', closed_key, chosen) == 0 then
  return {'kept'}
end
local now = redis.call('HMGET', run_key, 'first', 'opened', 'order')
redis.call('ZREM', runs_key, now[2] .. now[3] .. run)
-- So that engines that know the run can tell a run that was removed from one
-- that was lost.
redis.call('SET', gone_key, now[1], 'PX', keep)
redis.call('UNLINK', run_key, log_key)
return {'ok'}
