-- Functions of all scripts. KEYS: the hash that says where the log ends, the stream of its entries. ARGV: an epoch in case
-- that the log begins, for how many milliseconds entries are kept, for how many its end is known, how many entries are kept.
-- The id of an entry is its offset and its time.

local top, log = KEYS[1], KEYS[2]

local function number(n) return string.format('%.0f', n) end

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- open returns the epoch and the offset and tag of the newest entry. A log whose end is not known begins anew.
local function open()
  local t = redis.call('HMGET', top, 'epoch', 'offset', 'tag')
  if t[1] and t[2] and t[3] then
    return t[1], tonumber(t[2]), t[3]
  end
  redis.call('DEL', top, log)
  redis.call('HSET', top, 'epoch', ARGV[1], 'offset', 0, 'tag', '')
  return ARGV[1], 0, ''
end

local function position(epoch, offset, tag)
  if offset == 0 then
    return epoch .. '.0'
  end
  return epoch .. '.' .. number(offset) .. '.' .. tag
end

local function parse(id)
  local offset, time = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(offset), tonumber(time)
end

-- trim drops the entries that are too many or too old. The first that is not is found by halving.
local function trim(last, time)
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if not oldest then
    return
  end
  local keep = math.max(0, last - tonumber(ARGV[4]) + 1)
  local first, stored = parse(oldest[1])
  local limit = time - tonumber(ARGV[2])
  if stored < limit then
    local old, new = first, last + 1
    while old + 1 < new do
      local middle = math.floor((old + new) / 2)
      local entry = redis.call('XRANGE', log, number(middle), '+', 'COUNT', 1)[1]
      local offset, at
      if entry then offset, at = parse(entry[1]) end
      if entry and at < limit then old = offset else new = middle end
    end
    keep = math.max(keep, new)
  end
  if keep > first then
    redis.call('XTRIM', log, 'MINID', '=', number(keep))
  end
end
