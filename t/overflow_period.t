#!/usr/bin/perl

# A board that is full has room in its next period: what waits is of that one,
# in order, though nobody else writes to it, and so is a claim that waits for a
# row of a board that claims make.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Clock;
use Trove::Nginx;
use Trove::Overflow;
use Trove::Play;
use Trove::Redis;


# Redis has its own clock, which is that of this month

my ($year, $month) = (gmtime)[5, 4];
my $now = sprintf '%d-%02d-15', $year + 1900, $month + 1;
my $next = sprintf '%d-%02d-01', $year + 1900 + int(($month + 1) / 12),
                   ($month + 1) % 12 + 1;

my $clock = Trove::Clock->new("$now 12:00:00");
my $redis = Trove::Redis->start;
my $t = Trove::Nginx->start(overflow_conf(
    url => $redis->url, env => $clock->env, rows => 100, trove => <<'END'));
        board month   rows=2 reset=monthly keep=last;
        board hunters rows=2 reset=monthly from=claims;
END

ok(wait_until(sub { figure($t, 'overflow_up') }), 'the queues are looked after');
fill($t, rewards => 3);

sub post { return $t->request(@_)->{status} }

is(post(score_of('month', $_, 1)), 200, "there is room for $_") for qw(a b);
is(post(claim_of($_, 1)), 200, "and for what $_ claims") for qw(a b);
is(post(score_of('month', 'c', $_)), 202, "c waits with $_") for 2, 7, 5;
is(post(score_of('month', 'd', 3)), 202, 'and d');
is(post(claim_of('c', 2)), 202, 'and what c claims');
is(post(score_of('month', 'a', 9)), 200, 'a goes on');

is_deeply(waiting($t), { 'board:month' => 4, players => 1 }, 'all month');
is_deeply([ $t->get('/tap?player=c')->{status},
            rows_of($t->get('/board/month')) ],
          [ 404, [ [ 1, 'a', 9 ], [ 2, 'b', 1 ] ] ], 'of which nothing is seen');

$clock->set("$next 00:00:01");
empty_queues($t, 'in the next month');
is_deeply(rows_of($t->get('/board/month')), [ [ 1, 'c', 5 ], [ 2, 'd', 3 ] ],
          'what waited is of that month, the last score as the last');
is_deeply(rows_of($t->get('/board/month?period=-1')),
          [ [ 1, 'a', 9 ], [ 2, 'b', 1 ] ], 'and not of the one before');
is_deeply(rows_of($t->get('/board/hunters')), [ [ 1, 'c', 5 ] ],
          'so is the claim');
is($t->get_json('/tap?player=c')->{balance}, 5, 'and has its value');
is(post(score_of('month', 'e', 1)), 202, 'the next one waits');

done_testing();
