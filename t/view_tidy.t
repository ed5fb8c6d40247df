#!/usr/bin/perl

# Once changes have ceased, what they left unsorted is sorted in by a new view,
# once; a few changes are not worth one.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(
    workers => 1, http => <<'HTTP', server => <<'SERVER');
    trove few  { epoch 1h; radius 100 max=10000; %%SIMD%% }
    trove many { epoch 1h; radius 100 max=10000; %%SIMD%% }
HTTP
    location = /few/poll     { trove_poll    few; }
    location = /few/rewards  { trove_rewards few; }
    location = /many/poll    { trove_poll    many; }
    location = /many/rewards { trove_rewards many; }
    location = /stats        { trove_stats write=on; }
SERVER


sub builds { return $t->get_json('/stats')->{troves}{$_[0]}{view_builds} }


sub turn {
    my ($trove, $times) = @_;

    $t->post("/stats?cycle=$trove", '') for 1 .. $times;
}


sub fill {
    my ($trove, $n) = @_;

    my $lines = join '', map {
        sprintf qq({"id":%d,"x":%d,"y":%d}\n), $_, $_ % 40, $_ / 40
    } 1 .. $n;

    is($t->post("/$trove/rewards", $lines,
                { 'Content-Type' => 'application/x-ndjson' })
       ->{json}{accepted}, $n, "$n rewards");
}


sub found { return $t->get_json("/$_[0]/poll?x=0&y=0&r=9999")->{found} }


fill(few => 100);
fill(many => 1000);

turn(many => 20);
is(builds('many'), 0, 'no new view after a few turns');

fill(many => 1000);
turn(many => 20);
is(builds('many'), 0, 'nor while changes go on');

turn(many => 40);

for (1 .. 500) {
    last if builds('many');
    sleep 0.02;
}

is(builds('many'), 1, 'but when they have ceased');
is(found('many'), 1000, 'which holds everything');

turn(many => 100);
is(builds('many'), 1, 'one is enough');

turn(few => 100);
is(builds('few'), 0, 'a hundred changes are not worth one');
is(found('few'), 100, 'and are found as well');

$t->stop;

done_testing();
