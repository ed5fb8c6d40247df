#!/usr/bin/perl

# Redis has forgotten a worker's session, and says so when that looks whether
# the breaker can be closed, while calls are under way: what became of these
# cannot be told, and the worker goes on with a new one.

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
        capacity rewards=100 players=1k;
        store    $url timeout=8s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my ($worker) = $t->workers;

sub figure { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }
sub tap { return $t->request(tap_of('anna'))->{status} }
sub entries { return $redis->command(qw(XLEN trove:{hunt}:log)) }

ok(wait_until(sub { tap() == 200 }), 'it is there');

my ($session) = @{ $redis->command('KEYS', 'trove:{hunt}:s:*') };

ok($session, 'and has a session');


# Two calls that are carried out, their answers on the way

$proxy->set(replies => 1);

my @first = map {
    my $c = $t->client;
    my $entries = entries();

    $c->send_request(tap_of('ben'));
    ok(wait_until(sub { entries() > $entries }), 'carried out');
    $c;
} 1, 2;


# More than may wait: the breaker is open, and the worker looks

$proxy->set(requests => 1);
is($redis->command('DEL', $session), 1, 'the session is forgotten');

my @crowd = map { $t->client } 1 .. 100;

my @batch = batch_of('/tap', ({ player => 'crowd' }) x 105);

$batch[2]{Connection} = 'close';
$_->send_request(@batch) for @crowd;
ok(wait_until(sub { figure('breaker_half_opened') }), 'it looks');


# The answers arrive, so that the next calls leave behind the look

my $calls = figure('store_calls');

$proxy->set(replies => 0);
ok(wait_until(sub { figure('store_calls') == $calls + 2 }), 'the next calls');

$proxy->set(requests => 0);
like($_->response->{body}, qr/"coin"/, 'an answer') for @first;

my ($answered, $refused, $granted) = (0, 0, 0);

for my $c (@crowd) {
    my $rest = $c->rest;

    $answered += (() = $rest =~ /^\{/mg) == 105;
    $refused += $rest =~ m{^HTTP/1.1 503 } ? 1 : 0;
    $granted += () = $rest =~ /^\{"coin/mg;
}

is($answered + $refused, 100, 'each has its answers');
ok(wait_until(sub { tap() == 200 }), 'it goes on');
cmp_ok($t->get_json('/tap?player=crowd')->{balance} // 0, '>=', $granted,
       'what was granted is there');
is(figure('breaker_state'), 0, 'and the breaker is closed');
is_deeply([ $t->workers ], [ $worker ], 'in the same worker');

done_testing();
