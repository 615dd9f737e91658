-- Looks for a text in those of all accounts. They lie one after another in a few long strings, because to look through these takes a tenth
-- of the time that any of Redis's own scans would. Of an account: folded texts \255 ... \255 its name \254.
--
-- KEYS[1]  beginning of every key
-- ARGV     the block to begin with, how many there are, the text, how many accounts at most
--
-- Gives the block to go on with, and the names that were found.

local at, block, blocks, text, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local LONG_ENOUGH = 500000 -- bytes that are looked through while everybody else waits: about a millisecond

local names, looked = {}, 0
while block < blocks and looked < LONG_ENOUGH and #names < most do
    local texts = redis.call('GET', at .. 'texts:' .. block) or ''
    local from = 1
    while from <= #texts and #names < most do
        local first = texts:find(text, from, true)
        if not first then
            break
        end
        local last = texts:find('\254', first, true)
        names[#names + 1] = texts:sub(first, last):match('^.*\255(.*)\254$')
        from = last + 1
    end
    block, looked = block + 1, looked + #texts
end
return {block, names}
