#!/usr/bin/perl

# What has come from a queue into the ledger has its turn there as long as more
# about it waits: no later write overtakes that.  What nothing waits for does
# not wait, whoever else does.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start(append => 1);
my $proxy = Trove::Proxy->start($redis->port);
my %conf = (workers => 2, listen => 'reuseport',
            http => <<"HTTP", server => play_endpoints('hunt')
    trove hunt {
        capacity rewards=2 players=2 claims=50;
        coin     one value=1 weight=1;
        board    last rows=2 keep=last;
        store    sqlite:hunt.db;
        overflow redis://127.0.0.1:${\ $proxy->port } timeout=5s;
        %%SIMD%%
    }
HTTP
                    . "location /board/ { trove_board hunt; }\n");

my $t = Trove::Nginx->start(%conf);

sub put { return $t->post('/rewards', "{\"id\":$_[0],\"x\":1,\"y\":1,\"value\":"
                                      . ($_[1] // 0) . '}')->{status} }
sub value { return $t->get_json("/rewards?id=$_[0]")->{value} }
sub tap { return $t->request(tap_of($_[0], seq => $_[1])) }
sub removed { return $t->request(DELETE => $_[0])->{status} }
sub stats { return $t->get_json('/stats')->{troves}{hunt} }

sub score {
    return $t->post('/board/last', "{\"player\":\"$_[0]\",\"score\":$_[1]}")
           ->{status};
}

sub score_of {
    return $t->get_json("/board/last?player=$_[0]")->{list}[0]{score};
}

sub looked_after {
    ok(wait_until { stats()->{overflow_up} == 1 }, 'the queues are looked after');
}

sub left {
    my ($queue, $n) = @_;

    ok(wait_until { stats()->{overflow}{$queue}{pending} == $n },
       "$n of $queue are left") or diag explain stats()->{overflow};
}

sub queue_has {
    my ($n, $name) = @_;

    ok(wait_until {
        $redis->command('XLEN', 'trove:{hunt}:overflow:rewards') == $n
    }, $name);
}

sub chunk { return sprintf("%x\r\n%s\r\n", length $_[0], $_[0]) }

# With memory of another size the ledger is read from its store

sub again_with {
    my %more = @_;

    $t->quit;
    $conf{http} =~ s/\b$_=\d+/$_=$more{$_}/ for keys %more;
    $t->configure(http => $conf{http});
    $t->again;
    looked_after();
}

looked_after();


# Rewards

is(put($_), 200, "reward $_") for 1, 2;
is(put(3, 1), 202, 'a third one waits');
is(put(4), 202, 'and a fourth');
is(put(3, 2), 202, 'the third one is to be put again');
is(removed('/rewards?id=1'), 200, 'there is room for one');
left('rewards', 2);
is(value(3), 1, 'it is there');
is(put(2, 5), 200, 'another one is put at once');
is(put(3, 3), 202, 'it is not, for it waits');
is(removed('/rewards?id=2'), 200, 'there is room for more');
left('rewards', 0);
is(value(3), 3, 'and what came last is last');
is(put(3, 4), 200, 'nothing waits any more');

is(put(5, 1), 202, 'one waits');
is(put(6), 202, 'and another');
is(put(5, 2), 202, 'and that one again');
is(removed('/rewards?id=4'), 200, 'there is room for one');
left('rewards', 2);
is(removed('/rewards?id=5'), 202, 'which is removed');
ok(wait_until { $t->get('/rewards?id=6')->{status} == 200 },
   'at once, for the other one may need the room');
is($t->get('/rewards?id=5')->{status}, 404, 'it is not there');
left('rewards', 2);
is(removed('/rewards?id=3'), 200, 'there is room for more');
left('rewards', 0);
is($t->get('/rewards?id=5')->{status}, 404, 'nor does it come back');


# Rows

is(score($_, 1), 200, "a row of $_") for qw(a b);
is(score('c', 1), 202, 'a third one waits');
is(score('d', 1), 202, 'and a fourth');
is(score('c', 2), 202, 'the third one once more');
is(removed('/board/last?player=a'), 200, 'there is room for one');
left('board:last', 2);
is(score('b', 2), 200, 'another one is changed at once');
is(score('c', 3), 202, 'it waits');
is(removed('/board/last?player=b'), 200, 'there is room for more');
left('board:last', 0);
is(score_of('c'), 3, 'and what came last is last');
is(score('c', 4), 200, 'nothing waits any more');


# Players, by the seq of their taps

is(tap($_, 1)->{status}, 200, "player $_") for qw(a b);
is(tap('c', 1)->{status}, 202, 'a third one waits');
is(tap('d', 1)->{status}, 202, 'and a fourth');
is(tap('c', 2)->{status}, 202, 'and taps again');

again_with(players => 3);
left('players', 2);
is(tap('a', 2)->{status}, 200, 'another one taps');
is(tap('c', 3)->{status}, 202, 'the third one waits');
is(tap('c', 4)->{status}, 202, 'and does so again');

# What is in the ledger came from the store, by which nobody knows what waits

again_with(claims => 60);
left('players', 4);

for my $c (values %{ $t->clients }) {
    is($c->request(tap_of('a', seq => 2))->{status}, 200, 'another one taps');
    is($c->request(tap_of('c', seq => 5))->{status}, 202,
       'the third one waits still');
}

again_with(players => 4);
left('players', 0);
is($t->get_json('/tap?player=c')->{balance}, 5, 'no tap was lost');
is(tap('c', 6)->{status}, 200, 'nothing waits any more');


# Lines of a batch, the first of which is under way when there is room

my $c = $t->client;
my $line = '{"id":9,"x":1,"y":1,"value":%d}' . "\n";

is(removed('/rewards?id=6'), 200, 'room');
is(put($_), 200, "reward $_") for 7, 8;
queue_has(0, 'the store has all that came from the queue');
$proxy->set(replies => 1);
$c->send("POST /rewards HTTP/1.1\r\nHost: t\r\n"
         . "Content-Type: application/x-ndjson\r\n"
         . "Transfer-Encoding: chunked\r\n\r\n"
         . chunk(sprintf $line, 1));
queue_has(1, 'a line is asked for');
is(removed('/rewards?id=7'), 200, 'there is room');
is(put(9, 5), 200, 'which another one takes');
$c->send(chunk(sprintf $line, 2) . "0\r\n\r\n");
$t->get('/stats') for 1 .. 10;
$proxy->set(replies => 0);
is($c->response->{json}{queued}, 2, 'the next one waits behind it');
is(removed('/rewards?id=8'), 200, 'there is room for all');
left('rewards', 0);
is(value(9), 2, 'the last line is last');

# The same of two requests, and of one that comes when they have been answered

is(put(20), 200, 'no more room');
queue_has(0, 'the store has all that came from the queue');
$proxy->set(replies => 1);
$c->send_request(POST => '/rewards', {}, '{"id":21,"x":1,"y":1,"value":1}');
queue_has(1, 'a reward is asked for');
is(removed('/rewards?id=20'), 200, 'there is room');
is(put(21, 2), 200, 'which it gets from another one');
$proxy->set(replies => 0);
is($c->response->{status}, 202, 'what was asked for waits');
like(put(21, 3), qr/^20[02]$/, 'and what comes then');
left('rewards', 0);
is(value(21), 3, 'is last');

$t->quit;

done_testing();
