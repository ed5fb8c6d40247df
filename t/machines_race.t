#!/usr/bin/perl

# Players race for small stocks through two and through three machines: each
# stock goes to exactly as many players, no answer contradicts another, and in
# the end all machines have the same rewards, balances and board.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my ($CLIENTS, $REWARDS, $PLAYERS) = (6, 120, 40);


# All claim the same rewards at the same time: they go up together

sub race {
    my ($all, $seed, $ends) = @_;
    my ($at, @answers, %of) = (0);

    srand $seed;

    until ($ends->() || $at > 4 * $REWARDS) {
        my $n = rand() < 0.2 ? 1 + int rand 20 : 1;
        my @claims = map { [ 'p' . int rand $PLAYERS,
                             1 + ($at + int rand 20) % $REWARDS ] } 1 .. $n;

        $at += int rand 4;

        my $res = $all->ask(\%of, $n == 1 ? claim_of(@{ $claims[0] })
            : batch_of('/claim', map { { player => $_->[0],
                                         reward => $_->[1] } } @claims));

        for my $claim (@claims) {
            my $said = $n == 1 ? $res->{json} : shift @{ $res->{lines} };
            my $error = $said->{error} // $said->{detail} // '';

            push @answers, [ @$claim, $error =~ /stock is gone/ ? 409
                                      : $error || 200,
                             @$said{qw(value balance)} ];
        }
    }

    return \@answers;
}


for my $machines (2, 3) {
    my $redis = Trove::Redis->start;
    my $all = Trove::Machines->start($machines, url => $redis->url,
        trove => 'board all rows=100 from=claims;');
    my %stock = map { $_ => 1 + int rand 5 } 1 .. $REWARDS;
    my %value = map { $_ => 1 + int rand 1000 } 1 .. $REWARDS;
    my $t = $all->machine($machines - 1);

    is($t->load('/rewards', '/poll?x=0&y=0',
                map { { id => $_, x => 0, y => 0, stock => $stock{$_},
                        value => $value{$_} } } 1 .. $REWARDS)
         ->{json}{accepted}, $REWARDS, "$machines machines: rewards");

    my @loads = map { my $seed = int rand 2**31;
                      Trove::Load->start(sub { race($all, $seed, @_) }) }
                1 .. $CLIENTS;
    my $left;

    ok(wait_until(sub { $left = $t->get_json('/poll?x=0&y=0&r=1')->{found};
                        $left == 0 }, 60),
       'everything is claimed, and no poll shows it') or diag $left;

    my @answers = map { @{ $_->finish } } @loads;
    my ($stock, %had, %sum) = (0);

    $stock += $_ for values %stock;

    for (@answers) {
        my ($player, $reward, $status) = @$_;

        $sum{$player} += $value{$reward}
            if $status eq '200' && !$had{"$player $reward"}++;
    }

    is(keys %had, $stock, 'each stock is given out');
    is_deeply([ contradictions(\%stock, \%value, @answers) ], [],
              'and no answer contradicts another');

    my $is = $all->agree($redis, "$machines machines", boards => [ 'all' ],
                         players => [ sort keys %sum ]);

    is_deeply($is->{balances}, \%sum, 'each balance is what was granted');
    is_deeply({ map { $_->[1] => $_->[2] } @{ $is->{boards}{all} } }, \%sum,
              'and so is each score');
    is($all->figure($_, 'claims'), $stock, 'as many claims are there')
        for 0 .. $machines - 1;

    note scalar(@answers) . " answers, stocks of $stock";

    $_->stop for $all->machines;
    $redis->stop;
}

done_testing;
