#!/usr/bin/perl

# The connection of a worker to Redis: by name, by socket, with a user; it is
# made again as often as it is lost, with nothing left of the one before; the
# script, the session and replicas.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


sub conf {
    my $store = shift;

    return (workers => 1, http => <<"HTTP", server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=1k players=1k;
        store    $store;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
}

sub loaded {
    my $t = shift;

    return ok(wait_until(sub { $t->get('/poll?x=0&y=0')->{status} == 200 }),
              'it is loaded');
}

sub tap {
    my $t = shift;

    return $t->request(tap_of('anna', @_));
}


# By a name, by a socket; with a password, a user, a database

my $redis = Trove::Redis->start;
my $port = $redis->port;
my $socket = $redis->socket;

$redis->command(qw(ACL SETUSER hunter on >s:crt allkeys allcommands));

for my $store ("redis://localhost:$port",
               "redis://hunter:s%3Acrt\@127.0.0.1:$port/3",
               "redis://unix:$socket",
               "redis://hunter:s%3Acrt\@unix:$socket:/5")
{
    my $t = Trove::Nginx->start(conf($store));

    loaded($t);
    is(tap($t)->{json}{balance}, 1, $store);
    $redis->command('FLUSHALL');
    $t->stop;
}

my ($passed, $said) = Trove::Nginx->check(
    conf('redis://no-such-host.invalid:6379'));

ok(!$passed, 'a name that there is not');
like($said,
     qr/the host "no-such-host\.invalid" of the store of trove "hunt" is/,
     'is refused');


# Lost many times

$redis = Trove::Redis->start;

my $t = Trove::Nginx->start(conf($redis->url . ' timeout=2s'));
my ($worker) = $t->workers;

sub stat_of { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }
sub files { return scalar(() = glob "/proc/$worker/fd/*") }

loaded($t);
is(tap($t, seq => 1)->{json}{balance}, 1, 'it is there');

# Each tap is asked for while the connection is killed, and counts once

my $taps = 1;

# the sanitizers keep what is freed for a while

my $bound = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized' ? 64 << 20
                                                             : 4 << 20;

sub lose {
    my $n = shift;
    my $refused = 0;

    open my $cli, '|-', join(' ', $redis->cli) . ' > /dev/null' or die "$!\n";
    $cli->autoflush;

    for (1 .. $n) {
        print $cli "CLIENT KILL TYPE normal SKIPME yes\n";
        $taps++;

        wait_until { tap($t, seq => $taps)->{status} == 200 } and next;
        $refused++;
    }

    close $cli;

    return $refused;
}

is(lose(50), 0, 'lost fifty times');

my ($files, $memory) = (files(), $t->resident($worker));
my $opens = stat_of('store_opens');

# however many of these fall together, for who is to lose it is slow

my ($rounds, $refused) = (0, 0);

while (stat_of('store_opens') < $opens + 200 && !$refused && $rounds++ < 50) {
    $refused += lose(50);
}

cmp_ok(stat_of('store_opens') - $opens, '>=', 200, 'and hundreds of times');
is($refused, 0, 'and no tap was refused');

is(tap($t, seq => $taps)->{json}{balance}, $taps, 'each tap counts once');
cmp_ok(files(), '<', $files + 10, 'with as many descriptors');
cmp_ok($t->resident($worker) - $memory, '<', $bound, 'and as much memory');


# Lost while nothing is asked for: that is no failure of the store

for (1 .. 6) {
    $opens = stat_of('store_opens');
    $redis->command(qw(CLIENT KILL TYPE normal));
    wait_until { stat_of('store_opens') >= $opens + 2 };
}

is(stat_of('breaker_opened'), 0, 'idle connections may be lost');


# The script is not there any more, or the session

my $missed = 0;

for (1 .. 20) {
    $redis->command(qw(SCRIPT FLUSH));
    $missed += (tap($t, seq => ++$taps)->{json}{balance} // 0) != $taps;

    $redis->command('DEL', @{ $redis->command('KEYS', 'trove:{hunt}:s:*') });
    $missed += (tap($t, seq => ++$taps)->{json}{balance} // 0) != $taps;

    $redis->command('DEL', @{ $redis->command('KEYS', 'trove:{hunt}:s:*') });
    $redis->command(qw(CLIENT KILL TYPE normal));
    $missed += (tap($t, seq => ++$taps)->{json}{balance} // 0) != $taps;
}

is($missed, 0, 'neither script nor session are missed');


# Where the answer needs a replica

$t->stop;

my $copy = Trove::Redis->start;

$t = Trove::Nginx->start(conf($redis->url . ' replicas=1 timeout=500ms'));
loaded($t);
is(tap($t)->{status}, 503, 'without a replica no answer');
like($t->log, qr/too few replicas/, 'which the log tells')
    if wait_until(sub { tap($t)->{status} == 503 && stat_of('breaker_state') });

$copy->command('REPLICAOF', '127.0.0.1', $redis->port);
ok(wait_until(sub { tap($t)->{status} == 200 }), 'with one there is');

done_testing();
