-- An account and its newest tier changes, oldest first, with their bodies, as they are at one instant.
--
-- KEYS[1]  beginning of every key
-- ARGV     the account, how many changes at most
--
-- Gives its standing, profile and row, which are nothing where it is not known; the changes' ids; and their bodies.

local at, name = KEYS[1], ARGV[1]
local kept = {}
for number, hash in ipairs({'standings', 'profiles', 'rows'}) do
    kept[number] = redis.call('HGET', at .. hash, name)
end
local ids = redis.call('LRANGE', at .. 'timeline:' .. name, -tonumber(ARGV[2]), -1)
if #ids == 0 then
    return {kept, {}, {}}
end
return {kept, ids, redis.call('HMGET', at .. 'bodies', unpack(ids))}
