-- KEYS ready, later, dead, graves. ARGV entry, number of its lease, verdict, and as the verdict needs: job, pause in ms, id, how many dead jobs are kept.
-- Answers 1, or 0 if the lease is lost.
local ready, later, dead, graves = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local entry, verdict, job = ARGV[1], ARGV[3], ARGV[4]
local pending = redis.pcall('XPENDING', ready, 'w', entry, entry, 1)
if pending.err or #pending == 0 or pending[1][4] ~= tonumber(ARGV[2]) then
	return 0
end
if verdict == 'extend' then
	redis.call('XCLAIM', ready, 'w', 'w', 0, entry, 'JUSTID')
	return 1
end
redis.call('XACK', ready, 'w', entry)
redis.call('XDEL', ready, entry)
if verdict == 'wait' and tonumber(ARGV[5]) > 0 then
	local now = redis.call('TIME')
	redis.call('ZADD', later, now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[5], job)
elseif verdict == 'wait' then
	redis.call('XADD', ready, '*', 'j', job)
elseif verdict == 'bury' then
	local now = redis.call('TIME')
	local died = now[1] * 1000000 + now[2]
	local last = redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')[2]
	if last then
		died = math.max(died, last + 1) -- in the order of dying, also within one microsecond
	end
	redis.call('ZADD', dead, string.format('%.0f', died), ARGV[6])
	redis.call('HSET', graves, ARGV[6], job)
	local excess = math.min(redis.call('ZCARD', dead) - ARGV[7], 1000) -- one, but for a limit that was lowered
	if excess > 0 then
		local oldest = redis.call('ZRANGE', dead, 0, excess - 1)
		redis.call('ZREM', dead, unpack(oldest))
		redis.call('HDEL', graves, unpack(oldest))
	end
end
return 1
