-- KEYS ready, later, key of the id if it is to be remembered. ARGV job, delay in ms, capacity, window in ms.
-- Answers 1 if the job was kept, 0 if its id is known, -1 if the channel is full.
if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 1 then
	return 0
end
if redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
	return -1
end
if KEYS[3] then
	redis.call('SET', KEYS[3], '1', 'PX', ARGV[4])
end
if tonumber(ARGV[2]) > 0 then
	local now = redis.call('TIME')
	redis.call('ZADD', KEYS[2], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[1])
else
	redis.call('XADD', KEYS[1], '*', 'j', ARGV[1])
end
return 1
