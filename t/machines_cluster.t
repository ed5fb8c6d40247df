#!/usr/bin/perl

# A cluster of three nodes with two troves on different ones, played through two
# machines, one of which knows another node first.  Meanwhile the slot of one
# trove moves to a node that neither has been told of.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my @nodes = map { Trove::Redis->start(cluster => 1,
                                      conf => [ 'cluster-node-timeout 2000',
                                                'cluster-port '
                                                . Trove::Nginx::free_port() ]) }
            1 .. 3;

create();

sub create {
    my $addresses = join ' ', map { '127.0.0.1:' . $_->port } @nodes;
    my $said = `redis-cli --cluster create $addresses --cluster-yes 2>&1`;

    like($said, qr/All 16384 slots covered/, 'a cluster of three') or die;
    ok(wait_until(sub {
           !grep { $_->said(qw(CLUSTER INFO)) !~ /cluster_state:ok/ } @nodes
       }), 'which all know');
}


# Names of troves whose slots are of the first and of the second node

sub name_of {
    my ($first, $last) = @_;

    for (my $n = 0; ; $n++) {
        my $slot = $nodes[0]->command(qw(CLUSTER KEYSLOT), "hunt$n");

        return ("hunt$n", $slot) if $slot >= $first && $slot <= $last;
    }
}

my ($one, $slot) = name_of(0, 5460);
my ($two) = name_of(5461, 10922);


sub conf {
    my @urls = map { 'redis://127.0.0.1:' . $nodes[$_]->port } @_;

    return (workers => 2, http => <<"HTTP",
    trove $one { capacity rewards=1k players=1k; coin a value=1 weight=1;
                 store $urls[0]; %%SIMD%% }
    trove $two { capacity rewards=1k players=1k; coin a value=1 weight=1;
                 store $urls[1]; %%SIMD%% }
    keepalive_requests 1000000;
HTTP
            server => join '', "location /stats { trove_stats; }\n", map {
                my $trove = $_;
                map { "location /$trove/$_ { trove_$_ $trove; }\n" }
                    qw(poll tap rewards)
            } $one, $two);
}

# each trove is asked for at a node that has it, and at one that has it not

my @machines = map { Trove::Nginx->start(conf(@$_)) } [ 0, 1 ], [ 1, 0 ];
my $all = bless { machines => \@machines }, 'Trove::Machines';

for my $t (@machines) {
    for my $trove ($one, $two) {
        ok(wait_until(sub {
               $t->get("/$trove/poll?x=0&y=0")->{status} == 200
           }), "$trove is there");
    }
}


sub play {
    my ($number, $ends) = @_;
    my (%taps, %of, @wrong);

    until ($ends->()) {
        for my $trove ($one, $two) {
            my $seq = ++$taps{$trove};
            my $res = $all->ask(\%of, 'POST', "/$trove/tap",
                                { 'Content-Type' => 'application/json' },
                                qq({"player":"t$number","seq":$seq}));

            push @wrong, "$trove $seq: $res->{body}"
                if ($res->{json}{balance} // -1) != $seq;
        }

        sleep 0.005;
    }

    return { number => $number, taps => \%taps, wrong => \@wrong };
}


my @loads = map { my $number = $_;
                  Trove::Load->start(sub { play($number, @_) }) } 1 .. 3;


# The slot of the first trove goes to the third node: keys move one by one, and
# calls meet ASK, TRYAGAIN and MOVED

sleep 0.3;

my ($from, $to) = @nodes[0, 2];
my ($from_id, $to_id) = map { $_->command(qw(CLUSTER MYID)) } $from, $to;

$to->command(qw(CLUSTER SETSLOT), $slot, 'IMPORTING', $from_id);
$from->command(qw(CLUSTER SETSLOT), $slot, 'MIGRATING', $to_id);

while (my @keys = @{ $from->command(qw(CLUSTER GETKEYSINSLOT), $slot, 1) }) {
    $from->command('MIGRATE', '127.0.0.1', $to->port, $keys[0], 0, 5000);
    sleep 0.02;
}

for my $node ($to, $from, $nodes[1]) {
    $node->command(qw(CLUSTER SETSLOT), $slot, 'NODE', $to_id);
}

is($from->command(qw(CLUSTER COUNTKEYSINSLOT), $slot), 0, 'the slot has moved');

for my $t (@machines) {
    ok(wait_until(sub {
           eval { $t->request('POST', "/$one/tap",
                              { 'Content-Type' => 'application/json' },
                              '{"player":"last"}')->{status} == 200 }
       }), 'writes go there');
}

sleep 0.3;

for my $did (map { $_->finish } @loads) {
    note "$did->{number}: $did->{taps}{$one} taps of each";
    cmp_ok($did->{taps}{$one}, '>', 5, 'there was load');
    is_deeply($did->{wrong}, [], 'each tap counts once');

    for my $t (@machines) {
        for my $trove ($one, $two) {
            ok(wait_until(sub {
                   $t->get_json("/$trove/tap?player=t$did->{number}")->{balance}
                   == $did->{taps}{$trove}
               }), "$trove: each machine has them");
        }
    }
}


# What is put by one is seen by the other, of both troves

for my $trove ($one, $two) {
    my $res = $machines[0]->post("/$trove/rewards", '{"id":1,"x":1,"y":1}');

    is($res->{status}, 200, "$trove: a reward");
    ok(wait_until(sub {
           $machines[1]->get_json("/$trove/poll?x=1&y=1&r=1")->{found} == 1
       }), 'that the other one shows');
}

is($nodes[1]->command('EXISTS', "trove:{$two}"), 1, 'each is at its node');
is($nodes[2]->command('EXISTS', "trove:{$one}"), 1, 'and the other as well');

done_testing;
