#!/usr/bin/perl

# The connection by which writes are queued: replies that are late or lost, a
# reload and clients that go meanwhile, Redis away, and what is wrong with it.
# Whatever was answered 202 waits once.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start(append => 1);
my $proxy = Trove::Proxy->start($redis->port);
my $url = 'redis://127.0.0.1:' . $proxy->port;

my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<"HTTP", server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=1 players=1;
        coin     one value=1 weight=1;
        overflow $url timeout=2s;
        %%SIMD%%
    }
HTTP

my ($c) = values %{ $t->clients };
my $next = 1;
my $accepted = 0;

sub stats { return $t->get_json('/stats')->{troves}{hunt} }
sub queued { return $redis->command('XLEN', 'trove:{hunt}:overflow:rewards') }

sub body {
    $next++;

    return "{\"id\":$next,\"x\":1,\"y\":1}";
}

sub put {
    my $by = shift // $c;
    my $res = $by->request(POST => '/rewards', {}, body());

    $accepted++ if $res->{status} == 202;

    return $res;
}

sub recovers {
    my $why = shift;

    for my $by (values %{ $t->clients }) {
        ok(wait_until { put($by)->{status} == 202 }, $why);
    }
}

sub refused {
    my ($why, $detail) = @_;
    my $res = put();

    is($res->{status}, 503, $why);
    is($res->{headers}{'retry-after'}, 1, 'until later');
    like($res->{json}{detail}, $detail, 'as is said');
}

ok(wait_until { stats()->{overflow_up} == 1 }, 'the queues are looked after');
is($t->post('/rewards', '{"id":1,"x":1,"y":1}')->{status}, 200, 'one reward');
is($t->request(tap_of('a'))->{status}, 200, 'one player');
is(put()->{status}, 202, 'no more');


# A reply that is lost with its connection is asked for again by its number

$proxy->set(mute => 1);
$c->send_request(POST => '/rewards', {}, body());
ok(wait_until { queued() == 2 }, 'it is queued, and the reply is lost');
$proxy->well;
is($c->response->{status}, 202, 'it is asked for again');
$accepted++;
is(queued(), 2, 'and was queued once');
recovers('all workers are well');
is(queued(), $accepted, 'so many wait');

# One that does not come in time

$proxy->set(mute => 1);
my $start = time;
refused('no reply', qr/not answered in time: it may have been queued/);
cmp_ok(time - $start, '<', 5, 'in time');
ok(wait_until { queued() == $accepted + 1 }, 'it has');

# The breaker is open: others are told at once, what has room is done

ok(wait_until { stats()->{breaker_state} }, 'the breaker opens');

my $slow = 0;

for (1 .. 20) {
    $start = time;
    refused('none is asked for',
            qr/may wait before it, and where it could wait is/);
    $slow++ if time - $start > 1;
}

cmp_ok($slow, '<', 3, 'at once');
is($t->request(tap_of('a'))->{json}{balance}, 2, 'who is there goes on');
is($t->get('/poll?x=1&y=1')->{json}{found}, 1, 'so do polls');
is(stats()->{overflow_away}, 21, 'what was refused is counted');
like($t->log,
     qr/the breaker of trove "hunt" is open, what would have to wait is /,
     'and the log tells');
unlike($t->log, qr/the store (fails|takes writes)/, 'of no store');

$proxy->well;

my $lost = queued() - $accepted;

recovers('it is closed again');
is(queued(), $accepted + $lost, 'what was refused was not queued');
is(stats()->{store_calls}, 0, 'there is no store');


# Redis ends, and comes again with all it had

$redis->stop('TERM');
ok(wait_until { stats()->{breaker_state} || put()->{status} == 503 },
   'it ends');
refused('there is none', qr/not (reached|answered)/);
$redis->launch;
recovers('it is back');
is(queued(), $accepted + $lost, 'nothing is lost');


# Replies that are under way at a reload, and when clients go

$proxy->set(delay => 0.05);

my @waiting = map { $t->client } 1 .. 20;

$_->send_request(POST => '/rewards', {}, body()) for @waiting;
ok(wait_until { queued() == $accepted + $lost + 20 }, 'requests are under way');
ok($t->hup(gone => 0), 'a reload');
is(scalar(grep { $_->response->{status} == 202 } @waiting), 20,
   'old workers have their replies');
$accepted += 20;

@waiting = map { $t->client } 1 .. 20;
$_->send_request(POST => '/rewards', {}, body()) for @waiting;
sleep 0.2;
$_->close for @waiting;
$proxy->well;
($c) = values %{ $t->clients };
recovers('clients have gone');
$lost += 20;
cmp_ok(queued(), '<=', $accepted + $lost, 'none was queued twice');


# What is wrong with Redis, or with what it has, is told

sub wrong {
    my ($why, $log, @command) = @_;

    $redis->command(@command);
    ok(wait_until { put()->{status} == 503 && stats()->{breaker_state} }, $why);
    ok($t->wait_log($log), 'the log tells') or diag $t->log;
}

my $ledger = '0' x 32;

wrong('another ledger', qr/the overflow fails \(foreign\).*TROVE INSTANCE/,
      'HSET', 'trove:{hunt}:overflow', 'ledger', 'f' x 32);
$redis->command('HSET', 'trove:{hunt}:overflow', 'ledger', $ledger);
recovers('it is its own again');

wrong('another format', qr/the overflow fails \(foreign\).*TROVE FORMAT/,
      'HSET', 'trove:{hunt}:overflow', 'format', 2);
$redis->command('HSET', 'trove:{hunt}:overflow', 'format', 1);
recovers('it is known again');

wrong('no memory', qr/the overflow fails \(full\).*OOM/,
      'CONFIG', 'SET', 'maxmemory', 1);
$redis->command('CONFIG', 'SET', 'maxmemory', 0);
recovers('there is memory');

wrong('read-only', qr/the overflow fails \(readonly\)/,
      'REPLICAOF', '127.0.0.1', 1);
$redis->command('REPLICAOF', 'NO', 'ONE');
recovers('it takes writes');

$redis->command('RENAME', 'trove:{hunt}:overflow:rewards', 'aside');
wrong('a wrong type', qr/WRONGTYPE/, 'SET', 'trove:{hunt}:overflow:rewards', 1);
$redis->command('RENAME', 'aside', 'trove:{hunt}:overflow:rewards');
recovers('it is right again');

cmp_ok($t->quit, '<', 5, 'an exit is prompt');

done_testing();
