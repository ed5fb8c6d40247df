#!/usr/bin/perl

# A name has an IPv6 address first, and Redis listens at the IPv4 one only, as
# "localhost" often is: the workers are where the follower is.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


# What else is preloaded comes before the sanitizers, which they do not like

plan skip_all => 'sanitized'
    if ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';

my $dir = tempdir('trove-names-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0755, $dir;

open my $f, '>', "$dir/names.c" or die "names.c: $!\n";
print $f <<'END';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

typedef int (*names_pt)(const char *, const char *, const struct addrinfo *,
                        struct addrinfo **);

int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    names_pt  names;

    names = (names_pt) dlsym(RTLD_NEXT, "getaddrinfo");

    if (name && strcmp(name, "localhost") == 0
        && (hints == NULL || hints->ai_family != AF_INET))
    {
        name = "::1";
    }

    return names(name, service, hints, res);
}
END
close $f or die "names.c: $!\n";

system('gcc', '-shared', '-fPIC', '-o', "$dir/names.so", "$dir/names.c", '-ldl')
    == 0 or die "gcc failed\n";

my $redis = Trove::Redis->start;
my $port = $redis->port;
my $t = Trove::Nginx->start(workers => 1,
                            env => { LD_PRELOAD => "$dir/names.so" },
                            http => <<"HTTP", server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=100 players=100;
        store    redis://localhost:$port;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP

ok(wait_until { $t->get('/poll?x=0&y=0')->{status} == 200 }, 'it is followed');
ok(wait_until { $t->request(tap_of('anna'))->{status} == 200 },
   'and takes writes');

done_testing();
