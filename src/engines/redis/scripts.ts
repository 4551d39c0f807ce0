import { ACTIVE, DONE, FREE, UNHANDLED } from '../shared/states.ts';

// An event is one hash, which is the only key of each script. Its fields: s state, k token, a attempt, c claims, f failures, h body hash,
// u until (active: end of the lease; free: claimable from), d held by a queue, e error, `:<step>` a step.
const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)`;
const number = (expression: string) => `string.format('%.0f', ${expression})`;
const OWNED = `local o = redis.call('HMGET', KEYS[1], 's', 'k', 'd')
if o[1] ~= '${ACTIVE}' or o[2] ~= ARGV[1] then return 0 end`;
const DROP_STEPS = `for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 1) == ':' then redis.call('HDEL', KEYS[1], field) end
end`;

/**
 * The store's scripts on a hash. The command that adds to it comes first: a server without memory refuses that, and has then
 * changed nothing.
 */
export const storeScripts = {
  // token, body hash, lease, lease and retention
  claim: `${NOW}
local r = redis.call('HMGET', KEYS[1], 's', 'h', 'u', 'd', 'f', 'a')
local state, same = r[1], r[2] == ARGV[2]
if state then
  if not same and (state ~= '${FREE}' or r[4] == '1') then return {'conflict'} end
  if state == '${DONE}' then return {'done'} end
  if state ~= '${FREE}' and state ~= '${ACTIVE}' then return {'dead', r[5]} end
  local wait = tonumber(r[3]) - now
  if wait > 0 then return {'busy', ${number('wait')}} end
end
redis.call('HSET', KEYS[1], 's', '${ACTIVE}', 'k', ARGV[1], 'h', ARGV[2], 'u', ${number('now + ARGV[3]')}, 'f', r[5] or '0')
local attempt = redis.call('HINCRBY', KEYS[1], 'a', 1)
local claims = redis.call('HINCRBY', KEYS[1], 'c', 1)
if r[4] == '1' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
local out = {'acquired', attempt, claims, r[5] or '0', 0}
if not state then return out end
if not same then
  out[5] = 1
  redis.call('HDEL', KEYS[1], 'e')
  ${DROP_STEPS}
  return out
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == ':' then
    out[#out + 1] = string.sub(all[i], 2)
    out[#out + 1] = all[i + 1]
  end
end
return out`,

  // body hash, retention
  hold: `local r = redis.call('HMGET', KEYS[1], 's', 'h', 'f', 'd')
if not r[1] then
  redis.call('HSET', KEYS[1], 's', '${FREE}', 'h', ARGV[1], 'u', '0', 'd', '1', 'a', '0', 'c', '0', 'f', '0')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {}
end
if r[1] == '${FREE}' and r[2] == ARGV[1] and r[4] ~= '1' then
  redis.call('HSET', KEYS[1], 'd', '1')
  redis.call('PERSIST', KEYS[1])
end
return {r[1], r[2], r[3] or '0', r[4] or '0'}`,

  // token, lease, lease and retention
  extend: `${OWNED}
${NOW}
redis.call('HSET', KEYS[1], 'u', ${number('now + ARGV[2]')})
if o[3] ~= '1' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1`,

  // token, step, value; 0 lost, 1 exists, 2 saved
  checkpoint: `${OWNED}
return redis.call('HSETNX', KEYS[1], ':' .. ARGV[2], ARGV[3]) + 1`,

  // token, retention
  complete: `local o = redis.call('HMGET', KEYS[1], 's', 'k')
if o[2] ~= ARGV[1] then return 0 end
if o[1] == '${DONE}' then return 1 end
redis.call('HSET', KEYS[1], 's', '${DONE}')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('HDEL', KEYS[1], 'u', 'd', 'e')
${DROP_STEPS}
return 1`,

  // token, change of claims, of failures, wait, held, whether there is an error, error, retention
  release: `${OWNED}
${NOW}
redis.call('HSET', KEYS[1], 's', '${FREE}', 'u', ${number('now + ARGV[4]')}, 'd', ARGV[5], 'e', ARGV[7])
redis.call('HINCRBY', KEYS[1], 'c', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'f', ARGV[3])
redis.call('HDEL', KEYS[1], 'k')
if ARGV[6] == '0' then redis.call('HDEL', KEYS[1], 'e') end
if ARGV[5] == '1' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[8]) end
return 1`,

  // token, change of claims, of failures, state, whether there is an error, error, retention
  bury: `${OWNED}
redis.call('HSET', KEYS[1], 's', ARGV[4], 'e', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'c', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'f', ARGV[3])
redis.call('HDEL', KEYS[1], 'k', 'u')
if ARGV[5] == '0' then redis.call('HDEL', KEYS[1], 'e') end
if ARGV[4] == '${UNHANDLED}' then redis.call('PEXPIRE', KEYS[1], ARGV[7]) else redis.call('PERSIST', KEYS[1]) end
return 1`,

  // token
  forget: `${OWNED}
return redis.call('DEL', KEYS[1])`,

  get: `return redis.call('HGETALL', KEYS[1])`,

  // whether the steps stay
  revive: `local state = redis.call('HGET', KEYS[1], 's')
if not state or state == '${FREE}' or state == '${ACTIVE}' then return 0 end
redis.call('HSET', KEYS[1], 's', '${FREE}', 'c', '0', 'f', '0', 'u', '0', 'd', '1')
redis.call('PERSIST', KEYS[1])
redis.call('HDEL', KEYS[1], 'k', 'e')
if ARGV[1] == '0' then
  ${DROP_STEPS}
end
return 1`,

  latest: `return redis.call('GET', KEYS[1])`,

  // version
  advance: `local newest = redis.call('GET', KEYS[1])
if newest and tonumber(newest) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1`,
} as const;
