#!/usr/bin/perl

# ack commit: what was answered is in the database, one by one and in batches,
# with many clients on many workers, and with clients that go meanwhile.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<'HTTP',
    trove hunt {
        capacity rewards=10k players=10k;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit timeout=2s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    server => play_endpoints('hunt'));

my $db = $t->dir . '/hunt.db';
my $clients = $t->clients;


# Each kind of write is there when its answer is, whichever worker gives it

my $id = 0;

for my $c (values %$clients) {
    $id++;

    is($c->request('POST', '/rewards', {},
                   qq({"id":$id,"x":$id,"y":0,"stock":9,"value":3}))
         ->{json}{accepted}, 1, 'a reward');
    is((row($db, 'value', "FROM rewards WHERE id=$id"))[0], 3, 'is stored');

    is($c->request(claim_of("p$id", $id))->{json}{balance}, 3, 'a claim');
    is((row($db, 'balance', "FROM claims WHERE player='p$id'"))[0], 3,
       'is stored');

    is($c->request(tap_of("p$id"))->{json}{balance}, 4, 'a tap');
    is((row($db, 'balance', "FROM players WHERE player='p$id'"))[0], 4,
       'is stored');

    is($c->request(claim_of("p$id", $id))->{json}{repeat}, JSON::PP::true,
       'a claim again');

    is($c->request('DELETE', "/rewards?id=$id")->{status}, 200, 'a removal');
    is((row($db, 'count(*)', "FROM rewards WHERE id=$id"))[0], 0,
       'is stored');
}


# Batches, longer than all the buffers of their answers

for my $c (values %$clients) {
    my $n = 5000;
    my $res = $c->request(batch_of('/tap', map { { player => "b$id" } }
                                   1 .. $n));
    my @lines = map { decode_json($_) } split /\n/, $res->{body};

    is(@lines, $n, 'a batch of taps');
    is_deeply([ map { $_->{balance} } @lines ], [ 1 .. $n ], 'in its order');
    is((row($db, 'balance', "FROM players WHERE player='b$id'"))[0], $n,
       'is stored');
    $id++;
}

my $c = (values %$clients)[0];
my $res = $c->request(batch_of('/rewards', map { { id => $_, x => 0, y => 0 } }
                               1 .. 9000));

is($res->{json}{accepted}, 9000, 'a batch of rewards');
is((row($db, 'count(*)', 'FROM rewards'))[0], 9000, 'is stored');


# Clients that go while they wait: nothing is left of them

my $holder = hold_store($db);
my @gone = map { my $g = $t->client; $g->send(
    "POST /tap HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" .
    "Content-Length: 14\r\n\r\n{\"player\":\"g\"}"); $g } 1 .. 20;

ok(wait_until { counters($t)->{waiting} == 20 }, 'they wait');
undef @gone;
ok(wait_until { counters($t)->{waiting} == 0 }, 'they are gone');
let_store_go($holder);

ok(wait_until { ((row($db, 'balance', "FROM players WHERE player='g'"))[0]
                 // 0) == 20 }, 'what they did is stored');
ok(wait_until { $c->request(tap_of('g'))->{status} == 200 }, 'it goes on');


# A graceful quit while some wait: they are answered

$holder = hold_store($db);
my @wait = map { $t->client } 1 .. 8;
$_->send("POST /tap HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" .
         "Content-Type: application/json\r\n" .
         "Content-Length: 14\r\n\r\n{\"player\":\"q\"}") for @wait;
wait_until { counters($t)->{waiting} == 8 };
$t->signal('QUIT');
sleep 0.1;
let_store_go($holder);
is((grep { $_->rest =~ /"balance"/ } @wait), 8, 'answered at a quit');
ok(wait_until { $t->ended }, 'which ends');
is((row($db, 'balance', "FROM players WHERE player='q'"))[0], 8, 'stored');

done_testing();
