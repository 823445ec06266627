/** What runs inside Redis, each all at once. A lock's value is `fleet epoch token`. */
import { createHash } from "node:crypto";

/** Lua hands over no more arguments than some thousands; and a longer script would keep everybody waiting. */
export const MOST_KEYS = 1_000;

export interface RedisScript {
  readonly text: string;
  /** By which Redis knows it once it is loaded. */
  readonly sha: string;
}

/** Whether who wants `value` to stand there may take the place of what is held: it is its own, or its fleet's of before. */
const YIELDS_TO = `
local function yieldsTo(value, held)
  local fleet, epoch = string.match(value, '^(%S+) (%d+) ')
  local heldBy, heldSince = string.match(held, '^(%S+) (%d+) ')
  return heldBy == fleet and tonumber(heldSince) <= tonumber(epoch)
end`;

/**
 * KEYS: the keys of one grant. ARGV: value, TTL in ms. Returns the number of keys where all are ours now, 0 where one
 * is another fleet's or a newer epoch's.
 */
export const ACQUIRE = script(`${YIELDS_TO}
local call, value, ttl = redis.call, ARGV[1], ARGV[2]
if call('EXISTS', unpack(KEYS)) > 0 then
  for _, held in ipairs(call('MGET', unpack(KEYS))) do
    if held and not yieldsTo(value, held) then return 0 end
  end
end
for i = 1, #KEYS do call('PSETEX', KEYS[i], ttl, value) end
return #KEYS`);

/** KEYS: one of each grant. ARGV: TTL in ms, then the value of each. Returns a 1 for each that is granted. */
export const ACQUIRE_EACH = script(`${YIELDS_TO}
local granted, held = {}, redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  local value = ARGV[i + 1]
  granted[i] = (not held[i] or yieldsTo(value, held[i])) and 1 or 0
  if granted[i] == 1 then redis.call('PSETEX', KEYS[i], ARGV[1], value) end
end
return granted`);

/**
 * KEYS: the keys of several grants, one after the other. ARGV: TTL in ms, then value and number of keys of each
 * grant. Returns a 1 for each grant that is extended. A key that the server lost is set again: as long as a grant is
 * valid, nobody else has a right to it.
 */
export const EXTEND = script(`
local extended, last, held = {}, 0, redis.call('MGET', unpack(KEYS))
for grant = 2, #ARGV, 2 do
  local value, first = ARGV[grant], last + 1
  last = last + tonumber(ARGV[grant + 1])
  local ours = 1
  for i = first, last do
    if held[i] and held[i] ~= value then ours = 0 end
  end
  if ours == 1 then
    for i = first, last do redis.call('PSETEX', KEYS[i], ARGV[1], value) end
  end
  extended[#extended + 1] = ours
end
return extended`);

/** KEYS: the keys of one grant. ARGV: its value. Deletes those that still have it; returns how many that were. */
export const RELEASE = script(`
if #KEYS == 1 then return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0 end
local held, ours = redis.call('MGET', unpack(KEYS)), {}
for i = 1, #KEYS do
  if held[i] == ARGV[1] then ours[#ours + 1] = KEYS[i] end
end
if #ours > 0 then redis.call('DEL', unpack(ours)) end
return #ours`);

export const SCRIPTS: readonly RedisScript[] = [ACQUIRE, ACQUIRE_EACH, EXTEND, RELEASE];

function script(text: string): RedisScript {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
