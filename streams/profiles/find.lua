-- A page of a list: walks the smallest of the lists that could hold it, and leaves out who is not in the others.
--
-- KEYS[1]  beginning of every key
-- ARGV[1]  the conditions, see packing.py
--
-- Gives the accounts' profiles, their last changes, and the place behind which the next page begins; nothing where that was all.

local at = KEYS[1]
local query = cmsgpack.unpack(ARGV[1])
local STEP = 200

local lists = {}
for number, facet in ipairs(query.facets) do
    local key = at .. query.order .. ':' .. facet
    lists[number] = {key = key, size = redis.call('ZLEXCOUNT', key, query.from, query.to)}
end
table.sort(lists, function(one, other) return one.size < other.size end)
local walked = table.remove(lists, 1).key

-- Of members of the walked list: who is to be shown.
local function chosen(members, names)
    local stays = {}
    for number = 1, #members do
        stays[number] = true
    end
    for _, list in ipairs(lists) do
        for number, score in ipairs(redis.call('ZMSCORE', list.key, unpack(members))) do
            stays[number] = stays[number] and score
        end
    end
    if query.oldest then
        for number, last in ipairs(redis.call('HMGET', at .. 'last_changes', unpack(names))) do
            stays[number] = stays[number] and last and last:sub(1, #query.oldest) <= query.oldest
        end
    end
    if query.lowest then
        for number, packed in ipairs(redis.call('HMGET', at .. 'standings', unpack(names))) do
            local score = cmsgpack.unpack(packed).score
            stays[number] = stays[number] and query.highest <= score and score <= query.lowest
        end
    end
    return stays
end

local found, places, last = {}, {}, nil
local from, looked, is_end = query.from, 0, false
while #found <= query.limit and looked < query.most and not is_end do
    local members = redis.call('ZRANGEBYLEX', walked, from, query.to, 'LIMIT', 0, STEP)
    is_end = #members < STEP
    if #members > 0 then
        local names = {}
        for number, member in ipairs(members) do
            names[number] = member:sub(query.ahead + 1)
        end
        local stays = chosen(members, names)
        for number, member in ipairs(members) do
            if stays[number] and #found <= query.limit then
                found[#found + 1] = names[number]
                places[#places + 1] = member
            end
        end
        last = members[#members]
        from = '(' .. last
        looked = looked + #members
    end
end

local next_page = not is_end and last
if #found > query.limit then
    found[#found] = nil
    next_page = places[#found]
end
if #found == 0 then
    return {{}, {}, next_page}
end
return {redis.call('HMGET', at .. 'profiles', unpack(found)), redis.call('HMGET', at .. 'last_changes', unpack(found)), next_page}
