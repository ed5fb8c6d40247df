#!lua

-- Decides a call's writes, in Redis: what is granted, what a board's row
-- becomes, and the log's entry that tells all machines of it.  The calls'
-- form is trove_redis_wire.h's, the keys' trove_redis.h's; what is decided is
-- what trove_claims.c, trove_taps.c, trove_board_write.c and trove_ledger.c
-- decide, in the same order and by the same arithmetic.
--
-- All is read first, then decided, then stored: a key of another type, or a
-- row that is not ours, ends the script before it has written anything.  The
-- entry is stored first, for it is the only write that may be refused once the
-- rights are there.

local pack, unpack_struct = struct.pack, struct.unpack
local format = string.format
local floor, sqrt = math.floor, math.sqrt
local sin, cos, asin, pi = math.sin, math.cos, math.asin, math.pi
local call = redis.call

-- Constants, each of which is put where it stands when the script is built.
-- The codes of results are trove_redis_wire.c's, and those of enums of the
-- core's headers.

local OK, NOTFOUND, FULL, INVALID = 0, 1, 2, 3

local GRANTED, REPEAT, GONE, UNKNOWN = 0, 1, 2, 3
local EARLY, EXPIRED, LEVEL, FAR, FAST = 4, 5, 6, 7, 8

local TAP_GRANTED, TAP_REPEAT, TAP_STALE, TAP_LIMITED = 0, 1, 2, 3

local IMPROVED, KEPT, SCORE_REPEAT, SCORE_STALE, OVERFLOW = 0, 1, 2, 3, 4

local MAX, MIN, LAST, SUM = 0, 1, 2, 3
local NEVER, DAILY, WEEKLY, MONTHLY = 0, 1, 2, 3

local EARTH = 1
local RADIUS = 6371008.8

local LIMIT = 9007199254740992          -- 2^53: integers are exact up to it
local EARLIEST = 4503599627370496       -- 2^52 us ahead is as good as no rate
local SLACK = 1000000
local DAY = 86400
local CALLS = 16                        -- answers that a session keeps
local KEPT_FOR = 600                    -- seconds, a minute less at worst

local REWARD = '<dddi4I4I4I4I4I4'
local PLAYER = '<ddddddI4i4'
local CLAIM = '<I4I4i4dd'
local SCORE = '<ddd'

local REWARD_SIZE, PLAYER_SIZE, CLAIM_SIZE, SCORE_SIZE = 48, 56, 28, 24

local radian = pi / 180
local trove = KEYS[1]


local function fail(text)
    error({ err = text })
end


local function integer(n)
    return format('%d', n)
end


-- an error names its key

local function checked(command, key, ...)
    local res = redis.pcall(command, key, ...)

    if type(res) == 'table' and res.err then
        fail(res.err .. ' (' .. key .. ')')
    end

    return res
end


local function foreign(key, field)
    fail('TROVE FOREIGN ' .. field .. ' (' .. key .. ')')
end


--
-- time
--

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local ms = floor(now / 1000)
local seconds = floor(ms / 1000)


local function month(day)
    day = day + 719468

    local era = floor(day / 146097)
    local of_era = day % 146097
    local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524)
                        - floor(of_era / 146096)) / 365)
    local of_year = of_era - (365 * year + floor(year / 4)
                              - floor(year / 100))

    return (era * 400 + year) * 12 + floor((5 * of_year + 2) / 153)
           + 2 - 1970 * 12
end


local function month_begins(n)
    n = n + 1970 * 12 - 2

    local year = floor(n / 12)
    local era = floor(year / 400)

    year = year % 400

    return era * 146097 + 365 * year + floor(year / 4) - floor(year / 100)
           + floor((153 * (n % 12) + 2) / 5) - 719468
end


local function period_of(reset)
    local day = floor(seconds / DAY)

    if reset == DAILY then
        return day
    elseif reset == WEEKLY then
        return floor((day + 3) / 7)
    elseif reset == MONTHLY then
        return month(day)
    end

    return 0
end


local function begins(reset, period)
    if reset == DAILY then
        return period * DAY
    elseif reset == WEEKLY then
        return (period * 7 - 3) * DAY
    elseif reset == MONTHLY then
        return month_begins(period) * DAY
    end

    return 0
end


--
-- space: trove_space.c
--

