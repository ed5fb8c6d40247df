package Trove::Random;

# Rewards and polls at random: ordinary ones, and those at the edges of the
# world and of float64, in clusters, on grids, at each other's places.
#
# TROVE_SEED in the environment repeats a run.

use strict;
use warnings;

use Test::More;


our $SEED = $ENV{TROVE_SEED} // int(rand(2**31));

srand $SEED;
note("TROVE_SEED=$SEED");

END { diag("TROVE_SEED=$SEED repeats this") if $? }


sub pick { return $_[rand @_] }
sub around { return (rand(2) - 1) * $_[0] }

# 17 digits are what a double needs

sub exact { return 0 + sprintf '%.17g', $_[0] }

# of any magnitude from 10 ** a to 10 ** b

sub magnitude { return exact(10 ** ($_[0] + rand($_[1] - $_[0]))) }


# Objects of numbers as NDJSON, with all digits that there are

sub text {
    return join '', map {
        my $o = $_;

        '{' . join(',', map { sprintf '"%s":%.17g', $_, $o->{$_} }
                        sort keys %$o) . "}\n";
    } @_;
}


# A place, often close to one of those given, or at it

sub place {
    my ($space, @known) = @_;
    my $dice = rand;

    if (@known && $dice < 0.3) {
        my $at = pick(@known);
        my $step = $dice < 0.1 ? 0 : magnitude(-12, 1);

        return inside($space, $at->{x} + around($step),
                      $at->{y} + around($step));
    }

    return $space eq 'plane' ? plane($dice) : earth($dice);
}


sub inside {
    my ($space, $x, $y) = @_;

    if ($space eq 'earth') {
        $x = 180 if $x > 180;
        $x = -180 if $x < -180;
        $y = 90 if $y > 90;
        $y = -90 if $y < -90;
    }

    return { x => exact($x), y => exact($y) };
}


sub plane {
    my $dice = shift;

    return { x => 7, y => 7 } if $dice < 0.35;
    return { x => int(around(12)), y => int(around(12)) } if $dice < 0.5;
    return { x => exact(around(1000)), y => exact(around(1000)) }
        if $dice < 0.9;

    return { x => extreme(), y => extreme() };
}


sub extreme {
    return pick(0, -0.0, 1, -1) * pick(1.7976931348623157e308, 5e-324, 1e-160,
                                       1e150, 1e16, 16777217, 0.1,
                                       magnitude(-300, 300));
}


# a tenth each near the poles and the antimeridian, and some in one heap

sub earth {
    my $dice = shift;
    my ($x, $y) = (around(180), around(90));

    if ($dice < 0.4) {
        $y = pick(-1, 1) * (90 - pick(0, magnitude(-12, 0)));

    } elsif ($dice < 0.5) {
        $x = pick(-1, 1) * (180 - pick(0, magnitude(-12, 0)));

    } elsif ($dice < 0.6) {
        ($x, $y) = (12.49 + around(0.01), 41.89 + around(0.01));

    } elsif ($dice < 0.65) {
        ($x, $y) = (pick(-180, -90, 0, 90, 180), pick(-90, 0, 45, 90));

    } elsif ($dice < 0.7) {
        ($x, $y) = (12.5, 41.9);
    }

    return inside('earth', $x, $y);
}


# A reward; "now" is far from all that begins and ends

sub reward {
    my ($space, $now, $id, @known) = @_;
    my %reward = (id => $id, %{ place($space, @known) });

    $reward{value} = pick(0, 1, -1, 50, 2147483647, -2147483648)
        if rand() < 0.5;
    $reward{level} = pick(levels()) if rand() < 0.5;
    $reward{stock} = pick(0, 1, 7, 4294967295) if rand() < 0.1;

    if (rand() < 0.2) {
        ($reward{starts}, $reward{expires})
            = @{ pick([ 0, 1 ], [ 0, $now - 1000 ], [ 0, $now + 1000 ],
                      [ 1, 0 ], [ $now - 1000, $now + 1000 ],
                      [ $now - 1000, 4294967295 ], [ $now + 1000, 0 ],
                      [ $now - 2000, $now - 1000 ], [ 4294967294, 0 ]) };
    }

    return \%reward;
}


sub levels {
    return (0, 1, 5, 5.000000000000001, -3.5, 1e-300, -1e300, 1e300, 16777217);
}


# A poll

sub query {
    my ($space, $max, @known) = @_;
    my %q = (%{ place($space, @known) }, limit => 3);

    if (rand() < 0.7) {
        $q{r} = length_of($space, $max);

    } else {
        $q{w} = length_of($space, $max) * pick(1, 2);
        $q{h} = length_of($space, $max) * pick(1, 2);
    }

    $q{limit} = pick(1, 2, 10, 64) if rand() < 0.5;
    $q{level} = pick(levels()) if rand() < 0.5;
    $q{detail} = 1 if rand() < 0.3;

    return \%q;
}


# On the earth some are as long as to a pole, or to the other side

sub length_of {
    my ($space, $max) = @_;

    return pick(0, 1, 3, 5, 13, magnitude(-3, 4), magnitude(-3, 4),
                magnitude(-170, 150), $max)
        if $space eq 'plane';

    return pick(0, 100, 500, magnitude(-4, 7.2), magnitude(1, 7.2),
                1e7, 10007557.2, 20015115, 6371008.8 * 4 * atan2(1, 1), $max);
}


1;
