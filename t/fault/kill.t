#!/usr/bin/perl

# A worker is killed at each store of every critical sequence, under all kinds
# of load: the others go on and wait for nobody, what was answered stays true,
# and in the end everything adds up, in the ledger and in the store alone.
#
# The points are those that the program itself has: one that nobody comes to
# fails the test, until a client of Trove::Crowd or a hook leads there.

use strict;
use warnings;

use FindBin;
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/../lib";
use Trove::Crowd;
use Trove::Fault;
use Trove::Nginx;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }

$Trove::Client::TIMEOUT = 10;


my $fault = Trove::Fault->new;
my $t = Trove::Nginx->start(workers => 4, env => $fault->env,
    http => Trove::Crowd::conf('hunt', 'store sqlite:%%DIR%%/hunt.db;'),
    server => Trove::Play::play_endpoints('hunt'));

my %dead;


# Whoever comes there first, or a little later

sub kill_at {
    my ($point, $seconds) = @_;

    $fault->arm($point, 1 + int rand($dead{$point} ? 20 : 3), 'KILL');
    $fault->lead($t, $point);

    wait_until { $fault->victim($point) } $seconds;
    wait_until { $t->workers == 4 } or die "there are not four workers\n";
}


sub left {
    return grep { !($dead{$_} ||= $fault->victim($_)) }
           grep { !$fault->elsewhere($_) } $fault->points;
}


$t->expect(qr/worker process \d+ exited on signal 9\b/);
$fault->spare($t->master);

my $crowd = Trove::Crowd->start($t, $SEED);

# those that are not reached stay armed: the deaths of others lead to them

my $end = time + 45;

while (left() && time < $end) {
    kill_at($_, 0.3) for shuffle(left());
}

# and once more, later in what they do

kill_at($_, 0.3) for shuffle(keys %dead);

is_deeply([ map { $fault->name($_) } left() ], [],
          'a worker died at each point');


$fault->disarm;
$crowd->finish;

cmp_ok($crowd->{slowest}, '<', 5, 'nobody waited for the dead');
$crowd->adds_up($fault, $t->dir . '/hunt.db');

done_testing;
