# Installing and building, for conf/demo, t/run and bench/run, which source
# this file (bash).  Everything that is made goes to $BUILD.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${TROVE_BUILD:-$ROOT/.build}
NGINX_DEV=/usr/share/nginx/src

BUILD_PACKAGES="gcc libc6-dev make nginx nginx-dev libyajl-dev libmimalloc-dev
    libsqlite3-dev libhiredis-dev"

unset CFLAGS CC CPP
export LC_ALL=C


die() {
    echo "${0##*/}: $*" >&2
    exit 1
}


# nginx's configure would only say that there is no compiler

case $ROOT$BUILD in
*[[:space:]]*)
    die "nginx cannot be built in a path with a space: $ROOT, $BUILD"
    ;;
esac


as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "to install packages, run this as root or install sudo"
    fi
}


# logged NAME COMMAND...: its output is shown only if it fails

logged() {
    local log=$BUILD/log/$1

    shift
    mkdir -p "$BUILD/log"

    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        echo "failed: $* (all of it is in $log)" >&2
        return 1
    fi
}


# need PACKAGE...: installs those that are missing.  Services do not start.

need() {
    local missing package

    missing=

    for package; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null \
            | grep -qx installed || missing="$missing $package"
    done

    if [ -n "$missing" ]; then
        echo "installing$missing"
        logged install install_quietly $missing
    fi
}


install_quietly() (
    policy=/usr/sbin/policy-rc.d
    apt="env DEBIAN_FRONTEND=noninteractive apt-get -y"
    apt="$apt --no-install-recommends -o DPkg::Lock::Timeout=300"

    if [ ! -e $policy ]; then
        trap 'as_root rm -f $policy' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy
        as_root chmod 755 $policy
    fi

    as_root $apt install "$@" && exit

    # the lists are missing or old

    as_root $apt update && as_root $apt install "$@"
)


# configured DIR WORD...: whether DIR was configured from the same words, the
# same config script, the same set of sources and the same tools

configured() {
    local dir=$1

    mkdir -p "$dir"

    {
        printf '%s\n' "$@" "${TROVE_ALLOCATOR:-}" "${TROVE_CHARTS:-}" \
            "${TROVE_PROBES:-}"
        cat "$ROOT/config" "$ROOT/conf/build.sh" "$ROOT"/src/page/* \
            "$ROOT/src/store/build" "$ROOT"/src/store/*.lua
        command -v npm || true
        ls "$ROOT"/src/*/*.[ch]
        dpkg-query -W nginx nginx-dev gcc clang systemtap-sdt-dev \
            2>/dev/null || true
    } >"$dir/.stamp.$$"

    cmp -s "$dir/.stamp.$$" "$dir/.stamp" && rm "$dir/.stamp.$$"
}


# strict MAKEFILE [FLAGS]: more flags for our sources than nginx's own bear.
# nginx's headers test macros that are not defined: to -Wundef they are the
# system's.

strict() {
    local dir=${1%/*}

    cat >>"$1" <<END

$dir/addon/%.o: CFLAGS += -Wundef -Wmissing-prototypes -Wextra \
	-Wno-unused-parameter ${2:-}
$dir/addon/nginx/%.o: CFLAGS += \
	\$(addprefix -isystem ,\$(filter-out -I $ROOT/src/%,\$(ALL_INCS)))
END
}


# build_module NAME CC [FLAGS]: a dynamic module for Debian's nginx,
# $BUILD/NAME/ngx_http_trove_module.so, with more flags for our sources.  With
# TROVE_ALLOCATOR of another one than mimalloc, see config.

build_module() {
    local dir=$BUILD/$1 cc=$2

    if ! configured "$dir" "${@:2}"; then
        logged "$1.configure" configure_module "$dir" "${@:2}" || return 1
        mv "$dir/.stamp.$$" "$dir/.stamp"
    fi

    logged "$1.make" make -s -C $NGINX_DEV -f "$dir/Makefile" -j"$(nproc)" \
        modules
}


configure_module() (
    . $NGINX_DEV/conf_flags

    cd $NGINX_DEV && ./configure "${NGX_CONF_FLAGS[@]}" \
        --with-cc="$2" \
        --with-cc-opt="-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2" \
        --with-ld-opt="-Wl,-z,relro -Wl,-z,now" \
        --builddir="$1" --add-dynamic-module="$ROOT" \
        && strict "$1/Makefile" "${3:-}"
)


# build_nginx NAME CC CC_OPT LD_OPT OUR_OPT: nginx with the module in it,
# $BUILD/NAME/nginx, from Debian's source package

build_nginx() {
    local dir=$BUILD/$1 source

    source=$(ls -d "$BUILD"/source/nginx-*/ 2>/dev/null) \
        || die "call nginx_source first"

    if ! configured "$dir" "$source" "${@:2}"; then
        logged "$1.configure" configure_nginx "$source" "$dir" "${@:2}" \
            || return 1
        mv "$dir/.stamp.$$" "$dir/.stamp"
    fi

    logged "$1.make" make -s -C "$source" -f "$dir/Makefile" -j"$(nproc)" binary
}


