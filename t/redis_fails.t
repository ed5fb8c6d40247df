#!/usr/bin/perl

# Redis stopped, killed, locked, read-only, out of memory, or with another
# type at a key: writes are 503 with Retry-After, at once from when that is
# known; polls go on; and it recovers by itself.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $redis = Trove::Redis->start(append => 1);
my $url = $redis->url;
my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            level => 'info',
                            http => <<"HTTP", server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=1k players=20k;
        store    $url timeout=400ms;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP

$t->wait_ok('/poll?x=0&y=0');

my @clients = values %{ $t->clients };
my $seq = 0;


sub soon { return ok(wait_until(\&{ $_[0] }), $_[1]) }


sub stat_of { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }

sub tap {
    my $c = shift // $clients[ rand @clients ];

    return $c->request(tap_of('anna', @_));
}


# It takes writes again, and what was not answered was carried out once at most

sub recovers {
    my $why = shift;

    soon(sub { tap(undef, seq => $seq)->{status} == 200 },
         "$why: it recovers");
    soon(sub { stat_of('breaker_state') == 0 }, "$why: closed");
    is($clients[0]->get('/tap?player=anna')->{json}{balance}, $seq,
       "$why: each tap counts once");
}


# Each tap has its number, and is sent until it is answered

sub fails {
    my ($why, %arg) = @_;
    my $start = time;

    $seq++;
    soon(sub { tap(undef, seq => $seq)->{status} == 503
               && stat_of('breaker_state') },
         "$why: writes are refused");
    cmp_ok(time - $start, '<', $arg{within} // 3, "$why: soon");

    $start = time;

    my ($later, $polls) = (0, 0);

    for (1 .. 50) {
        my $res = tap(undef, seq => $seq);

        $later++ if $res->{status} == 503
                    && $res->{headers}{'retry-after'} =~ /^\d+$/;
        $polls++ if $clients[0]->get('/poll?x=0&y=0')->{status} == 200;
    }

    # some may be let through, when it looks whether it is there again

    cmp_ok($later, '>', 40, "$why: at once, and to come again");
    is($polls, 50, "$why: polls go on");
}


is(tap(undef, seq => ++$seq)->{status}, 200, 'it is there');


$redis->signal('STOP');
fails('stopped');
like($t->log, qr/breaker of trove "hunt" is open, .*does not answer/,
     'stopped: the log tells');
$redis->signal('CONT');
recovers('stopped');

$redis->stop('KILL');
fails('killed');
$redis->launch;
recovers('killed');

$redis->again;
$seq++;
recovers('restarted');

$redis->command(qw(CONFIG SET requirepass secret));
$redis->password('secret');
$redis->command(qw(CLIENT KILL TYPE normal));
fails('locked');
ok($t->wait_log(qr/breaker of trove "hunt" is open, .*\(denied\).*NOAUTH/),
   'locked: the log tells');
unlike($t->log, qr/secret/, 'locked: but not the password');
$redis->command(qw(CONFIG SET requirepass), '');
$redis->password('');
recovers('locked');

$redis->command(qw(REPLICAOF 127.0.0.1 1));
fails('read-only');
like($t->log, qr/breaker of trove "hunt" is open, .*\(readonly\)/,
     'read-only: the log tells');
$redis->command(qw(REPLICAOF NO ONE));
recovers('read-only');

$redis->command(qw(CONFIG SET maxmemory 1));
fails('out of memory');
like($t->log, qr/breaker of trove "hunt" is open, .*OOM/,
     'out of memory: the log tells');
$redis->command(qw(CONFIG SET maxmemory 0));
recovers('out of memory');


# One hash is of another type: others go on being written

$redis->command('RENAME', 'trove:{hunt}:players', 'aside');
$redis->command('SET', 'trove:{hunt}:players', 'x');
$seq++;

my @status = map { tap(undef, seq => $seq)->{status} } 1 .. 4;

is_deeply(\@status, [ (503) x 4 ], 'another type: refused');
like($t->log, qr/breaker of trove "hunt" is open, .*WRONGTYPE.*:players/,
     'another type: the log tells');
soon(sub { $t->post('/rewards', '{"id":2,"x":0,"y":0}')->{status} == 200 },
     'another type: of players only');
$redis->command('DEL', 'trove:{hunt}:players');
$redis->command('RENAME', 'aside', 'trove:{hunt}:players');
recovers('another type');


# More than may wait

my $before = stat_of('store_busy');

$redis->signal('STOP');

my @crowd = map { $t->client } 1 .. 200;

my $body = qq({"player":"crowd"}\n) x 105;

$_->send("POST /tap HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
         . "Content-Type: application/x-ndjson\r\n"
         . 'Content-Length: ' . length($body) . "\r\n\r\n$body") for @crowd;

soon(sub { stat_of('store_busy') > $before }, 'no more are waited for');
$redis->signal('CONT');

my ($refused, $answered, $good) = (0, 0, 0);

for my $c (@crowd) {
    my $rest = $c->rest;
    my $lines = () = $rest =~ /^\{/mg;

    $refused += $rest =~ m{^HTTP/1.1 503 } ? 1 : 0;
    $answered += $lines == 105;
    $good += () = $rest =~ /^\{"coin/mg;
}

is($refused + $answered, 200, 'each has its answers');
is(($t->get_json('/tap?player=crowd')->{balance} // 0) >= $good, 1,
   'and what was granted is there');
recovers('crowded');

cmp_ok(stat_of('breaker_opened'), '>=', 7, 'it was open');
cmp_ok(stat_of('breaker_half_opened'), '>=', stat_of('breaker_closed'),
       'half-open before it was closed');
is(stat_of('store_waiting'), 0, 'nobody waits');

done_testing();
