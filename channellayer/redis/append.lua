-- Appends an entry and publishes it. KEYS[3], if there is one, is its idempotency key. ARGV[5] on: its tag, its envelope, for
-- how many milliseconds the key is known, the command that publishes, the channel. Returns its position, or that of the first
-- entry with the key.

if KEYS[3] then
  local first = redis.call('GET', KEYS[3])
  if first then
    return first
  end
end
local time = now()
local epoch, offset, tag = open()
offset = offset + 1
local at = position(epoch, offset, ARGV[5])
redis.call('XADD', log, number(offset) .. '-' .. number(time), 't', ARGV[5], 'p', tag, 'e', ARGV[6])
redis.call('HSET', top, 'offset', number(offset), 'tag', ARGV[5])
trim(offset, time)
redis.call('PEXPIRE', log, ARGV[2])
redis.call('PEXPIRE', top, ARGV[3])
if KEYS[3] then
  redis.call('SET', KEYS[3], at, 'PX', ARGV[7])
end
redis.call(ARGV[8], ARGV[9], at .. '\n' .. ARGV[6])
return at
