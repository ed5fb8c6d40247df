#!/usr/bin/perl

# Machines that are reloaded, upgraded (USR2), and whose workers are killed,
# while players play and replies of Redis are outstanding.  What was
# acknowledged is there, each number counts once, nobody is stuck, and all
# machines have the same.

use strict;
use warnings;

use FindBin;
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Machines;
use Trove::Nginx;
use Trove::Players;
use Trove::Proxy;
use Trove::Redis;


my $MACHINES = 2;

my $redis = Trove::Redis->start;
my @proxies = map { Trove::Proxy->start($redis->port) } 1 .. $MACHINES;
my $all = Trove::Machines->start($MACHINES, daemon => 1,
    url => [ map { 'redis://127.0.0.1:' . $_->port . ' timeout=500ms' }
             @proxies ],
    trove => $Trove::Players::BOARDS);
my $players = Trove::Players->start($all, clients => 4);


# Requests are delivered, and their replies are late, so that there always are
# some outstanding

$_->set(delay => 0.02) for @proxies;

my %happens = (
    killed => sub {
        my $t = shift;
        my @workers = $t->workers;

        $t->kill_worker($workers[rand @workers]);
    },
    'all killed' => sub {
        my $t = shift;

        $t->kill_worker($_) for $t->workers;
    },
    reloaded => sub {
        ok($_[0]->hup(gone => 1), 'a reload, after which old workers end');
    },
    upgraded => sub {
        my $t = shift;
        my $old = $t->usr2;

        cmp_ok($t->quit(master => $old), '<', 10, 'the old master ends');
    },
    'killed unanswered' => sub {
        my $t = shift;
        my @workers = $t->workers;

        $redis->signal('STOP');
        sleep 0.1;
        $t->kill_worker($workers[0]);
        $redis->signal('CONT');
    },
    'reloaded unanswered' => sub {
        my $t = shift;

        $redis->signal('STOP');
        sleep 0.1;
        $t->signal('HUP');
        sleep 0.2;
        $redis->signal('CONT');
    },
);

for my $round (shuffle(sort keys %happens), 'killed') {
    note $round;
    $happens{$round}->($all->machine(rand $MACHINES));
    sleep rand 0.2;
}

$_->well for @proxies;

for my $t ($all->machines) {
    ok(wait_until(sub { $t->workers(all => 1) == 2 }), 'old workers end');
}

$players->well('then');
$players->finish->adds_up($redis, 'then');

done_testing;
