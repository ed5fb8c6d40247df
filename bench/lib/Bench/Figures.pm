package Bench::Figures;

# What was measured against what is to be reached.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(max min);


our @EXPORT = qw(figure figure_of figures median);

my @figures;


# figure(name, '>=' or '<=', what to reach, unit, values): the median of the
# values has to reach it

sub figure {
    my ($name, $op, $target, $unit, @values) = @_;

    figure_of($name, $op, $target, $unit, median(@values),
              $op eq '>=' ? max(@values) : min(@values));
}


sub figure_of {
    my ($name, $op, $target, $unit, $median, $best) = @_;
    my $reached = $op eq '>=' ? $median >= $target : $median <= $target;

    push @figures, [$name, "$op $target $unit", number($median),
                    number($best), $reached ? 'reached' : 'missed'];
}


sub row {
    my $row = shift;

    printf "%-58s %-18s %9s %9s  %s\n", @$row;
}


# All of them

sub figures {
    return if @figures == 0;

    print "\n";
    row(['figure', 'to reach', 'median', 'best', '']);
    row($_) for @figures;

    my $missed = grep { $_->[4] eq 'missed' } @figures;

    printf "\n%d reached, %d missed\n", @figures - $missed, $missed;
}


sub number {
    my $n = shift;

    return sprintf $n >= 100 ? '%.0f' : $n >= 10 ? '%.1f' : '%.2f', $n;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    die "nothing was measured\n" if @sorted == 0;

    return @sorted % 2 ? $sorted[$#sorted / 2]
                       : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}


1;
