/** What runs inside Redis: each script all at once, and not at all once the time is over that its caller waits. */

export interface RedisScript {
  readonly text: string;
}

/** What ACQUIRE answers after its deadline. */
export const TOO_LATE = -1;

/**
 * KEYS: the keys of one grant. ARGV: fleet, epoch, value, TTL in ms, deadline in the server's own ms.
 * Returns the number of keys where all are ours now, 0 where one is another fleet's or a newer epoch's, −1 after the
 * deadline: a server that was frozen, or a request that was held up, must not lock what nobody waits for any more.
 */
export const ACQUIRE: RedisScript = {
  text: `
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[5]) then return -1 end
for _, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held then
    local fleet, epoch = string.match(held, '^(%S+) (%d+) %S+$')
    if fleet ~= ARGV[1] or tonumber(epoch) > tonumber(ARGV[2]) then return 0 end
  end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[3], 'PX', ARGV[4]) end
return #KEYS`,
};

/**
 * KEYS: the keys of several grants, one after the other. ARGV: TTL in ms, then value, number of keys and deadline of
 * each grant. Returns a 1 for each grant that is extended. A key that the server lost is set again: before the
 * deadline, which is never after the grant's own end, nobody else can have a right to it.
 */
export const EXTEND: RedisScript = {
  text: `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local extended, last = {}, 0
for grant = 2, #ARGV, 3 do
  local value, first = ARGV[grant], last + 1
  last = last + tonumber(ARGV[grant + 1])
  local ours = now <= tonumber(ARGV[grant + 2]) and 1 or 0
  for i = first, last do
    local held = redis.call('GET', KEYS[i])
    if held and held ~= value then ours = 0 end
  end
  if ours == 1 then
    for i = first, last do redis.call('SET', KEYS[i], value, 'PX', ARGV[1]) end
  end
  extended[#extended + 1] = ours
end
return extended`,
};

/** KEYS: the keys of one grant. ARGV: its value. Deletes those that still have it; returns how many that were. */
export const RELEASE: RedisScript = {
  text: `
local freed = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then freed = freed + redis.call('DEL', key) end
end
return freed`,
};
