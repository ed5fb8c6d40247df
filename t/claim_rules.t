#!/usr/bin/perl

# range and max_speed refuse a claim that comes from too far or a player who
# has moved too fast; dry_run counts those whom they would refuse.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove ranged { capacity players=9; claim range=10; %%SIMD%% }
    trove paced  { capacity players=9; claim max_speed=0.001; %%SIMD%% }
    trove earth  { space earth; capacity players=9; claim range=100; }
    trove tried  { capacity players=9; %%SIMD%%
                   claim range=10 max_speed=0.001 dry_run; }
HTTP
    location = /ranged/claim   { trove_claim   ranged; }
    location = /paced/claim    { trove_claim   paced; }
    location = /earth/claim    { trove_claim   earth; }
    location = /tried/claim    { trove_claim   tried; }
    location = /ranged/rewards { trove_rewards ranged; }
    location = /paced/rewards  { trove_rewards paced; }
    location = /earth/rewards  { trove_rewards earth; }
    location = /tried/rewards  { trove_rewards tried; }
    location = /stats          { trove_stats; }
SERVER
my $c = $t->client;


sub claim {
    my ($trove, @claim) = @_;
    my @request = claim_of(@claim);

    $request[1] = "/$trove$request[1]";

    return $c->request(@request);
}


for my $trove (qw(ranged paced earth tried)) {
    $t->post("/$trove/rewards",
             ndjson(map { { id => $_, x => $_, y => 0, stock => 9 } }
                    1 .. 9)) or die;
}

# range: a circle whose edge belongs to it

is(claim('ranged', 'a', 1, x => 7, y => 8)->{status}, 200,
   'just within the range');
is_problem(claim('ranged', 'b', 1, x => 7, y => 8.0000000000001), 403,
           qr/^the reward is out of range$/, 'just without it');
is(claim('ranged', 'a', 1, x => 700, y => 8)->{json}{repeat},
   JSON::PP::true, 'a repeat is one from anywhere');
is(claim('ranged', 'a', 2, x => 7, y => 8)->{status}, 200,
   'any speed will do');
is_problem(claim('ranged', 'a', 3), 400, qr/^x: is missing$/,
           'who does not say where is refused');
is_problem(claim('ranged', 'a', 3, x => 3), 400, qr/^y: is missing$/,
           'nor half of it');

is(claim('earth', 'a', 1, x => 1.00089, y => 0)->{status}, 200,
   'on the earth 99 m are within');
is_problem(claim('earth', 'b', 1, x => 1.00091, y => 0), 403, qr/range/,
           '101 m are not');
is_problem(claim('earth', 'b', 1, x => 181, y => 0), 400,
           qr/^x: must be a number from -180 to 180, not 181$/,
           'and 181 degrees are nowhere');

# speed: from where the last claim was granted

is(claim('paced', 'a', 1, x => 0, y => 0)->{status}, 200,
   'the first claim comes from anywhere');
is(claim('paced', 'a', 2, x => 0, y => 0)->{status}, 200,
   'the next from the same place');
is_problem(claim('paced', 'a', 3, x => 9000, y => 0), 403,
           qr/^the player has come too far since the last claim$/,
           'one from far off is refused');
is(claim('paced', 'b', 3, x => 9000, y => 0)->{status}, 200,
   'to another player it is not');
is(claim('paced', 'a', 3, x => 0, y => 0)->{status}, 200,
   'what was refused has not moved the first one');
is_problem(claim('paced', 'a', 4), 400, qr/^x: is missing$/,
           'who does not say where is refused');

# only tried

is(claim('tried', 'a', 1, x => 1, y => 0)->{status}, 200, 'a good claim');
is(claim('tried', 'a', 2, x => 9, y => 5)->{status}, 200, 'a fast one');
is(claim('tried', 'a', 3, x => 1000, y => 0)->{status}, 200, 'one from afar');
is(claim('tried', 'b', 3)->{status}, 200, 'and one from nowhere');
is_problem(claim('tried', 'b', 4, x => 1), 400, qr/^y: is missing$/,
           'but not from half of a place');

my $stats = $t->get_json('/stats')->{troves};

is($stats->{tried}{claims_granted}, 4, 'all are granted');
is($stats->{tried}{claims_far} + $stats->{tried}{claims_fast}, 0,
   'none is refused');
is($stats->{tried}{claims_let_far}, 2, 'two would be for the range');
is($stats->{tried}{claims_let_fast}, 1, 'one for its speed');
is($stats->{ranged}{claims_far}, 1, 'where the rule holds it is');
is($stats->{paced}{claims_fast}, 1, 'and the other');
is($stats->{ranged}{claims_let_far}, 0, 'and none is let through');

like($t->get('/stats?format=prometheus')->{body},
     qr/^trove_claims_dry_run_total\{trove="tried",rule="range"\} 2$/m,
     'in the text, too');

done_testing;
