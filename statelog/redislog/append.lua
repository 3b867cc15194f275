-- Appends one batch to a run if the run ends where the caller believes.
--
-- Everything is looked at before anything is written, and XADD is written first:
-- it is the command that a server refuses when it has no memory left, and from
-- then on nothing can be refused any more. So the batch is added whole or not.
--
-- Numbers of records are compared as text, since they are more than a number of
-- Lua can count to.
local run_key, log_key, late_key, gone_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local runs_key, open_key, closed_key = KEYS[5], KEYS[6], KEYS[7]
local order_key, behind_key, touched_key = KEYS[8], KEYS[9], KEYS[10]

local run, after, last, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local nonce, count, batch = ARGV[5], tonumber(ARGV[6]), ARGV[7]
local seen_seq, seen_nonce, seen_first = ARGV[8], ARGV[9], ARGV[10]
local documents, touch = ARGV[11], ARGV[12]
local turn, state, closing, opening, tags = ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17]

-- Given up by its sender, who went on without it.
local barrier = redis.call('HGET', late_key, run)
if barrier and tonumber(barrier) >= count then
  return {'late'}
end

-- has tells whether the batch of this nonce ends with record seq.
local function has(seq, of)
  local found = redis.call('XRANGE', log_key, seq, seq)
  return found[1] ~= nil and found[1][2][1] == of
end

local now = redis.call('HMGET', run_key, 'seq', 'last', 'first')
local seq, newest, first = now[1], now[2], now[3]

if not seq then
  if seen_seq ~= '' and redis.call('GET', gone_key) ~= seen_first then
    return {'rewound', '0'}
  end
  if after ~= '0' then
    return {'norun'}
  end
elseif id ~= '' and seq ~= after and has(last, nonce) then
  -- It was sent twice. Who waits for replicas waits for what this connection
  -- wrote, and replicas take everything in order.
  if touch ~= '' then
    redis.call('SET', touched_key, seq)
  end
  return {'ok', first}
elseif seen_seq ~= '' and not (seen_seq == seq and newest == seen_nonce)
    and not has(seen_seq, seen_nonce) then
  return {'rewound', seq}
elseif seq ~= after then
  return {'fenced', seq}
end
if id == '' then
  return {'ok', first or ''}
end

redis.call('XADD', log_key, id, nonce, batch)
redis.call('HSET', run_key, 'seq', last, 'last', nonce)
if documents ~= '' then
  redis.call('SADD', behind_key, run)
end
if seq and turn == '' then
  return {'ok', first}
end

-- The run is opened, closed or reopened: its places in the indexes change.
local order, opened, closed
if seq then
  local old = redis.call('HMGET', run_key, 'order', 'opened', 'closed')
  order, opened, closed = old[1], old[2], old[3]
  redis.call('ZREM', runs_key, opened .. order .. run)
  redis.call('ZREM', open_key, opened .. order .. run)
  redis.call('ZREM', closed_key, closed .. order .. run)
else
  order = string.format('%014x', redis.call('INCR', order_key))
  opened, closed, first = string.rep('0', 24), '', nonce
  redis.call('HSET', run_key, 'first', first, 'order', order, 'state', '', 'tags', '')
end
if turn ~= '' then
  closed = closing
  redis.call('HSET', run_key, 'state', state)
  if opening ~= '' then
    opened = opening
    redis.call('HSET', run_key, 'tags', tags)
  end
end
redis.call('HSET', run_key, 'opened', opened, 'closed', closed)
redis.call('ZADD', runs_key, 0, opened .. order .. run)
if closed == '' then
  redis.call('ZADD', open_key, 0, opened .. order .. run)
else
  redis.call('ZADD', closed_key, 0, closed .. order .. run)
end
return {'ok', first}
