-- Takes or renews a lock. It may be sent twice: who has the lock gets it.
local lock_key = KEYS[1]
local holder, lease = ARGV[1], ARGV[2]
local has = redis.call('GET', lock_key)
if has and has ~= holder then
  return {'active', has}
end
redis.call('SET', lock_key, holder, 'PX', lease)
return {'ok'}
