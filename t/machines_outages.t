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
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Load;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my ($MACHINES, $ROUNDS, $CLIENTS, $REWARDS) = (3, 10, 4, 4000);

my $redis = Trove::Redis->start(append => 1);
my @proxies = map { Trove::Proxy->start($redis->port,
                                        seed => $Trove::Machines::SEED + $_) }
              1 .. $MACHINES;
my $all = Trove::Machines->start($MACHINES,
    url => [ map { 'redis://127.0.0.1:' . $_->port . ' timeout=300ms' }
             @proxies ],
    trove => "board sums rows=1k keep=sum;\nboard earned rows=5k from=claims;");

my %stock = map { $_ => 1 + $_ % 3 } 1 .. $REWARDS;
my %value = map { $_ => 1 + $_ % 7 } 1 .. $REWARDS;

is($all->machine(0)->load('/rewards', '/poll?x=0&y=0',
                          map { { id => $_, x => 0, y => 0,
                                  stock => $stock{$_}, value => $value{$_} } }
                          1 .. $REWARDS)->{json}{accepted}, $REWARDS,
   'rewards');


# Taps and scores of a player of one's own, claims that others want, too: what
# is raced for goes up by time, so that it does whatever others wait for

sub play {
    my ($number, $seed, $began, $ends) = @_;
    my ($taps, $seq, $sum, @claims, @wrong, %of) = (0, 0, 0);

    srand $seed;

    until ($ends->()) {
        my $dice = rand;

        if ($dice < 0.35) {
            my $res = $all->ask(\%of, tap_of("t$number", seq => ++$taps));

            push @wrong, "tap $taps: $res->{body}"
                if ($res->{json}{balance} // -1) != $taps;

        } elsif ($dice < 0.65) {
            my $score = 1 + int rand 1000;
            my $res = $all->ask(\%of, score_of('sums', "s$number", $score,
                                               seq => ++$seq));

            $sum += $score;
            push @wrong, "score $seq: $res->{body}, not $sum"
                if ($res->{json}{score} // -1) != $sum;

        } else {
            my $player = 'p' . int rand 50;
            my $reward = 1 + (int(200 * (time - $began)) + int rand 20)
                             % $REWARDS;
            my $res = $all->ask(\%of, claim_of($player, $reward));

            push @claims, [ $player, $reward, $res->{status},
                            @{ $res->{json} }{qw(value balance)} ];
        }

        sleep rand 0.01;
    }

    return { taps => $taps, sum => $sum, claims => \@claims, wrong => \@wrong,
             later => $of{later} // 0, lost => $of{lost} // 0,
             number => $number };
}


my $began = time;
my @loads = map { my ($number, $seed) = ($_, int rand 2**31);
                  Trove::Load->start(sub { play($number, $seed, $began, @_) }) }
            1 .. $CLIENTS;


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

my @rounds = sort { $a->[1] <=> $b->[1] } map { [ $_, rand ] } sort keys %happens;

push @rounds, [ 'killed' ], [ 'replies lost' ];
@rounds = @rounds[0 .. $ROUNDS - 1];

for my $round (@rounds) {
    note $round->[0];
    sleep rand 0.2;
    $happens{$round->[0]}->();
}


# Well again: all take writes, and nobody waits

$_->well for @proxies;

for my $i (0 .. $MACHINES - 1) {
    my $t = $all->machine($i);

    ok(wait_until(sub {
           eval { $t->request(tap_of('last', seq => $i + 1))->{status} == 200 }
       }), "machine $i takes writes again");
}

my @did = map { $_->finish } @loads;

for my $did (@did) {
    note "$did->{number}: $did->{taps} taps, " . @{ $did->{claims} }
         . " claims, $did->{later} put off, $did->{lost} lost";
    is_deeply($did->{wrong}, [], 'what has a number counts once');
}

my @claims = map { @{ $_->{claims} } } @did;
my (%sum, %had);

for (@claims) {
    my ($player, $reward, $status) = @$_;

    $sum{$player} += $value{$reward}
        if $status eq '200' && !$had{"$player $reward"}++;
}

is_deeply([ contradictions(\%stock, \%value, @claims) ], [],
          'no answer to a claim contradicts another');

my %balance = (%sum, last => $MACHINES, map { ("t$_->{number}" => $_->{taps}) }
                                        @did);
my $is = $all->agree($redis, 'then', boards => [ 'sums', 'earned' ],
                     players => [ sort keys %balance ]);

is_deeply($is->{balances}, \%balance, 'each balance is what was acknowledged');
is_deeply({ map { @$_[1, 2] } @{ $is->{boards}{earned} } }, \%sum,
          'so is each score of claims');
is_deeply({ map { @$_[1, 2] } @{ $is->{boards}{sums} } },
          { map { ("s$_->{number}" => $_->{sum}) } @did }, 'and each sum');

for my $i (0 .. $MACHINES - 1) {
    ok(wait_until(sub { $all->figure($i, 'store_waiting') == 0 }),
       "machine $i: nobody waits");
    is($all->figure($i, 'breaker_state'), 0, 'and its breaker is closed');
}

done_testing;