local function haversine(x1, y1, x2, y2)
    local turn = x2 - x1

    if turn > 180 then
        turn = turn - 360
    elseif turn < -180 then
        turn = turn + 360
    end

    turn = turn * radian

    local s1 = sin((y2 - y1) * radian / 2)
    local s2 = sin(turn / 2)
    local both = cos(y1 * radian) * cos(y2 * radian)
    local key = s1 * s1 + both * (s2 * s2)

    if key > 0.5 then
        s1 = sin((y1 + y2) * radian / 2)
        s2 = cos(turn / 2)
        key = 1 - (s1 * s1 + both * (s2 * s2))
    end

    return key
end


local function space_key(space, x1, y1, x2, y2)
    if space == EARTH then
        return haversine(x1, y1, x2, y2)
    end

    local dx, dy = x2 - x1, y2 - y1

    return dx * dx + dy * dy
end


local function distance(space, key)
    if space ~= EARTH then
        return sqrt(key)
    end

    if key > 0.5 then
        return RADIUS * (pi - 2 * asin(sqrt(1 - key)))
    end

    return RADIUS * 2 * asin(sqrt(key))
end


--
-- the call, and whether it is for this trove
--

local instance, session, number, again, deadline
    = unpack_struct('<c32Bc0dBd', ARGV[1])

local waits = again >= 2

again = again % 2

local space, range, max_speed, dry_run, interval, burst, max_rewards,
      max_players, max_claims, max_log, nboards, at
    = unpack_struct('<BddBddI4I4I4I4B', ARGV[2])

local boards, credited = {}, {}

