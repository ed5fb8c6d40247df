#!/usr/bin/perl

# Boards whose scores come from claims: what a claim gives is on them when the
# claim is answered, once, and nobody writes them otherwise.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Clock;
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


my $clock = Trove::Clock->new('2024-02-11 12:00:00');
my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            env => $clock->env, http => <<'HTTP',
    trove hunt {
        capacity rewards=100 players=20 claims=200;
        claim    range=50;
        coin     one value=1 weight=1;
        board    all  rows=5 from=claims;
        board    free rows=5;
        board    week rows=5 from=claims reset=weekly order=asc ties=shared;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');
my @c = values %{ $t->clients };
my $n = 0;

sub c { return $c[$n++ % @c] }
sub claim { return c()->request(claim_of(@_, x => 0, y => 0)) }
sub board { return rows_of(c()->get("/board/$_[0]" . ($_[1] // ''))) }


$t->load('/rewards', '/poll?x=0&y=0',
         (map { { id => $_, x => 0, y => 0, value => $_, stock => 9 } }
          1 .. 20),
         { id => 21, x => 0, y => 0, value => -30, stock => 9 },
         { id => 22, x => 0, y => 0, value => 0, stock => 9 },
         { id => 23, x => 0, y => 0, value => 7 },
         { id => 24, x => 900, y => 0, value => 7 });

is(claim('a', 5)->{json}{balance}, 5, 'a claim');
is_deeply(board('all'), [ [1, 'a', 5] ], 'is on the board');
is_deeply(board('week'), [ [1, 'a', 5] ], 'on each that is of claims');
is_deeply(board('free'), [], 'and on no other');
is(claim('a', 5)->{json}{repeat}, JSON::PP::true, 'a claim again');
is_deeply(board('all'), [ [1, 'a', 5] ], 'counts once');
is(claim('b', 7)->{json}{balance}, 7, 'another player');
is(claim('a', 3)->{json}{balance}, 8, 'another claim');
is_deeply(board('all'), [ [1, 'a', 8], [2, 'b', 7] ], 'are added up');
is_deeply(board('week'), [ [1, 'b', 7], [2, 'a', 8] ], 'in their orders');
is(claim('b', 21)->{json}{balance}, -23, 'what takes away');
is(claim('b', 1)->{json}{balance}, -22, 'is added, too');
is(claim('c', 22)->{json}{balance}, 0, 'what is worth nothing');
is_deeply(board('all'), [ [1, 'a', 8], [2, 'c', 0], [3, 'b', -22] ],
          'is on it all the same');

# a tap is none, nor is what is refused

is(c()->request(tap_of('d'))->{status}, 200, 'a tap');
is(claim('a', 23)->{status}, 200, 'the last of a stock');
is(claim('e', 23)->{status}, 409, 'and one too late');
is(claim('e', 24)->{status}, 403, 'one from too far');
is(claim('e', 99)->{status}, 404, 'one of nothing');
is_deeply(board('all'), [ [1, 'a', 15], [2, 'c', 0], [3, 'b', -22] ],
          'change nothing');
is(c()->get('/board/all')->{json}{rows}, 3, 'and take no room');

# nobody writes it

my $re = qr/^the scores of this board come from claims$/;

is_problem(c()->request(score_of('all', 'a', 99)), 403, $re, 'a score');
is_problem(c()->request(batch_of('/board/all', { player => 'a', score => 9 })),
           403, $re, 'and a batch of them');

is($t->get_json('/stats')->{troves}{hunt}{board_forbidden}, 2, 'are counted');

# batches

my $res = c()->request(batch_of('/claim', map { { player => $_, reward => 10,
                                                  x => 0, y => 0 } }
                                qw(a b a c)));

is_deeply([ map { $_->{balance} } @{ $res->{lines} } ], [25, -12, 25, 10],
          'a batch of claims');
is_deeply(board('all'), [ [1, 'a', 25], [2, 'c', 10], [3, 'b', -12] ],
          'is on the board');

# a row that is removed begins anew with the next claim

is(c()->request('DELETE', '/board/all?player=a')->{body}, '{"removed":"a"}',
   'a row may be removed');
is_deeply(board('all'), [ [1, 'c', 10], [2, 'b', -12] ], 'and is gone');
is(claim('a', 10)->{json}{repeat}, JSON::PP::true, 'what is repeated');
is_deeply(board('all'), [ [1, 'c', 10], [2, 'b', -12] ], 'adds nothing');
is(claim('a', 2)->{json}{balance}, 27, 'the balance stays');
is_deeply(board('all'), [ [1, 'c', 10], [2, 'a', 2], [3, 'b', -12] ],
          'what is new is added to nothing');
is_deeply(board('week', '?player=a'), [ [3, 'a', 27] ],
          'on the other board it was not removed');

# a full board: nothing is claimed

is(claim($_, 1)->{status}, 200, "room for $_") for qw(f g);

$res = claim('h', 1);

is_problem($res, 507, qr/no room/, 'none for one more');
is($t->get('/tap?player=h')->{json}{balance} // 0, 0, 'who gets nothing');
is_deeply([ map { $_->[1] } @{ board('all') } ], [qw(c a f g b)],
          'and is not on it');
is(claim('f', 2)->{json}{balance}, 3, 'those who are go on');
is(c()->request('DELETE', '/board/all?player=g')->{status}, 200, 'on one');
is(claim('h', 1)->{status}, 507, 'all must have room');
is(c()->request('DELETE', '/board/week?player=g')->{status}, 200, 'on both');
is(claim('h', 1)->{json}{balance}, 1, 'then there is');
is_deeply(board('all', '?player=h'), [ [4, 'h', 1] ], 'and it counts');

# a claim is of the period that it came in

$clock->set('2024-02-12 00:00:00');

is_deeply(board('week'), [], 'a new week');
is(claim('a', 6)->{json}{balance}, 33, 'a claim');
is_deeply(board('week'), [ [1, 'a', 6] ], 'counts for it');
is_deeply(board('week', '?period=-1&player=a'), [ [5, 'a', 27] ],
          'and not for the last');
is_deeply(board('all', '?player=a'), [ [2, 'a', 8] ], 'and for ever');

# workers that come and go

ok($t->hup(gone => 1), 'a reload');
@c = values %{ $t->clients };
is(claim('a', 6)->{json}{repeat}, JSON::PP::true, 'after it');
is(claim('a', 7)->{json}{balance}, 40, 'it goes on');
is_deeply(board('week'), [ [1, 'a', 13] ], 'from there');

done_testing;
