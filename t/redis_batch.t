#!/usr/bin/perl

# Batches and subrequests of a trove in Redis: clients that go meanwhile, or
# read slowly, or whose requests are others' parts; in bounded memory.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $url = $redis->url;
my $t = Trove::Nginx->start(workers => 1, http => <<"HTTP", server => <<'SERVER'
    trove hunt {
        capacity rewards=200k players=10k;
        store    $url timeout=2s;
        coin     one value=1 weight=1;
        board    high rows=1k;
        %%SIMD%%
    }
    keepalive_requests 1000000;
    client_max_body_size 100m;
HTTP
        location = /mirrored {
            mirror /mirror;
            trove_tap hunt;
        }
        location = /mirror { internal; trove_tap hunt; }
        location /board/ { trove_board hunt; }
SERVER
    . play_endpoints('hunt'));

my ($worker) = $t->workers;

sub stat_of { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }
sub balance { return $t->get_json("/tap?player=$_[0]")->{balance} // 0 }

sub batch {
    my ($path, $body) = @_;

    return "POST $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
           . "Content-Type: application/x-ndjson\r\nContent-Length: "
           . length($body) . "\r\n\r\n$body";
}

ok(wait_until(sub { $t->get('/poll?x=0&y=0')->{status} == 200 }),
   'it is loaded');


# Many rewards, loaded by many at once

my $n = 20_000;
my @loads = map {
    my $from = $_ * $n;
    my $c = $t->client;

    $c->send(batch('/rewards',
                   ndjson(map { { id => $from + $_, x => $_, y => 0 } }
                          1 .. $n)));
    $c;
} 0 .. 3;

is((grep { $_->rest =~ /"accepted":$n,/ } @loads), 4, 'bulk loads');
is($t->get_json('/stats')->{troves}{hunt}{rewards}, 4 * $n, 'are there');
@loads = ();


# A long batch in bounded memory, in its order

my $memory = $t->resident($worker);
my $lines = 100_000;
my $res = $t->request('POST', '/tap',
                      { 'Content-Type' => 'application/x-ndjson' },
                      qq({"player":"long"}\n) x $lines);
my @balances = $res->{body} =~ /"balance":(\d+)\}/g;

is(@balances, $lines, 'a long batch');
is_deeply([ @balances[ 0, 127, 128, $lines - 1 ] ], [ 1, 128, 129, $lines ],
          'in its order');

my $bound = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized' ? 128 : 8;

cmp_ok($t->resident($worker) - $memory, '<', $bound << 20, 'in bounded memory');


# Lines that are not good stand where they stood

$res = $t->request('POST', '/board/high',
                   { 'Content-Type' => 'application/x-ndjson' },
                   join '', map { $_ % 100 ? qq({"player":"p$_","score":$_}\n)
                                           : "no\n" } 1 .. 1000);

my @answers = map { decode_json($_) } split /\n/, $res->{body};

is(@answers, 1000, 'an answer to each line');
is((grep { ($answers[ $_ - 1 ]{error} ? $answers[ $_ - 1 ]{line}
                                      : $answers[ $_ - 1 ]{score}) == $_ }
    1 .. 1000), 1000, 'at its place');


# Who sends on when he has the answers to what he has sent

my $talk = $t->client;

$talk->send("POST /tap HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            . "Content-Type: application/x-ndjson\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n");

for my $n (1 .. 3) {
    my $body = qq({"player":"talk"}\n) x $n;

    $talk->send(sprintf "%x\r\n%s\r\n", length $body, $body);
    like($talk->take(qr/(?:.*?"coin"[^\n]*\n){$n}/s) // '', qr/"coin"/,
         "$n answers before there is more");
}

$talk->send("0\r\n\r\n");
is(balance('talk'), 6, 'and that is all');
unlike($talk->rest, qr/"coin"/, 'to the end');


# Clients that go while their batch waits

$redis->signal('STOP');

my @gone = map {
    my $c = $t->client;

    $c->send(batch('/tap', qq({"player":"gone"}\n) x 300));
    $c;
} 1 .. 20;

ok(wait_until(sub { stat_of('store_waiting') == 20 }), 'they wait');
@gone = ();
$redis->signal('CONT');
ok(wait_until(sub { stat_of('store_waiting') == 0 }), 'they are gone');
cmp_ok(balance('gone'), '<=', 20 * 300, 'nothing was done twice');
ok(wait_until(sub { $t->request(tap_of('late'))->{status} == 200 }),
   'it goes on');


# And those that are gone when their calls could be sent again

my $again = stat_of('store_calls_again');

$redis->signal('STOP');

@gone = map {
    my $c = $t->client;

    $c->send(batch('/tap', qq({"player":"gone"}\n) x 300));
    $c;
} 1 .. 20;

wait_until { stat_of('store_waiting') == 20 };
@gone = ();
ok(wait_until(sub { stat_of('breaker_state') == 2 }), 'no answer');
$redis->signal('CONT');
ok(wait_until(sub { $t->request(tap_of('late'))->{status} == 200 }),
   'it goes on');
is(stat_of('store_calls_again'), $again, 'nobody asks again');


# A request that is another's part

is($t->request('POST', '/mirrored', { 'Content-Type' => 'application/json' },
               '{"player":"twice"}')->{status}, 200, 'with a mirror');
ok(wait_until(sub { balance('twice') == 2 }), 'both are carried out');

$res = $t->request('POST', '/mirrored',
                   { 'Content-Type' => 'application/x-ndjson' },
                   qq({"player":"many"}\n) x 500);
is((() = $res->{body} =~ /\n/g), 500, 'a batch with a mirror');
ok(wait_until(sub { balance('many') == 1000 }), 'both are carried out');

$redis->stop('KILL');
ok(wait_until(sub { $t->request(tap_of('a'))->{status} == 503 }),
   'Redis is away');

$res = $t->request('POST', '/rewards',
                   { 'Content-Type' => 'application/x-ndjson' },
                   qq({"id":1,"x":0,"y":0}\n) x 3);
is($res->{status}, 503, 'a load is refused');
ok($res->{headers}{'retry-after'}, 'and told when to come');

done_testing();
