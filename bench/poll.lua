-- Polls answered by Lua in nginx, the way one would do it well: a grid of the
-- places, chords to leave out what is too far, haversines for the others.  The
-- cells are bytes in a shared dictionary, which every worker sees, or each
-- worker's own memory, which no other can change.

local ffi = require "ffi"

local abs, asin, cos, floor, rad, sin, sqrt =
    math.abs, math.asin, math.cos, math.floor, math.rad, math.sin, math.sqrt

ffi.cdef [[
    typedef struct { double x, y, v1, v2, v3; int32_t id; } trove_place_t;
]]

local RADIUS = 6371008.8
local CELLS = 2                         -- a degree
local COLUMNS = 360 * CELLS
local SIZE = ffi.sizeof "trove_place_t"

local places_p = ffi.typeof "const trove_place_t *"
local places_t = ffi.typeof "trove_place_t[?]"

local own = {}                          -- cell -> { places, n }

local M = {}


local function column(x)
    return floor((x + 180) * CELLS) % COLUMNS
end


local function row(y)
    return floor((y + 90) * CELLS)
end


local function vector(x, y)
    return cos(rad(y)) * cos(rad(x)), cos(rad(y)) * sin(rad(x)), sin(rad(y))
end


function M.load(file, dict)
    local cells = {}

    for line in io.lines(file) do
        local id, x, y = line:match '"id":(%d+),"x":([^,]+),"y":([^,]+)'
        x, y = tonumber(x), tonumber(y)
        local key = row(y) * COLUMNS + column(x)
        local cell = cells[key] or {}

        local v1, v2, v3 = vector(x, y)

        cell[#cell + 1] = { x, y, v1, v2, v3, tonumber(id) }
        cells[key] = cell
    end

    for key, cell in pairs(cells) do
        local places = places_t(#cell, cell)

        own[key] = { places, #cell }
        assert(dict:safe_set(key, ffi.string(places, #cell * SIZE)))
    end
end


-- how far around "x" a circle reaches, in degrees

local function width(y, r)
    local s = sin(r / RADIUS) / cos(rad(y))

    if abs(y) + math.deg(r / RADIUS) >= 90 or s >= 1 then
        return 180
    end

    return math.deg(asin(s))
end


function M.poll(dict)
    local args = ngx.req.get_uri_args()
    local x, y, r = tonumber(args.x), tonumber(args.y), tonumber(args.r)

    if not (x and y and r) then
        return ngx.exit(400)
    end

    local half = sin(r / (2 * RADIUS))
    local edge = half * half
    local high = math.deg(r / RADIUS)
    local wide = width(y, r)
    local cosy = cos(rad(y))
    local v1, v2, v3 = vector(x, y)
    local far = 4 * edge + 1e-12
    local first, last = floor((x - wide + 180) * CELLS),
                        floor((x + wide + 180) * CELLS)
    local found = 0
    local k1, k2, k3 = 2, 2, 2          -- the haversines of the nearest
    local i1, i2, i3 = 0, 0, 0

    if last - first >= COLUMNS then
        last = first + COLUMNS - 1
    end

    for j = row(y - high), row(y + high) do
        for i = first, last do
            local key = j * COLUMNS + i % COLUMNS
            local places, n = nil, 0

            if dict then
                local bytes = dict:get(key)

                if bytes then
                    places, n = ffi.cast(places_p, bytes), #bytes / SIZE
                end

            else
                local cell = own[key]

                if cell then
                    places, n = cell[1], cell[2]
                end
            end

            for p = 0, n - 1 do
                local place = places[p]
                local d1, d2, d3 = place.v1 - v1, place.v2 - v2, place.v3 - v3
                local h = 2

                if d1 * d1 + d2 * d2 + d3 * d3 <= far then
                    local s1 = sin(rad(place.y - y) / 2)
                    local s2 = sin(rad(place.x - x) / 2)

                    h = s1 * s1 + cosy * cos(rad(place.y)) * (s2 * s2)
                end

                if h <= edge then
                    local id = place.id

                    found = found + 1

                    if h < k1 or (h == k1 and id < i1) then
                        k1, k2, k3, i1, i2, i3 = h, k1, k2, id, i1, i2
                    elseif h < k2 or (h == k2 and id < i2) then
                        k2, k3, i2, i3 = h, k2, id, i2
                    elseif h < k3 or (h == k3 and id < i3) then
                        k3, i3 = h, id
                    end
                end
            end
        end
    end

    local list = found == 0 and "" or found == 1 and i1
                 or found == 2 and i1 .. "," .. i2
                 or i1 .. "," .. i2 .. "," .. i3
    local text = '{"version":0,"found":' .. found .. ',"rewards":[' .. list
                 .. "]}"

    ngx.header["Content-Length"] = #text
    ngx.print(text)
end


return M
