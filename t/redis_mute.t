#!/usr/bin/perl

# The breaker is open though there is a connection, and Redis does not answer
# when it is looked whether it may be closed: it is looked again, and it is
# closed once there is an answer.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $proxy = Trove::Proxy->start($redis->port);
my $url = 'redis://127.0.0.1:' . $proxy->port;
my $t = Trove::Nginx->start(workers => 1, http => <<"HTTP",
    trove hunt {
        capacity rewards=100 players=100;
        store    $url timeout=300ms;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

sub figure { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }
sub tap { return $t->request(tap_of('anna'))->{status} }

wait_until { $t->get('/poll?x=0&y=0')->{status} == 200 };
is(tap(), 200, 'it is there');

# A player's row of another type is an error that the connection outlives

my $key = 'trove:{hunt}:players';

$redis->command('RENAME', $key, 'aside');
$redis->command('SET', $key, 'x');

ok(wait_until(sub { tap() == 503 && figure('breaker_state') }), 'it is open');

$proxy->set(mute => 1);

my $looked = figure('breaker_half_opened');

ok(wait_until(sub { tap(); figure('breaker_half_opened') > $looked + 2 }),
   'it is looked again and again');

$redis->command('RENAME', 'aside', $key);
$proxy->set(mute => 0);

ok(wait_until(sub { tap() == 200 }), 'it takes writes again');
is(figure('breaker_state'), 0, 'and is closed');

done_testing();