configure_nginx() (
    # the checks' programs free nothing

    export ASAN_OPTIONS=detect_leaks=0

    cd "$1" && ./configure --prefix=/nonexistent \
        --error-log-path=stderr \
        --with-http_ssl_module --with-http_v2_module \
        --with-http_stub_status_module --with-http_realip_module \
        --with-http_auth_request_module --without-http_fastcgi_module \
        --without-http_uwsgi_module --without-http_scgi_module \
        --without-http_grpc_module --without-http_memcached_module \
        --without-http_ssi_module --without-http_userid_module \
        --without-http_autoindex_module --without-http_browser_module \
        --without-http_empty_gif_module \
        --with-cc="$3" --with-cc-opt="$4" --with-ld-opt="$5" \
        --builddir="$2" --add-module="$ROOT" \
        && strict "$2/Makefile" "$6"
)


# nginx_source: Debian's nginx, patched, in $BUILD/source/nginx-*/; of the
# version that is installed if the archive still has it, else of the newest
# that it has: for a while it may name one whose files are not there yet

nginx_source() {
    if ! ls -d "$BUILD"/source/nginx-*/ >/dev/null 2>&1; then
        echo "fetching the source package of nginx"
        logged source fetch_source
    fi
}


fetch_source() (
    dir=$BUILD/source
    installed=$(dpkg-query -W -f '${source:Version}' nginx)
    options="-o Dir::Etc::SourceList=$dir/sources.list
        -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists=$dir/lists -o Dir::Cache=$dir/cache
        -o APT::Sandbox::User=$(id -un)"

    rm -rf "$dir"
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    cd "$dir" || exit

    source_list >sources.list

    if [ ! -s sources.list ]; then
        as_root apt-get update
        source_list >sources.list
    fi

    apt-get $options update || exit

    for version in "$installed" $(apt-cache $options showsrc nginx \
        | sed -n 's/^Version: //p')
    do
        rm -f nginx_*
        apt-get $options source --download-only "nginx=$version" && break
    done

    # the folder gets its name when it is whole

    dpkg-source --no-check -x nginx_*.dsc unpacked || exit
    mv unpacked "nginx-$(sed -n 's/^Version: \([^-]*\).*/\1/p' nginx_*.dsc)"
)


# where this machine's packages come from, their sources come from too

source_list() {
    apt-get indextargets --format \
        'deb-src [signed-by=KEYS] $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' \
        | sed "s|KEYS|/usr/share/keyrings/debian-archive-keyring.gpg|" \
        | sort -u
}


# build_programs NAME CC OPT LIBS SOURCE...: C programs over the core and the
# store alone, $BUILD/NAME/SOURCE without its suffix.  PROGRAM in the
# environment: options for the programs and not for what they are linked with.

build_programs() {
    local name=$1 dir=$BUILD/$1 cc=$2 opt=$3 libs=$4

    shift 4
    mkdir -p "$dir"

    printf '%s\n' "$cc" "$opt" "$libs" "${PROGRAM:-}" >"$dir/.stamp.$$"
    cat "$ROOT/t/lib/core.mk" >>"$dir/.stamp.$$"
    ls "$ROOT"/src/{core,store}/*.[ch] >>"$dir/.stamp.$$"

    if ! cmp -s "$dir/.stamp.$$" "$dir/.stamp"; then
        rm -rf "${dir:?}"/{core,store}/*.o
        mv "$dir/.stamp.$$" "$dir/.stamp"
    else
        rm "$dir/.stamp.$$"
    fi

    logged "$name.make" make -s -f "$ROOT/t/lib/core.mk" -j"$(nproc)" \
        ROOT="$ROOT" OUT="$dir" SOURCES="$*" CC="$cc" OPT="$opt" \
        PROGRAM="${PROGRAM:-}" LIBS="$libs"
}
