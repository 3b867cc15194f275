-- Writes documents, unless somebody else has written later ones.
local run_key, behind_key = KEYS[1], KEYS[2]
local run, upto = ARGV[1], ARGV[2]

local now = redis.call('HMGET', run_key, 'seq', 'documents')
if not now[1] then
  return {'norun'}
end
if now[2] and tonumber(now[2]) >= tonumber(upto) then
  return {'ok'}
end

-- A server without the JSON module has them as texts. A key of the other kind is
-- in the way when a module was added or taken away.
local json = true
local function put(key, document)
  if json then
    if not redis.pcall('JSON.SET', key, '$', document).err then
      return
    end
    redis.call('DEL', key)
    if not redis.pcall('JSON.SET', key, '$', document).err then
      return
    end
    json = false
  end
  redis.call('SET', key, document)
end
for i = 3, #KEYS do
  put(KEYS[i], ARGV[i])
end
redis.call('HSET', run_key, 'documents', upto)
if upto == now[1] then
  redis.call('SREM', behind_key, run)
end
return {'ok'}
