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
use Test::More;

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

$t->expect(qr/worker process \d+ exited on signal 9\b/);
$fault->spare($t->master);

my $crowd = Trove::Crowd->start($t, $SEED, @Trove::Crowd::PLAY);

is_deeply([ $fault->kill_at_each($t, 180, $fault->of_the_rest) ], [],
          'a worker died at each point');

$fault->disarm;
$crowd->finish;

cmp_ok($crowd->{slowest}, '<', 30, 'nobody waited for the dead');
$crowd->adds_up($fault, $t->dir . '/hunt.db', 100);

done_testing;
