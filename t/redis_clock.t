#!/usr/bin/perl

# The clock of Redis is set forward: calls come too late by what workers know
# of it, until each knows the new time, though it is one that has looked for all
# whether Redis is well.

use strict;
use warnings;

use FindBin;
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Machines;
use Trove::Nginx;
use Trove::Redis;


# Redis asks for the time by a function that adds what a file has

my $dir = tempdir('trove-clock-XXXXXX', TMPDIR => 1, CLEANUP => 1);

open my $ahead, '+>', "$dir/ahead" or die "ahead: $!\n";

sub ahead {
    sysseek $ahead, 0, 0 or die "seek: $!\n";
    syswrite $ahead, pack 'q<', $_[0];
}

ahead(0);

open my $source, '>', "$dir/clock.c" or die "clock.c: $!\n";
print $source <<'END';
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec            ts;
    static volatile long long  *ahead;

    if (ahead == NULL) {
        ahead = mmap(NULL, 8, PROT_READ, MAP_SHARED,
                     open(getenv("TROVE_CLOCK"), O_RDONLY), 0);
    }

    clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec + *ahead;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}
END
close $source;

system('cc', '-shared', '-fPIC', '-o', "$dir/clock.so", "$dir/clock.c") == 0
    or die "cc failed\n";

my $redis = do {
    local $ENV{LD_PRELOAD} = "$dir/clock.so";
    local $ENV{TROVE_CLOCK} = "$dir/ahead";

    Trove::Redis->start;
};

my $t = Trove::Nginx->start(machine_conf(url => $redis->url),
                            listen => 'reuseport');

$t->wait_ok('/poll?x=0&y=0');

my ($one, $other) = values %{ $t->clients };

sub tap {
    my $c = shift;

    return $c->request('POST', '/tap',
                       { 'Content-Type' => 'application/json' },
                       '{"player":"p"}')->{status};
}

for my $c ($one, $other) {
    ok(wait_until(sub { tap($c) == 200 }), 'taps');
}


ahead(3600);

ok(wait_until(sub { $redis->command('TIME')->[0] > time + 1800 }),
   'it is an hour later');
ok(wait_until(sub { tap($one) == 200 }), 'one finds out');

my @other;

ok(wait_until(sub {
       push @other, tap($other);
       tap($one);
       return $other[-1] == 200;
   }), 'the other as well') or diag(scalar @other);

done_testing;
