-- Takes a batch of store.py, or refreshes profiles: in one step, so that no reader sees half of it, and none of it where places differ.
--
-- KEYS[1]  beginning of every key; nothing is kept under it, it only says to Redis which slot they are in
-- ARGV[1]  the batch, see packing.py; without a source it refreshes what is there
--
-- Gives nothing where it is taken, else the offset at which the store stands.

local at = KEYS[1]
local batch = cmsgpack.unpack(ARGV[1])

if batch.source then
    local stands = tonumber(redis.call('HGET', at .. 'places', batch.source) or 0)
    if stands ~= batch.start then
        return stands
    end
end

-- Index entries that go and come, by key: a whole batch is few commands.
local going, coming = {}, {}

local function push(entries, key, ...)
    local list = entries[key]
    if not list then
        list = {}
        entries[key] = list
    end
    for _, each in ipairs({...}) do
        list[#list + 1] = each
    end
end

-- Under which keys an account is listed, and as what. `changed`: how its place in lists by change begins.
local function entries(name, standing, changed)
    local listed = {}
    if standing then
        for _, facet in ipairs(standing.facets) do
            listed['score:' .. facet] = standing.score .. name
            listed['changed:' .. facet] = changed .. name
        end
        listed['names:' .. standing.partition] = name
    end
    return listed
end

local function list_anew(name, was, is, changed_was, changed_is)
    local before, after = entries(name, was, changed_was), entries(name, is, changed_is)
    for key, member in pairs(before) do
        if after[key] ~= member then
            push(going, key, member)
        end
    end
    for key, member in pairs(after) do
        if before[key] ~= member then
            push(coming, key, 0, member)
        end
    end
end

local function write_lists()
    local counted = {}
    for key, members in pairs(going) do
        redis.call('ZREM', at .. key, unpack(members))
        counted[key] = true
    end
    for key, members in pairs(coming) do
        redis.call('ZADD', at .. key, unpack(members))
        counted[key] = true
    end
    for key in pairs(counted) do
        local facet = key:match('^score:(.*)$')
        if facet then
            local accounts = redis.call('ZCARD', at .. key)
            if accounts > 0 then
                redis.call('HSET', at .. 'counts', facet, accounts)
            else
                redis.call('HDEL', at .. 'counts', facet)
            end
        end
    end
    going, coming = {}, {}
end

-- Texts lie one after another in blocks, see text.lua.
local function write_text(was, is)
    if was and is and was.text == is.text then
        return
    end
    local key = at .. 'texts:' .. (was or is).block
    if was then
        local block = redis.call('GET', key)
        local first, last = block:find(was.text, 1, true)
        redis.call('SET', key, block:sub(1, first - 1) .. block:sub(last + 1))
    end
    if is then
        redis.call('APPEND', key, is.text)
    end
end

local function standing_of(name)
    local packed = redis.call('HGET', at .. 'standings', name)
    return packed and cmsgpack.unpack(packed)
end

local function changed_of(name)
    local last = redis.call('HGET', at .. 'last_changes', name)
    return last and last:sub(1, #batch.unchanged) or batch.unchanged
end

-- Accounts: {name, standing, profile, row}; a refreshed one has no row.
for _, account in ipairs(batch.accounts) do
    local name, packed, profile, row = account[1], account[2], account[3], account[4]
    local was, is = standing_of(name), cmsgpack.unpack(packed)
    local is_older = was and (was.applied > is.applied or was.applied == is.applied and was.day > is.day)
    local is_others = not row and not (was and was.applied == is.applied)
    if not is_older and not is_others then
        local changed = changed_of(name)
        list_anew(name, was, is, changed, changed)
        write_text(was, is)
        redis.call('HSET', at .. 'standings', name, packed)
        redis.call('HSET', at .. 'profiles', name, profile)
        if row then
            redis.call('HSET', at .. 'rows', name, row)
        end
    end
end

for _, name in ipairs(batch.gone or {}) do
    local was = standing_of(name)
    if was then
        local changed = changed_of(name)
        list_anew(name, was, nil, changed, changed)
        write_text(was, nil)
        for _, hash in ipairs({'standings', 'profiles', 'rows'}) do
            redis.call('HDEL', at .. hash, name)
        end
    end
end
write_lists()

-- Changes: {account, offset, id, body, how its place in lists by change begins, what lists show, day, move}.
-- A body is kept once, as long as its account's timeline or its partition's list names it.
if batch.changes then
    local changes = at .. 'changes:' .. batch.partition
    local moves = {}
    for _, change in ipairs(batch.changes) do
        local account, offset, id, body, changed, shown, day, move = unpack(change)
        redis.call('HSET', at .. 'bodies', id, body)
        redis.call('ZADD', changes, offset, id .. ' ' .. account)
        local timeline = at .. 'timeline:' .. account
        if redis.call('RPUSH', timeline, id) > batch.kept_of_account then
            local oldest = redis.call('LPOP', timeline)
            if not redis.call('ZSCORE', changes, oldest .. ' ' .. account) then
                redis.call('HDEL', at .. 'bodies', oldest)
            end
        end
        local standing = standing_of(account)
        list_anew(account, standing, standing, changed_of(account), changed)
        write_lists()
        redis.call('HSET', at .. 'last_changes', account, changed .. shown)
        moves[day] = moves[day] or {}
        moves[day][move] = (moves[day][move] or 0) + 1
    end

    local missing = batch.first
    for _, dropped in ipairs(redis.call('ZRANGE', changes, 0, -1 - batch.kept_of_partition)) do
        local id, offset, account = dropped:match('^(%d+/(%d+)) (.*)$')
        local oldest = redis.call('LINDEX', at .. 'timeline:' .. account, 0)
        if tonumber(oldest:match('/(%d+)$')) > tonumber(offset) then
            redis.call('HDEL', at .. 'bodies', id)
        end
        missing = math.max(missing, offset + 1)
    end
    redis.call('ZREMRANGEBYRANK', changes, 0, -1 - batch.kept_of_partition)
    local first = tonumber(redis.call('HGET', at .. 'first_changes', batch.partition) or 0)
    redis.call('HSET', at .. 'first_changes', batch.partition, math.max(first, missing))

    for day, counts in pairs(moves) do
        local kept = cjson.decode(redis.call('HGET', at .. 'moves', day) or '{}')
        for move, count in pairs(counts) do
            kept[move] = (kept[move] or 0) + count
        end
        redis.call('HSET', at .. 'moves', day, cjson.encode(kept))
    end
    local days = redis.call('HKEYS', at .. 'moves')
    table.sort(days)
    for number = 1, #days - batch.kept_days do
        redis.call('HDEL', at .. 'moves', days[number])
    end
end

for person, row in pairs(batch.contacts or {}) do
    redis.call('HSET', at .. 'contacts', person, row)
end
for _, person in ipairs(batch.forgotten or {}) do
    redis.call('HDEL', at .. 'contacts', person)
end
for version, text in pairs(batch.rulebooks or {}) do
    redis.call('HSET', at .. 'rulebooks', version, text)
end
if batch.mark then
    redis.call('HSET', at .. 'marks', batch.partition, batch.mark)
end
if batch.source then
    redis.call('HSET', at .. 'places', batch.source, batch.stop)
end
return false
