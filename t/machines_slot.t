#!/usr/bin/perl

# The slot of a trove moves to another node of a cluster, the trove's hash
# before its rows: where not all of it is nothing is decided.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Machines;
use Trove::Nginx;
use Trove::Redis;


my ($from, $to) = map {
    Trove::Redis->start(cluster => 1,
                        conf => [ 'cluster-port '
                                  . Trove::Nginx::free_port() ])
} 1 .. 2;

$from->command(qw(CLUSTER ADDSLOTSRANGE 0 16383));
$to->command(qw(CLUSTER MEET 127.0.0.1), $from->port,
             $from->said(qw(CLUSTER NODES)) =~ /\@(\d+)/);

ok(wait_until(sub {
       !grep { $_->said(qw(CLUSTER INFO))
               !~ /cluster_state:ok.*cluster_known_nodes:2/s } $from, $to
   }), 'a cluster of two');


my $all = Trove::Machines->start(1, url => 'redis://127.0.0.1:' . $from->port);
my $t = $all->machine(0);

$t->post('/rewards', '{"id":1,"x":1,"y":1,"value":5,"stock":1}');

is($t->post('/claim', '{"player":"p1","reward":1,"x":1,"y":1}')->{status}, 200,
   'a reward is claimed');
is($t->post('/tap', qq({"player":"p2","seq":$_}))->{status}, 200, "tap $_")
    for 1 .. 3;


my $slot = $from->command(qw(CLUSTER KEYSLOT), 'trove:{hunt}');
my ($from_id, $to_id) = map { $_->command(qw(CLUSTER MYID)) } $from, $to;

sub migrate {
    return $from->said('MIGRATE', '127.0.0.1', $to->port, $_[0], 0, 5000);
}

$to->command(qw(CLUSTER SETSLOT), $slot, 'IMPORTING', $from_id);
$from->command(qw(CLUSTER SETSLOT), $slot, 'MIGRATING', $to_id);
like(migrate('trove:{hunt}'), qr/OK/, 'the hash goes first');

is($t->post(@$_)->{status}, 503, "meanwhile no $_->[0]") for
    [ '/tap', '{"player":"p2","seq":4}' ],
    [ '/claim', '{"player":"p1","reward":1,"x":1,"y":1}' ],
    [ '/claim', '{"player":"p3","reward":1,"x":1,"y":1}' ],
    [ '/rewards', '{"id":2,"x":1,"y":1}' ];

is($t->get_json('/poll?x=1&y=1&r=1')->{found}, 0, 'polls go on');

for my $key (@{ $from->command(qw(CLUSTER GETKEYSINSLOT), $slot, 100) }) {
    like(migrate($key), qr/OK/, "$key follows");
}

$_->command(qw(CLUSTER SETSLOT), $slot, 'NODE', $to_id) for $to, $from;


# All of it is there now, as it was

my %of;

sub ask {
    return $all->ask(\%of, 'POST', $_[0],
                     { 'Content-Type' => 'application/json' }, $_[1]);
}

is(ask('/tap', '{"player":"p2","seq":4}')->{json}{balance}, 4,
   'who has tapped has what he had');
ok(ask('/claim', '{"player":"p1","reward":1,"x":1,"y":1}')->{json}{repeat},
   'who has claimed has claimed');
is(ask('/claim', '{"player":"p3","reward":1,"x":1,"y":1}')->{status}, 409,
   'and nobody else does');

$all->agree($to, 'then', players => [qw(p1 p2)]);

done_testing;
