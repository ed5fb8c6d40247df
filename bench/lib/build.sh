# What bench/run and bench/soak, which source this file (bash), build and
# fetch.

. "$(dirname "${BASH_SOURCE[0]}")/../../conf/build.sh"

# what distributions build nginx's modules with

OPT="-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2"

PLACES=$BUILD/bench/places.ndjson


build_bench() {
    mkdir -p "$BUILD/bench"

    build_programs bench gcc "$OPT" \
        "-lyajl -lmimalloc -lsqlite3 -lhiredis -lm -lpthread" \
        "$ROOT"/bench/*.c
}


# What places() needs

places_packages() {
    command -v npm >/dev/null || echo npm
    command -v node >/dev/null || echo nodejs
}


# All places of GeoNames, fetched once

places() {
    [ -s "$PLACES" ] && return

    echo "fetching the places of GeoNames (www.geonames.org, CC-BY 4.0)"
    "$ROOT/conf/cities" --all >"$PLACES.new" && mv "$PLACES.new" "$PLACES"
}
