-- Closes the door to batches that were sent and never answered: from here on
-- they are there or never will be.
local late_key = KEYS[1]
local run, count, expire = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local barrier = redis.call('HGET', late_key, run)
if not barrier or tonumber(barrier) < count then
  redis.call('HSET', late_key, run, count)
end
redis.call('PEXPIRE', late_key, expire)
return {'ok'}
