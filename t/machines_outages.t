#!/usr/bin/perl

# Ten rounds of what happens to a Redis and to the ways to it, at random
# moments under load: killed and started again with its append-only file,
# stopped, slow, cut off, and replies lost after the requests were delivered.
# Clients ask any of three machines again until they are answered.  No stock is
# granted twice, each tap and each score with a number counts once, nothing that
# was acknowledged is lost, nobody is stuck, and all machines come to have the
# same.

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


my $MACHINES = 3;

my $redis = Trove::Redis->start(append => 1);
my @proxies = map { Trove::Proxy->start($redis->port,
                                        seed => $Trove::Machines::SEED + $_) }
              1 .. $MACHINES;
my $all = Trove::Machines->start($MACHINES,
    url => [ map { 'redis://127.0.0.1:' . $_->port . ' timeout=300ms' }
             @proxies ],
    trove => $Trove::Players::BOARDS);

my $players = Trove::Players->start($all);


# Each is an outage and how it ends

sub any { return $proxies[rand @proxies] }

my %happens = (
    killed => sub {
        $redis->stop('KILL');
        sleep rand 0.3;
        $redis->launch;
    },
    stopped => sub {
        $redis->signal('STOP');
        sleep rand 0.8;
        $redis->signal('CONT');
    },
    slow => sub {
        my $delay = 0.005 + rand 0.1;

        $_->set(delay => $delay) for @proxies;
        sleep 0.5;
        $_->set(delay => 0) for @proxies;
    },
    'too slow' => sub {
        my $proxy = any();

        $proxy->set(delay => 0.4);
        sleep 0.8;
        $proxy->set(delay => 0);
    },
    'cut off' => sub {
        my $proxy = any();

        $proxy->set(refuse => 1);
        $proxy->cut;
        sleep rand 0.6;
        $proxy->well;
    },
    held => sub {
        my $proxy = any();

        $proxy->set(held => 1);
        sleep rand 0.8;
        $proxy->set(held => 0);
    },
    mute => sub {
        my $proxy = any();

        $proxy->set(mute => 1);
        sleep 0.2 + rand 0.4;
        $proxy->well;
    },
    'replies lost' => sub {
        $_->set(lose => 0.1) for @proxies;
        sleep 0.5;
        $_->set(lose => 0) for @proxies;
    },
);


# All of them, and two more

for my $round ((shuffle(sort keys %happens), 'killed', 'replies lost')) {
    note $round;
    sleep rand 0.2;
    $happens{$round}->();
}


$_->well for @proxies;
$players->well('in the end');
$players->finish->adds_up($redis, 'then');

my $again = 0;

$again += $all->figure($_, 'store_calls_again') for 0 .. $MACHINES - 1;
cmp_ok($again, '>', 0, 'calls were sent again whose replies were lost');

done_testing;
