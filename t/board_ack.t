#!/usr/bin/perl

# Boards with ack commit: a score, a batch of them and a removal are in the
# store when they are answered, or the answer says that they are not.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);
use Trove::Store;


my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        capacity rewards=100;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit timeout=2s;
        board    sums rows=10k keep=sum;
        %%SIMD%%
    }
HTTP
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER
my $db = $t->dir . '/hunt.db';
my $clients = $t->clients;
my $id = 0;


sub stored { return (row($db, 'score', "FROM boards WHERE player='$_[0]'"))[0] }

sub send_all {
    return map { my $c = $t->client; $c->send_request(@$_); [ $c, $_->[0] ] }
           @_;
}

sub answers { return map { $_->[0]->response($_->[1]) } @_ }


for my $c (values %$clients) {
    $id++;

    is($c->request(score_of('sums', "p$id", 3))->{json}{score}, 3, 'a score');
    is(stored("p$id"), 3, 'is stored');
    is($c->request(score_of('sums', "p$id", 4, seq => 1))->{json}{score}, 7,
       'another');
    is(stored("p$id"), 7, 'is stored');
    is($c->request(score_of('sums', "p$id", 4, seq => 1))->{json}{repeat},
       JSON::PP::true, 'again');
    is($c->request('DELETE', "/board/sums?player=p$id")->{body},
       "{\"removed\":\"p$id\"}", 'a removal');
    is(stored("p$id"), undef, 'is stored');

    # longer than all the buffers of its answers, and a bad line in it

    my $n = 5000;
    my $res = $c->request(batch_of('/board/sums',
                                   (map { { player => "b$id", score => 1 } }
                                    1 .. $n - 1), "bad\n",
                                   { player => "b$id", score => 1 }));

    is_deeply([ map { $_->{score} // $_->{line} } @{ $res->{lines} } ],
              [ 1 .. $n - 1, $n, $n ], 'a batch in its order');
    is(stored("b$id"), $n, 'is stored');
}

# a store that another program holds: for a moment

my $holder = hold_store($db);
my @waiting = send_all([ score_of('sums', 'w', 1) ]);

# its rank is that of the moment, whatever the other worker decides then

ok(wait_until { $t->get('/board/sums?player=w')->{status} == 200 },
   'a score is decided');

push @waiting, send_all([ batch_of('/board/sums',
                                   { player => 'v', score => 1 },
                                   { player => 'v', score => 2 }) ],
                        [ 'DELETE', '/board/sums?player=b1' ]);

ok(wait_until { counters($t)->{waiting} == 3 }, 'they wait');
is($t->get_json('/board/sums?player=v')->{list}[0]{score}, 3,
   'what waits is there to be read');
let_store_go($holder);

my @res = answers(@waiting);

is($res[0]{body}, '{"player":"w","score":1,"rank":3,"improved":true}',
   'a score is answered as it was decided');
is_deeply([ map { $_->{score} } @{ $res[1]{lines} } ], [1, 3], 'and a batch');
is($res[2]{body}, '{"removed":"b1"}', 'and a removal');
is_deeply([ map { stored($_) } qw(w v b1) ], [1, 3, undef], 'all are stored');

# for longer than they wait

$holder = hold_store($db);
@res = answers(send_all([ score_of('sums', 'x', 1, seq => 1) ],
                        [ batch_of('/board/sums', { player => 'y', score => 1,
                                                    seq => 1 }) ],
                        [ 'DELETE', '/board/sums?player=w' ]));

is_problem($_, 503, qr/store/, 'who has waited too long is told') for @res;
let_store_go($holder);

ok(wait_until {
       $t->client->request(score_of('sums', 'x', 1, seq => 1))->{status} == 200
   }, 'once it is stored');
is($t->client->request(score_of('sums', 'y', 1, seq => 1))->{json}{score}, 1,
   'what is asked for again counts once');
is_deeply([ map { stored($_) } qw(x y w) ], [1, 1, undef], 'and is stored');

done_testing;
