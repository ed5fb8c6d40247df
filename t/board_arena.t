#!/usr/bin/perl

# A list takes as much of the arena as its rows may have, and gives it back
# when it is answered: of one epoch there may be any number.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        arena 8m;
        epoch 1h;
        board large rows=1k row=4k;
        %%SIMD%%
    }
HTTP
    location /board/  { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER
my $c = $t->client;

is($c->request(score_of('large', 'p', 1, data => 'x' x 4000))->{status}, 200,
   'a score');

my @args = ('?top=1000', '?from=1&count=1000', '?player=p&around=499',
            '?player=x&around=499');
my @status = map { $c->get("/board/large$_")->{status} } (@args) x 10;

is_deeply(\@status, [ (200, 200, 200, 404) x 10 ], 'lists, one after another');

is($t->get_json('/stats')->{troves}{hunt}{arena_exhausted}, 0,
   'the arena sufficed');

done_testing;
