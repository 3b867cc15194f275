-- Removes documents of a run that is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then
  for i = 2, #KEYS do
    redis.call('DEL', KEYS[i])
  end
end
return {'ok'}
