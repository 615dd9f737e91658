-- Forgets all that is kept for an environment, in one step: what a projector wrote meanwhile would else be lost, or stay.
--
-- KEYS[1]  beginning of every key

for _, key in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do
    redis.call('UNLINK', key)
end
