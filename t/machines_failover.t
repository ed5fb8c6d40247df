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
use Trove::Board;
use Trove::Load;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my ($MACHINES, $CLIENTS, $REWARDS) = (2, 3, 2000);

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
    trove => 'board earned rows=5k from=claims;');

is($all->machine(0)->load('/rewards', '/poll?x=0&y=0',
                          map { { id => $_, x => 0, y => 0, value => 1,
                                  stock => 2 } } 1 .. $REWARDS)
       ->{json}{accepted}, $REWARDS, 'rewards');


sub play {
    my ($number, $seed, $ends) = @_;
    my ($taps, @claims, @wrong, %of) = (0);

    srand $seed;

    until ($ends->()) {
        my $res = $all->ask(\%of, tap_of("t$number", seq => ++$taps));

        push @wrong, "tap $taps: $res->{body}"
            if ($res->{json}{balance} // -1) != $taps;

        my ($player, $reward) = ('p' . int rand 50, 1 + int rand $REWARDS);

        $res = $all->ask(\%of, claim_of($player, $reward));
        push @claims, [ $player, $reward, $res->{status},
                        @{ $res->{json} }{qw(value balance)} ];
        sleep rand 0.01;
    }

    return { taps => $taps, claims => \@claims, wrong => \@wrong,
             number => $number, later => $of{later} // 0 };
}


my @loads = map { my ($number, $seed) = ($_, int rand 2**31);
                  Trove::Load->start(sub { play($number, $seed, @_) }) }
            1 .. $CLIENTS;


sub takes_writes {
    my $what = shift;

    for my $i (0 .. $MACHINES - 1) {
        my $t = $all->machine($i);

        ok(wait_until(sub {
               eval { $t->request(tap_of('last'))->{status} == 200 }
           }), "$what: machine $i takes writes");
    }
}


# The master dies, and its replica is what is left; it comes back as a replica

sleep 0.3 + rand 0.3;
$master->stop('KILL');
sleep rand 0.2;
$replica->command(qw(REPLICAOF NO ONE));
$master->launch;
attach($master, $replica);
takes_writes('killed');


# As planned: writes are held back until the replica has all

sleep 0.2 + rand 0.3;
$replica->command(qw(FAILOVER));
ok(wait_until(sub { $master->info('replication', 'role') eq 'master'
                    && $replica->info('replication', 'role') eq 'slave' }),
   'handed over');
takes_writes('planned');
sleep 0.2;


my @did = map { $_->finish } @loads;

for my $did (@did) {
    note "$did->{number}: $did->{taps} taps, $did->{later} put off";
    cmp_ok($did->{taps}, '>', 2, 'there was load');
    is_deeply($did->{wrong}, [], 'what has a number counts once');
}

my @claims = map { @{ $_->{claims} } } @did;
my (%balance, %had);

for (@claims) {
    my ($player, $reward, $status) = @$_;

    $balance{$player}++ if $status eq '200' && !$had{"$player $reward"}++;
}

is_deeply([ contradictions({ map { $_ => 2 } 1 .. $REWARDS },
                           { map { $_ => 1 } 1 .. $REWARDS }, @claims) ], [],
          'no answer to a claim contradicts another');

my %sum = %balance;

$balance{"t$_->{number}"} = $_->{taps} for @did;

my $is = $all->agree($master, 'then', boards => [ 'earned' ],
                     players => [ sort keys %balance ]);

is_deeply($is->{balances}, \%balance, 'each balance is what was acknowledged');
is_deeply({ map { @$_[1, 2] } @{ $is->{boards}{earned} } }, \%sum,
          'so is each score');

done_testing;
