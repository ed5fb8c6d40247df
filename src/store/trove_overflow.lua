#!lua

-- Puts operations that a ledger has no room for into queues, streams, whose
-- entries are numbered 1, 2, 3 ... without gaps.  A queue that is full refuses.
--
--   KEYS[1]   trove:{NAME}:overflow, a hash: format, whose (what tells these
--             queues from others), ledger (the instance of what they are for,
--             or empty), and of each queue by its name its last number
--   ARGV[1]   the call, as trove_redis_wire.h has it; its instance is the
--             ledger's, or 32 zeros
--   ARGV[2]   entries that a queue may have
--   ARGV[3]   whose they are if there are none yet: 1 .. 2^53
--   ARGV[n]   of each operation: its queue's name, the queue's mark, which no
--             new number may be below, and the operation
--
-- The answer is <d whose, d now: us of unix time> and of each operation
-- <B d: whether it is queued, and by which number.  A call without operations
-- shows whether others would be taken.

local CALLS = 16
local KEPT_FOR = 600

local call, pack, unpack_struct = redis.call, struct.pack, struct.unpack
local hash = KEYS[1]


local function fail(text)
    error({ err = text })
end


local function integer(n)
    return string.format('%d', n)
end


local instance, session, number, again, deadline
    = unpack_struct('<c32Bc0dBd', ARGV[1])

local waits = again >= 2

again = again % 2

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local max = tonumber(ARGV[2])
local meta = call('HMGET', hash, 'format', 'whose', 'ledger')

if meta[1] and meta[1] ~= '1' then
    fail('TROVE FORMAT ' .. meta[1] .. ' (' .. hash .. ')')
end

if meta[3] and meta[3] ~= instance then
    fail('TROVE INSTANCE ' .. meta[3] .. ' (' .. hash .. ')')
end

local sessions = hash .. ':s:' .. session
local slot = integer(number % CALLS)

if session ~= '' then
    local kept = call('HGET', sessions, slot)

    if kept then
        local of = unpack_struct('<d', kept)

        if of == number then
            if waits then
                call('EXPIRE', sessions, KEPT_FOR)
            end

            return kept:sub(9)
        elseif of > number then
            fail('TROVE SESSION (' .. sessions .. ')')
        end
    end

    if again == 1 and call('EXISTS', sessions) == 0 then
        fail('TROVE SESSION (' .. sessions .. ')')
    end
end

-- nobody waits for it any more

if deadline ~= 0 and deadline < now then
    fail('TROVE LATE (' .. hash .. ')')
end

-- all is read before anything is written

local queues, results, added = {}, {}, {}

for i = 4, #ARGV, 3 do
    local name, mark = ARGV[i], tonumber(ARGV[i + 1])
    local q = queues[name]

    if not q then
        local last = tonumber(call('HGET', hash, name) or '0')

        q = { key = hash .. ':' .. name, last = math.max(last, mark) }
        q.len = call('XLEN', q.key)
        queues[name] = q
    end

    if q.len >= max then
        results[#results + 1] = pack('<Bd', 0, 0)
    else
        q.len = q.len + 1
        q.last = q.last + 1
        added[#added + 1] = { q.key, q.last, ARGV[i + 2] }
        results[#results + 1] = pack('<Bd', 1, q.last)
    end
end

if #added ~= 0 then

    if not meta[1] then
        call('HSET', hash, 'format', '1', 'whose', ARGV[3], 'ledger',
             instance)
        meta[2] = ARGV[3]
    end

    for _, a in ipairs(added) do
        call('XADD', a[1], integer(a[2]) .. '-0', 'at', integer(now),
             'op', a[3])
    end

    for name, q in pairs(queues) do
        call('HSET', hash, name, integer(q.last))
    end
end

local answer = pack('<dd', tonumber(meta[2] or '0'), now)
               .. table.concat(results)

-- one without operations begins the session; its number is the next one's, too

if session ~= '' then
    call('HSET', sessions, 'at', time[1])

    if #ARGV > 3 then
        call('HSET', sessions, slot, pack('<d', number) .. answer)
    end

    call('EXPIRE', sessions, KEPT_FOR)
end

return answer
