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
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../lib";
use Trove::Crowd;
use Trove::Fault;
use Trove::Nginx;
use Trove::Store;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }

$Trove::Client::TIMEOUT = 10;


my $fault = Trove::Fault->new;
my $t = Trove::Nginx->start(workers => 4, env => $fault->env,
    http => Trove::Crowd::conf('hunt', 'store sqlite:%%DIR%%/hunt.db;'),
    server => Trove::Play::play_endpoints('hunt'));

my $file = $t->dir . '/hunt.db';


# What has workers come to a point that requests alone seldom lead to

my %HOOKS = (
    'stats claim'     => \&another_worker,
    'stats release'   => sub { $t->hup },
    'snapshot'        => \&many_changes,
    'redo: forgotten' => \&lost_race,
    'recover: idle'   => sub { death_at('own: owned') },
    'recover: freed'  => sub { death_at('own: owned') },
    'recover: claim'  => sub { death_at('claim: decided') },
    'recover: spare'  => sub { death_at('player: indexed') },
    'given back'      => sub { death_at('flush: committed') },
);

# Points that this configuration does not lead to: of boards

my $ELSEWHERE = qr/^(?:board|tree): /;


sub another_worker { kill 'KILL', (shuffle($t->workers))[0] }


sub death_at {
    my ($at) = grep { $fault->name($_) eq $_[0] } $fault->points;

    $fault->arm($at, 1, 'KILL');
    wait_until { $fault->victim($at) } 2;
}


# so many that only new views catch up

sub many_changes {
    my $res = eval { $t->post('/rewards', ndjson(map {
        { id => 40_000 + $_, x => 9000, y => 9000 } } 1 .. 9000)) };
}


# a claim that takes so long that others of the same reward come before it

sub lost_race {
    my ($filled) = grep { $fault->name($_) eq 'claim: filled' } $fault->points;

    $fault->arm($filled, 1, 'STOP');

    my $pid = wait_until { $fault->victim($filled) } 2;

    $fault->disarm($filled);
    sleep 0.1;
    kill 'CONT', $pid if $pid;
}


my %dead;


# Whoever comes there first, or a little later

sub kill_at {
    my ($point, $seconds) = @_;
    my $hook = $HOOKS{$fault->name($point)};
    my $nth = $hook ? 1 : 1 + int rand($dead{$point} ? 20 : 3);

    $fault->arm($point, $nth, 'KILL');
    $hook->() if $hook;

    wait_until { $fault->victim($point) } $seconds;
    wait_until { $t->workers == 4 } or die "there are not four workers\n";
}


sub left {
    return grep { !($dead{$_} ||= $fault->victim($_)) }
           grep { $fault->name($_) !~ $ELSEWHERE } $fault->points;
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

is_deeply([ grep { $fault->name($_) =~ $ELSEWHERE
                   && $fault->met($_) } $fault->points ], [],
          'and none was met that is said to be elsewhere');

$fault->disarm;
$crowd->finish;

note sprintf '%s did %d, %d were lost, %d put off, the slowest took %.3f s',
     @$_{qw(name did lost later slowest)} for @{ $crowd->{clients} };

cmp_ok($_->{did}, '>', 100, "$_->{name}: clients went on")
    for @{ $crowd->{clients} };
cmp_ok($crowd->{slowest}, '<', 5, 'nobody waited for the dead');
is_deeply($crowd->{wrong}, [], 'no answer is wrong or contradicts another');
is_deeply([ $crowd->lies ], [], 'each balance is what was granted');

# what the store has, and each part of the ledger

ok(wait_until { counters($t)->{lag} == 0 }, 'all is stored');
ok(wait_until {
       !sql($file, 'SELECT id FROM rewards WHERE taken <>
                    (SELECT count(*) FROM grants WHERE reward = id
                     AND grants.born = rewards.born)')
   }, 'there, too, as many are taken of each as have one');

$t->quit;
like($fault->ledger("$file-ledger"), qr/^sane/, 'the ledger is sane');

unlink "$file-ledger";
$t->again;
is_deeply([ $crowd->lies ], [], 'from the store alone all balances are there');
is_deeply([ $crowd->leftovers(7) ], [], 'and what is left of each stock');

$t->quit;
like($fault->ledger("$file-ledger"), qr/^sane/, 'and it is sane');

done_testing;
