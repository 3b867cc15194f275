-- Says where a run ends, so that it can be read up to there.
local run_key, log_key, gone_key, touched_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local seen_seq, seen_nonce, seen_first, touch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local now = redis.call('HMGET', run_key, 'seq', 'last', 'first')
local seq, newest, first = now[1], now[2], now[3]
if not seq then
  if seen_seq ~= '' and redis.call('GET', gone_key) ~= seen_first then
    return {'rewound', '0'}
  end
  return {'norun'}
end
if seen_seq ~= '' and not (seen_seq == seq and newest == seen_nonce) then
  local found = redis.call('XRANGE', log_key, seen_seq, seen_seq)
  if found[1] == nil or found[1][2][1] ~= seen_nonce then
    return {'rewound', seq}
  end
end
-- Who waits for replicas waits for what this connection wrote, and replicas take
-- everything in order.
if touch ~= '' then
  redis.call('SET', touched_key, seq)
end
return {'ok', seq, newest, first}
