-- KEYS ready, later. ARGV lease in ms, how many jobs at most, how long to wait in ms at most.
-- Answers how long to wait for a job that was not there, and for each job that was: entry, number of its lease, job.
local ready, later = KEYS[1], KEYS[2]
local most = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What is due joins those that wait.
local due = redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, most)
for _, job in ipairs(due) do
	redis.call('XADD', ready, '*', 'j', job)
	redis.call('ZREM', later, job)
end
redis.pcall('XGROUP', 'CREATE', ready, 'w', '0', 'MKSTREAM') -- there is one after the first time

-- Leases that ran out come first, as they have waited longest.
local answer = {0}
for _, lost in ipairs(redis.call('XPENDING', ready, 'w', 'IDLE', ARGV[1], '-', '+', most)) do
	local entry = redis.call('XCLAIM', ready, 'w', 'w', ARGV[1], lost[1])[1]
	if entry then
		table.insert(answer, {entry[1], lost[4] + 1, entry[2][2]})
	end
end
local left = most - (#answer - 1)
if left > 0 then
	local fresh = redis.call('XREADGROUP', 'GROUP', 'w', 'w', 'COUNT', left, 'STREAMS', ready, '>')
	for _, entry in ipairs(fresh and fresh[1][2] or {}) do
		table.insert(answer, {entry[1], 1, entry[2][2]})
	end
end
local wait = tonumber(ARGV[3])
local first = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')
if first[2] then
	wait = math.min(wait, math.max(first[2] - now, 1))
end
answer[1] = wait
return answer
