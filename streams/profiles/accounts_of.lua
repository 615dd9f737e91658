-- A partition's accounts in order of names, as they are at one instant.
--
-- KEYS[1]  beginning of every key
-- ARGV     partition, the name behind which they begin, how many at most
--
-- Gives their standings, profiles and rows.

local at = KEYS[1]
local names = redis.call('ZRANGEBYLEX', at .. 'names:' .. ARGV[1], '(' .. ARGV[2], '+', 'LIMIT', 0, ARGV[3])
if #names == 0 then
    return {{}, {}, {}}
end
local kept = {}
for number, hash in ipairs({'standings', 'profiles', 'rows'}) do
    kept[number] = redis.call('HMGET', at .. hash, unpack(names))
end
return kept
