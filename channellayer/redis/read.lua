-- Reads entries. ARGV[5] on: from which offset, how many at most, after how many bytes no more. Returns the position of the log's
-- end, whether there are more, and for each entry its id, its tag, the tag of the entry before it and its envelope.

local epoch, offset, tag = open()
redis.call('PEXPIRE', top, ARGV[3])
local answer = { position(epoch, offset, tag), '' }
local limit, bytes = tonumber(ARGV[6]), tonumber(ARGV[7])
if limit == 0 then
  return answer
end
trim(offset, now())
local from, taken = ARGV[5], 0
while true do
  local entries = redis.call('XRANGE', log, from, '+', 'COUNT', 10)
  for _, entry in ipairs(entries) do
    if taken >= limit or (taken >= 2 and bytes <= 0) then
      answer[2] = 'more'
      return answer
    end
    local fields = entry[2]
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = fields[2]
    answer[#answer + 1] = fields[4]
    answer[#answer + 1] = fields[6]
    taken = taken + 1
    bytes = bytes - #fields[6]
    from = '(' .. entry[1]
  end
  if #entries < 10 then
    return answer
  end
end