for i = 1, nboards do
    local b = {}

    b.keep, b.reset, b.claims, b.rows, b.data, b.name, at
        = unpack_struct('<BBBI4I4Bc0', ARGV[2], at)

    boards[i] = b

    if b.claims == 1 then
        credited[#credited + 1] = b
    end
end

local meta = checked('HMGET', trove, 'format', 'instance', 'space', 'log',
                  'version', 'born', 'claims')

if not meta[2] then
    fail('TROVE NONE (' .. trove .. ')')
elseif meta[1] ~= '1' then
    fail('TROVE FORMAT (' .. trove .. ')')
elseif meta[2] ~= instance then
    fail('TROVE INSTANCE ' .. meta[2] .. ' (' .. trove .. ')')
elseif meta[3] ~= (space == EARTH and 'earth' or 'plane') then
    fail('TROVE SPACE ' .. tostring(meta[3]) .. ' (' .. trove .. ')')
end

local log, version = tonumber(meta[4]), tonumber(meta[5])
local born, claims_ever = tonumber(meta[6]), tonumber(meta[7])

if not log or not version or not born or not claims_ever then
    foreign(trove, 'log')
end

-- a call that was answered has its answer again

local sessions = trove .. ':s:' .. session
local slot = integer(number % CALLS)
local touched

if session ~= '' then
    local kept = checked('HMGET', sessions, slot, 'at')

    touched = tonumber(kept[2] or '')

    if kept[1] then
        local of = unpack_struct('<d', kept[1])

        if of == number then
            if waits then
                checked('EXPIRE', sessions, KEPT_FOR)
            end

            return string.sub(kept[1], 9)
        elseif of > number then
            fail('TROVE SESSION (' .. sessions .. ')')
        end
    end

    if again == 1 and not touched then
        fail('TROVE SESSION (' .. sessions .. ')')
    end
end

-- nobody waits for it any more

if deadline ~= 0 and deadline < now then
    fail('TROVE LATE (' .. trove .. ')')
end


--
-- what the ops need
--

local rewards_key = trove .. ':rewards'
local players_key = trove .. ':players'
local claims_key = trove .. ':claims'

local ops = {}
local rewards, players, claims = {}, {}, {}             -- false: none
local reward_ids, player_ids, claim_ids = {}, {}, {}
local changed_rewards, changed_players, changed_claims = {}, {}, {}
local nrewards, nplayers                -- once somebody is new


local function want(list, rows, id)
    if rows[id] == nil then
        rows[id] = false
        list[#list + 1] = id
    end
end


local function want_row(b, player)
    local ids = b.ids

    if not ids then
        ids = {}
        b.ids = ids
        b.have = {}
        b.changed = {}
        b.period = period_of(b.reset)
        b.prefix = trove .. ':board:' .. b.name .. ':' .. b.reset .. ':'
                   .. b.claims .. ':'
        b.key = b.prefix .. integer(b.period)
    end

    want(ids, b.have, player)
end


local parse = {

    c = function(text)
        local o = { unpack_struct('<I4dddB', text, 2) }
        local player = string.sub(text, o[6])

        o.player = player

        if player ~= '' and #player <= 40 then
            o.id = integer(o[1])
            o.claim = o.id .. ':' .. player
            want(reward_ids, rewards, o.id)
            want(player_ids, players, player)
            want(claim_ids, claims, o.claim)

            for i = 1, #credited do
                want_row(credited[i], player)
            end
        end

        return o
    end,

    t = function(text)
        local o = { unpack_struct('<dI4i4', text, 2) }
        local player = string.sub(text, o[4])

        o.player = player

        if player ~= '' and #player <= 40 then
            want(player_ids, players, player)
        end

        return o
    end,

    s = function(text)
        local board, score, seq, has_data, player, at
            = unpack_struct('<BddBBc0', text, 2)
        local b = boards[board + 1]

        if player ~= '' and #player <= 40 then
            want_row(b, player)
        end

        return { board = b, score = score, seq = seq, player = player,
                 data = has_data == 1 and string.sub(text, at) }
    end,

    u = function(text)
        local board, at = unpack_struct('<B', text, 2)
        local b, player = boards[board + 1], string.sub(text, at)

        if player ~= '' and #player <= 40 then
            want_row(b, player)
        end

        return { board = b, player = player }
    end,

    p = function(text)
        local o = { unpack_struct('<I4dddi4I4I4I4', text, 2) }

        o.id = integer(o[1])
        want(reward_ids, rewards, o.id)

        return o
    end,

    r = function(text)
        local id = integer((unpack_struct('<I4', text, 2)))

        want(reward_ids, rewards, id)

        return { id = id }
    end
}

for i = 3, #ARGV do
    local kind = string.sub(ARGV[i], 1, 1)
    local o = parse[kind](ARGV[i])

    o.kind = kind
    ops[i - 2] = o
end


local function fetch(key, ids, rows, size, form)
    if #ids == 0 then
        return
    end

    local values = checked('HMGET', key, unpack(ids))

    for i = 1, #ids do
        local value = values[i]

        if value then
            if #value ~= size then
                foreign(key, ids[i])
            end

            rows[ids[i]] = { unpack_struct(form, value) }
        end
    end
end


-- a row's fourth is its data; the last seq may be that of the period before

local function fetch_rows(key, ids, rows)
    local values = checked('HMGET', key, unpack(ids))

    for i = 1, #ids do
        local value = values[i]

        if value then
            if #value < SCORE_SIZE then
                foreign(key, ids[i])
            end

            local row = { unpack_struct(SCORE, value) }

            row[4] = string.sub(value, SCORE_SIZE + 1)
            rows[ids[i]] = row
        end
    end
end


fetch(rewards_key, reward_ids, rewards, REWARD_SIZE, REWARD)
fetch(players_key, player_ids, players, PLAYER_SIZE, PLAYER)
fetch(claims_key, claim_ids, claims, CLAIM_SIZE, CLAIM)

for i = 1, nboards do
    local b = boards[i]

    if b.ids then
        fetch_rows(b.key, b.ids, b.have)
        b.count = checked('HLEN', b.key)
        b.was = b.count
        b.before = {}
        b.ends = begins(b.reset, b.period + 1)

        if b.reset ~= NEVER and b.claims == 0 then
            local new = {}

            for j = 1, #b.ids do
                if not b.have[b.ids[j]] then
                    new[#new + 1] = b.ids[j]
                end
            end

            if #new ~= 0 then
                fetch_rows(b.prefix .. integer(b.period - 1), new, b.before)
            end
        end
    end
end


--
-- decisions
--

local changes, results = {}, {}
local entry = log + 1                   -- if there are changes


local function change(text)
    changes[#changes + 1] = text
end


local function balance_of(balance, value)
    balance = balance + value

    return balance > LIMIT and LIMIT or balance < -LIMIT and -LIMIT or balance
end


local function player_changed(player, p)
    changed_players[player] = true
    change(pack('<c1ddddddI4i4Bc0', 'p', p[1], p[2], p[3], p[4], p[5], p[6],
                p[7], p[8], #player, player))
end


local function score_changed(b, player, row)
    b.changed[player] = true
    change(pack('<c1Bc0BBddddBc0I2c0', 's', #b.name, b.name, b.reset,
                b.claims, b.period, row[1], row[2], row[3], #player, player,
                #row[4], row[4]))
end


-- the score that comes of both; nil: a sum that is out of range

local function keeps(b, was, score, credit)
    if b.keep == MAX then
        return score > was and score or was
    elseif b.keep == MIN then
        return score < was and score or was
    elseif b.keep == LAST then
        return score
    end

    score = score + was

    if score <= LIMIT and score >= -LIMIT then
        return score
    end

    return credit and (score > 0 and LIMIT or -LIMIT) or nil
end


-- index: the op's, of which "reached" is made.  rc, result, score, ends

local function write(b, player, score, seq, data, credit, index)
    local row = b.have[player]
    local ends = b.ends

    if not row then
        local last = 0
        local before = not credit and b.before[player]

        if before then
            last = before[3]

            if seq ~= 0 and seq <= last then
                return OK, seq == last and SCORE_REPEAT or SCORE_STALE,
                       before[1], begins(b.reset, b.period)
            end
        end

        if b.count >= b.rows then
            return FULL, 0, 0, 0
        end

        b.count = b.count + 1
        row = { score, entry * 256 + index, seq ~= 0 and seq or last,
                data or '' }
        b.have[player] = row
        score_changed(b, player, row)

        return OK, IMPROVED, score, ends
    end

    if seq ~= 0 and seq <= row[3] then
        return OK, seq == row[3] and SCORE_REPEAT or SCORE_STALE, row[1], ends
    end

    local new = keeps(b, row[1], score, credit)

    if not new then
        return OK, OVERFLOW, row[1], ends
    end

    local moves = new ~= row[1]
    local renews = data and (moves or b.keep >= LAST)

    if moves or renews or seq ~= 0 then
        if moves then
            row[1] = new
            row[2] = entry * 256 + index
        end

        if seq ~= 0 then
            row[3] = seq
        end

        if renews then
            row[4] = data
        end

        score_changed(b, player, row)
    end

    return OK, moves and IMPROVED or KEPT, new, ends
end


local function far(o, r)
    if range < 0 then
        return false
    end

    return o[5] == 0
           or not (space_key(space, o[3], o[4], r[1], r[2]) <= range)
end


local function fast(o, p)
    if max_speed <= 0 then
        return false
    elseif o[5] == 0 then
        return true
    elseif not p or p[6] == 0 or p[6] > ms then
        return false
    end

    local since = (ms - p[6]) / 1000

    since = since < 1 and 1 or since

    return not (distance(space, space_key(space, p[4], p[5], o[3], o[4]))
                <= max_speed * since)
end


-- result, flouts

local function judge(o, r, p)
    local flouts = GRANTED

    if r[5] > seconds then
        return EARLY, GRANTED
    elseif r[6] ~= 0 and r[6] <= seconds then
        return EXPIRED, GRANTED
    elseif r[3] > o[2] then
        return LEVEL, GRANTED
    end

    if far(o, r) then
        flouts = FAR
    elseif fast(o, p) then
        flouts = FAST
    end

    if flouts ~= GRANTED and dry_run == 0 then
        return flouts, flouts
    end

    return r[8] >= r[7] and GONE or GRANTED, flouts
end


local function claim_result(rc, result, flouts, value, balance, last)
    return pack('<BBBi4ddB', rc, result, flouts, value, balance, version,
                last)
end


-- whether there is room for one more

local function room_for_player()
    nplayers = nplayers or checked('HLEN', players_key)

    return nplayers < max_players
end


local function room_for_reward()
    nrewards = nrewards or checked('HLEN', rewards_key)

    return nrewards < max_rewards
end


-- and on all boards that claims are added to

local function room(player)
    for i = 1, #credited do
        local b = credited[i]

        if not b.have[player] and b.count >= b.rows then
            return false
        end
    end

    return true
end


local function claim(o, index)
    local player = o.player

    if not o.id then
        return claim_result(INVALID, 0, 0, 0, 0, 0)
    elseif max_claims == 0 then
        return claim_result(FULL, 0, 0, 0, 0, 0)
    end

    local r, p, c = rewards[o.id], players[player], claims[o.claim]

    if c and (not r or c[1] == r[9]) then
        return claim_result(OK, REPEAT, GRANTED, c[3], c[4], 0)
    elseif not r then
        return claim_result(OK, UNKNOWN, GRANTED, 0, 0, 0)
    end

    local result, flouts = judge(o, r, p)

    if result ~= GRANTED then
        return claim_result(OK, result, flouts, 0, 0, 0)
    end

    if claims_ever >= max_claims or not p and not room_for_player()
       or not room(player)
    then
        return claim_result(FULL, 0, 0, 0, 0, 0)
    end

    if not p then
        p = { 0, 0, 0, 0, 0, 0, 0, 0 }
        players[player] = p
        nplayers = nplayers + 1
    end

    local value, ordinal = r[4], r[8] + 1
    local last = ordinal == r[7] and 1 or 0

    p[1] = balance_of(p[1], value)

    if o[5] ~= 0 then
        p[4], p[5], p[6] = o[3], o[4], ms
    end

    claims_ever = claims_ever + 1
    claims[o.claim] = { r[9], ordinal, value, p[1], ms }
    changed_claims[o.claim] = true
    r[8] = ordinal
    changed_rewards[o.id] = true

    change(pack('<c1I4I4I4i4ddBc0', 'c', o[1], r[9], ordinal, value, p[1], ms,
                #player, player))
    player_changed(player, p)

    if last == 1 then
        version = version + 1
        change(pack('<c1I4', 'L', o[1]))
    end

    for i = 1, #credited do
        write(credited[i], player, value, 0, false, true, index)
    end

    return claim_result(OK, GRANTED, flouts, value, p[1], last)
end


local function tap_result(rc, result, coin, value, balance, wait)
    return pack('<BBI4i4dd', rc, result, coin, value, balance, wait)
end


-- when the next tap is due after this one, or nil and how long to wait

local function pace(paced)
    if interval == 0 then
        return paced
    end

    local early = interval * burst

    early = early < EARLIEST and early or EARLIEST

    local due = paced > now and paced or now

    if due - now > early + interval + SLACK then
        due = now + early
    end

    if due - now > early then
        return nil, due - now - early
    end

    return due + interval
end


local function tap(o)
    local player, seq, coin, value = o.player, o[1], o[2], o[3]

    if player == '' or #player > 40 then
        return tap_result(INVALID, 0, 0, 0, 0, 0)
    end

    local p = players[player]

    if not p then
        if not room_for_player() then
            return tap_result(FULL, 0, 0, 0, 0, 0)
        end

        p = { 0, 0, 0, 0, 0, 0, 0, 0 }
        nplayers = nplayers + 1
        players[player] = p
    end

    if seq ~= 0 and seq == p[2] then
        return tap_result(OK, TAP_REPEAT, p[7], p[8], p[1], 0)
    elseif seq ~= 0 and seq < p[2] then
        return tap_result(OK, TAP_STALE, 0, 0, p[1], 0)
    end

    local paced, wait = pace(p[3])

    if not paced then
        return tap_result(OK, TAP_LIMITED, 0, 0, p[1], wait)
    end

    p[1] = balance_of(p[1], value)
    p[3] = paced

    if seq ~= 0 then
        p[2], p[7], p[8] = seq, coin, value
    end

    player_changed(player, p)

    return tap_result(OK, TAP_GRANTED, coin, value, p[1], 0)
end


local function score(o, index)
    local b, player, data = o.board, o.player, o.data
    local rc, result, value, ends = INVALID, 0, 0, 0

    if b.claims == 0 and player ~= '' and #player <= 40
       and o.score <= LIMIT and o.score >= -LIMIT
       and (not data or #data <= b.data)
    then
        rc, result, value, ends = write(b, player, o.score, o.seq, data,
                                        false, index)
    end

    return pack('<BBdd', rc, result, value, ends)
end


local function unscore(o, index)
    local b, player = o.board, o.player

    if player == '' or #player > 40 or not b.have[player] then
        return pack('<B', NOTFOUND)
    end

    b.have[player] = false
    b.count = b.count - 1
    b.changed[player] = true

    -- the seq of the period before is the player's last again

    if b.reset ~= NEVER and b.claims == 0 then
        fetch_rows(b.prefix .. integer(b.period - 1), { player }, b.before)
    end

    change(pack('<c1Bc0BBddBc0', 'u', #b.name, b.name, b.reset, b.claims,
                b.period, entry * 256 + index, #player, player))

    return pack('<B', OK)
end


-- zeros lose their sign

local function put(o)
    local was = rewards[o.id]

    if o[1] == 0 then
        return pack('<Bd', INVALID, 0)
    end

    if not was then
        if not room_for_reward() then
            return pack('<Bd', FULL, 0)
        end

        nrewards = nrewards + 1
        born = (born + 1) % 4294967296
    end

    local r = { o[2] + 0, o[3] + 0, o[4] + 0, o[5], o[6], o[7], o[8],
                was and was[8] or 0, was and was[9] or born }

    version = version + 1
    rewards[o.id] = r
    changed_rewards[o.id] = true
    change(pack('<c1I4dddi4I4I4I4I4', 'P', o[1], r[1], r[2], r[3], r[4], r[5],
                r[6], r[7], r[9]))

    return pack('<Bd', OK, version)
end


local function remove(o)
    if not rewards[o.id] then
        return pack('<Bd', NOTFOUND, 0)
    end

    version = version + 1
    nrewards = (nrewards or checked('HLEN', rewards_key)) - 1
    rewards[o.id] = false
    changed_rewards[o.id] = true
    change(pack('<c1I4', 'D', tonumber(o.id)))

    return pack('<Bd', OK, version)
end


local decide = { c = claim, t = tap, s = score, u = unscore, p = put,
                 r = remove }

for i = 1, #ops do
    results[i] = decide[ops[i].kind](ops[i], i - 1)
end


--
-- storing
--

-- A script is not undone: one without the right to the second command would
-- leave what the first has written.  So all are known before there is one.

local writes = {}


local function will(...)
    writes[#writes + 1] = { ... }
end


local function store(key, changed, rows, form)
    local set, del = { 'HSET', key }, { 'HDEL', key }

    for id in pairs(changed) do
        local row = rows[id]

        if row then
            set[#set + 1] = id
            set[#set + 1] = form == SCORE
                            and pack(SCORE, row[1], row[2], row[3]) .. row[4]
                            or pack(form, unpack(row))
        else
            del[#del + 1] = id
        end
    end

    if #set ~= 2 then
        writes[#writes + 1] = set
    end

    if #del ~= 2 then
        writes[#writes + 1] = del
    end

    return #set ~= 2
end

if #changes ~= 0 then
    local id = integer(entry)

    log = entry

    will('XADD', trove .. ':log', 'MAXLEN', '~', max_log, id .. '-0',
         'v', meta[5], 'o', session .. ':' .. integer(number),
         'd', table.concat(changes))

    will('HSET', trove, 'log', id, 'version', integer(version),
         'born', integer(born), 'claims', integer(claims_ever))

    store(rewards_key, changed_rewards, rewards, REWARD)
    store(players_key, changed_players, players, PLAYER)
    store(claims_key, changed_claims, claims, CLAIM)

    for i = 1, nboards do
        local b = boards[i]

        -- a period is looked at until the next one is over

        if b.ids and store(b.key, b.changed, b.have, SCORE)
           and b.reset ~= NEVER and b.was == 0
        then
            will('PEXPIREAT', b.key,
                 integer((begins(b.reset, b.period + 2) + DAY) * 1000))
        end
    end
end

local answer = pack('<dd', log, now) .. table.concat(results)

-- what has changed nothing may be decided anew

if session ~= '' then
    local set = { 'HSET', sessions }

    if #changes ~= 0 then
        set[#set + 1] = slot
        set[#set + 1] = pack('<d', number) .. answer
    end

    local due = not touched or touched + 60 < seconds or touched > seconds

    if due then
        set[#set + 1] = 'at'
        set[#set + 1] = integer(seconds)
    end

    if #set ~= 2 then
        writes[#writes + 1] = set
    end

    if due or waits and #changes == 0 then
        will('EXPIRE', sessions, KEPT_FOR)
    end
end

for i = 1, #writes do
    local command, key = writes[i][1], writes[i][2]

    if not redis.acl_check_cmd(command, key) then
        fail('NOPERM the user may not ' .. command .. ' (' .. key .. ')')
    end
end

for i = 1, #writes do
    checked(unpack(writes[i]))
end

return answer
