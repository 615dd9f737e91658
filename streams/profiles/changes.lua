-- Tier changes of a partition from an offset on, oldest first, with their bodies, as they are at one instant.
--
-- KEYS[1]  beginning of every key
-- ARGV     partition, offset, how many at most
--
-- Gives members of the list (partition/offset account), and their bodies.

local at = KEYS[1]
local members = redis.call('ZRANGEBYSCORE', at .. 'changes:' .. ARGV[1], ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])
if #members == 0 then
    return {{}, {}}
end
local ids = {}
for number, member in ipairs(members) do
    ids[number] = member:match('^%S+')
end
return {members, redis.call('HMGET', at .. 'bodies', unpack(ids))}
