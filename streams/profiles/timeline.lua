-- Tier changes of an account, oldest first, with their bodies, as they are at one instant.
--
-- KEYS[1]  beginning of every key
-- ARGV[1]  the account
--
-- Gives ids, and their bodies.

local ids = redis.call('LRANGE', KEYS[1] .. 'timeline:' .. ARGV[1], 0, -1)
if #ids == 0 then
    return {{}, {}}
end
return {ids, redis.call('HMGET', KEYS[1] .. 'bodies', unpack(ids))}
