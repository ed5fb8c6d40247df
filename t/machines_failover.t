#!/usr/bin/perl

# A master that is killed and whose replica takes its place, and one that hands
# over as planned, under load: with "replicas=1" nothing that was acknowledged
# is lost, and all machines, which know both nodes, come to have the same.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Machines;
use Trove::Nginx;
use Trove::Players;
use Trove::Redis;


my $MACHINES = 2;

my $master = Trove::Redis->start(append => 1);
my $replica = Trove::Redis->start(append => 1);


sub attach {
    my ($to, $of) = @_;

    $to->command('REPLICAOF', '127.0.0.1', $of->port);

    ok(wait_until(sub {
           ($to->info('replication', 'master_link_status') // '') eq 'up'
           && ($of->info('replication', 'slave0') // '') =~ /state=online/
       }), 'there is a replica');
}


attach($replica, $master);

my $nodes = join ',', map { '127.0.0.1:' . $_->port } $master, $replica;
my $all = Trove::Machines->start($MACHINES,
    url => "redis://$nodes replicas=1 timeout=500ms",
    trove => $Trove::Players::BOARDS);

my $players = Trove::Players->start($all, clients => 3);


# The master dies, and its replica is what is left; it comes back as a replica

sleep 0.3 + rand 0.3;
$master->stop('KILL');
sleep rand 0.2;
$replica->command(qw(REPLICAOF NO ONE));
$master->launch;
attach($master, $replica);
$players->well('killed');


# As planned: writes are held back until the replica has all

sleep 0.2 + rand 0.3;
$replica->command(qw(FAILOVER));
ok(wait_until(sub { $master->info('replication', 'role') eq 'master'
                    && $replica->info('replication', 'role') eq 'slave' }),
   'handed over');
$players->well('planned');
sleep 0.2;


$players->finish->adds_up($master, 'then');

done_testing;
