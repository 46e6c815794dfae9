-- KEYS ready, later, dead, graves. ARGV what to do, and what that needs.
local ready, later, dead, graves = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if ARGV[1] == 'stats' then
	-- Answers how many jobs wait or run, run, are delayed, are dead.
	local pending = redis.pcall('XPENDING', ready, 'w')
	return {redis.call('XLEN', ready), pending.err and 0 or pending[1], redis.call('ZCARD', later), redis.call('ZCARD', dead)}
elseif ARGV[1] == 'list' then
	-- ARGV first, last. Answers for each: when it died in microseconds, job.
	local answer = {}
	local page = redis.call('ZRANGE', dead, ARGV[2], ARGV[3], 'WITHSCORES')
	for i = 1, #page, 2 do
		local job = redis.call('HGET', graves, page[i])
		if job then
			table.insert(answer, {page[i + 1], job})
		end
	end
	return answer
elseif ARGV[1] == 'read' then
	-- ARGV id. Answers its job, or nothing.
	return redis.call('HGET', graves, ARGV[2])
elseif ARGV[1] == 'exhume' then
	-- ARGV id, job that is to wait, if any. Answers 1, or 0 if there is none.
	if redis.call('ZREM', dead, ARGV[2]) == 0 then
		return 0
	end
	redis.call('HDEL', graves, ARGV[2])
	if ARGV[3] then
		redis.call('XADD', ready, '*', 'j', ARGV[3])
	end
	return 1
end
