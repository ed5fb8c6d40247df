#!/usr/bin/perl

# Coins come as their weights say, and no worker draws what another one does.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;


my %WEIGHT = (bronze => 80, silver => 15, gold => 5);

my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<'HTTP', server => play_endpoints('hunt'));
    trove hunt {
        capacity players=10k;
        coin bronze value=1  weight=80;
        coin silver value=5  weight=15;
        coin gold   value=25 weight=5;
        coin none   value=1  weight=0;
        %%SIMD%%
    }
HTTP


# The coins that a worker draws, as letters

sub draw {
    my ($c, $n) = @_;
    my $res = $c->request(batch_of('/tap', map { { player => "p$_" } }
                                           1 .. $n));

    return join '', map { substr $_->{coin}, 0, 1 } @{ $res->{lines} };
}


my $of = $t->clients;
my %drawn = map { $_ => draw($of->{$_}, 10_000) } keys %$of;

is(scalar keys %drawn, 4, 'four workers');
is(length $drawn{$_}, 10_000, 'and all they drew') for keys %drawn;

# two sequences of 200 draws are the same by chance once in 10^60

my %seen;

for my $pid (keys %drawn) {
    for my $at (0 .. 9800) {
        my $piece = substr $drawn{$pid}, $at, 200;

        $seen{$piece} = $pid if $at % 200 == 0;
    }
}

my @same;

for my $pid (keys %drawn) {
    for my $at (0 .. 9800) {
        my $by = $seen{ substr $drawn{$pid}, $at, 200 };

        push @same, "$pid at $at" if defined $by && $by != $pid;
    }
}

is_deeply(\@same, [], 'no sequence is another worker\'s');

# nor of a worker that takes the place of another, nor of a reload's

ok($t->hup(gone => 1), 'a reload');
$t->kill_worker(($t->workers)[0]);
$of = $t->clients;

my @first = map { draw($_, 400) } values %$of;
my %first = map { (substr($_, 0, 200) => 1, substr($_, 200) => 1) } @first;

is(scalar keys %first, 8, 'each begins in another way');
is_deeply([ grep { $seen{$_} } keys %first ], [], 'which is not a former one');

# the odds: with two degrees of freedom 44 is exceeded once in 3 * 10^9 runs

my %n;

$n{$_}++ for map { split //, $_ } values %drawn;

my %got = (bronze => $n{b}, silver => $n{s}, gold => $n{g});
my $chi = chi_square(\%got, \%WEIGHT);

note "chi-square of 40000 taps: $chi";
cmp_ok($chi, '<', 44, 'the coins are as likely as they weigh');
is($n{n}, undef, 'one of no weight is never drawn');

my $stats = $t->get_json('/stats')->{troves}{hunt};
my $sum = 0;

$sum += $_ for values %{ $stats->{coins} };

is($sum, 41_600, 'all are counted');
is($stats->{taps_granted}, 41_600, 'as taps, too');
cmp_ok($stats->{coins}{gold}, '>=', $n{g}, 'by their names');

# each of four draws of one player is in the balance

my $value = 0;
my %value = (b => 1, s => 5, g => 25);

$value += $value{ substr $_, 0, 1 } for values %drawn, @first;

is($t->get_json('/tap?player=p1')->{balance}, $value,
   'and the balance is what was drawn');

done_testing;
