#!/usr/bin/perl

# A replica becomes a master while the master before it still takes writes, and
# that becomes a replica in turn: what it took is lost, and who has followed it
# comes to have what the others have.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Machines;
use Trove::Nginx;
use Trove::Redis;


my ($old, $new) = map { Trove::Redis->start } 1 .. 2;

sub attach {
    my ($to, $of) = @_;

    $to->command(qw(REPLICAOF 127.0.0.1), $of->port);

    ok(wait_until(sub {
           ($to->info('replication', 'master_link_status') // '') eq 'up'
       }), 'there is a replica');
}

attach($new, $old);

my @nodes = map { '127.0.0.1:' . $_->port } $old, $new;
my $all = Trove::Machines->start(1, url => "redis://$nodes[0],$nodes[1]");

sub taps {
    my ($t, $player, $n) = @_;

    is($t->post('/tap', qq({"player":"$player"}))->{status}, 200,
       "$player taps") for 1 .. $n;
}

taps($all->machine(0), 'both', 2);

ok(wait_until(sub {
       ($new->command(qw(HGET trove:{hunt} log)) // 0) == 2
   }), 'the replica has it');


# Each of the two goes on, one of them further

$new->command(qw(REPLICAOF NO ONE));

taps($all->machine(0), 'lost', 3);

$all->add(url => "redis://$nodes[1]");
$all->wait_loaded;

taps($all->machine(1), $_, 2) for qw(first second third);

attach($old, $new);

my $had = $all->agree($new, 'then',
                      players => [qw(both first second third)]);

is_deeply($had->{balances}, { both => 2, first => 2, second => 2, third => 2 },
          'what the new master has');
is($all->machine($_)->get('/tap?player=lost')->{status}, 404,
   'and nothing else') for 0, 1;

done_testing;
