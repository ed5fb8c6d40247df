package Trove::Model;

# A trove as it would be without any cleverness: every reward is looked at for
# every poll, in float64.  Distances on the earth are computed by another
# formula than trove's own: what comes closer to an edge, or to each other,
# than either can tell is in doubt and counted, not judged.  On the plane
# nothing is.

use strict;
use warnings;

use List::Util qw(max min);


our $EARTH = 6371008.8;
our $RAD = atan2(1, 1) / 45;


# space: 'plane' or 'earth'; now: the time that polls are made at, in seconds,
# which no reward starts or ends close to

sub new {
    my ($class, $space, $now) = @_;

    return bless { space => $space, now => $now, rewards => {},
                   doubtful => 0, polls => 0 }, $class;
}


sub put {
    my ($self, @rewards) = @_;

    for my $r (@rewards) {
        $self->{rewards}{$r->{id}} = { value => 0, level => 0, stock => 1,
                                       starts => 0, expires => 0, %$r };
    }

    delete $self->{live};
}


sub remove {
    my ($self, @ids) = @_;

    delete @{ $self->{rewards} }{@ids};
    delete $self->{live};
}


sub ids { return keys %{ $_[0]{rewards} } }


# Those that can be had now, from south to north, with what of them does not
# depend on the poll

sub live {
    my $self = shift;
    my $now = $self->{now};

    return $self->{live} ||= [
        map { { %$_, sin => sin($_->{y} * $RAD), cos => cos($_->{y} * $RAD) } }
        sort { $a->{y} <=> $b->{y} }
        grep { $_->{stock} > 0 && $_->{starts} <= $now
               && (!$_->{expires} || $now < $_->{expires}) }
        values %{ $self->{rewards} }
    ];
}


# Two lists of [reward, distance, what they are sorted by]: who is within for
# certain, and who may be

sub within {
    my ($self, $q) = @_;
    my $how = $self->{space} eq 'plane'
              ? (defined $q->{w} ? \&plane_box : \&plane_circle)
              : (defined $q->{w} ? \&earth_box : \&earth_circle);
    my $level = $q->{level} // 0;
    my (@sure, @doubt);

    for my $r ($self->band($q)) {
        next if $r->{level} > $level;

        my ($in, @distance) = $how->($q, $r);

        next if $in eq 'no';
        push @{ $in eq 'yes' ? \@sure : \@doubt }, [ $r, @distance ];
    }

    return (\@sure, \@doubt);
}


# On the earth nobody can be within who is further north or south

sub band {
    my ($self, $q) = @_;
    my $live = $self->live;

    return @$live if $self->{space} eq 'plane';

    my $reach = ((defined $q->{w} ? $q->{h} / 2 : $q->{r}) * 1.000001 + 1)
                / ($EARTH * $RAD);

    return @$live[first_from($live, $q->{y} - $reach)
                  .. first_from($live, $q->{y} + $reach) - 1];
}


# Index of the first reward whose y is not below

sub first_from {
    my ($live, $y) = @_;
    my ($low, $high) = (0, scalar @$live);

    while ($low < $high) {
        my $i = int(($low + $high) / 2);

        if ($live->[$i]{y} < $y) {
            $low = $i + 1;
        } else {
            $high = $i;
        }
    }

    return $low;
}


sub plane_circle {
    my ($q, $r) = @_;
    my ($dx, $dy) = ($r->{x} - $q->{x}, $r->{y} - $q->{y});
    my $square = $dx * $dx + $dy * $dy;

    return ($square <= $q->{r} * $q->{r} ? 'yes' : 'no', sqrt $square,
            $square);
}


sub plane_box {
    my ($q, $r) = @_;
    my ($dx, $dy) = ($r->{x} - $q->{x}, $r->{y} - $q->{y});
    my $square = $dx * $dx + $dy * $dy;

    return (abs($dx) <= $q->{w} / 2 && abs($dy) <= $q->{h} / 2 ? 'yes' : 'no',
            sqrt $square, $square);
}


sub earth_circle {
    my ($q, $r) = @_;
    my $distance = earth_distance($q, $r);

    return ('yes', $distance, $distance)
        if $distance == 0 || $q->{r} >= $EARTH * 4 * atan2(1, 1);

    return (side($distance, $q->{r}), $distance, $distance);
}


# North and south along the meridian, east and west along the reward's own
# parallel

sub earth_box {
    my ($q, $r) = @_;
    my $turn = abs($r->{x} - $q->{x});

    $turn = 360 - $turn if $turn > 180;

    my $high = $r->{y} == $q->{y}
               ? 'yes' : side(abs($r->{y} - $q->{y}) * $RAD * $EARTH,
                              $q->{h} / 2);
    my $wide = $turn == 0
               ? 'yes' : side($turn * $RAD * $EARTH * $r->{cos}, $q->{w} / 2);
    my $in = $high eq 'no' || $wide eq 'no' ? 'no'
             : $high eq 'yes' && $wide eq 'yes' ? 'yes' : 'maybe';

    my $distance = $in eq 'no' ? 0 : earth_distance($q, $r);

    return ($in, $distance, $distance);
}


# By the angle between two vectors, which is good at any distance

sub earth_distance {
    my ($q, $r) = @_;

    return 0 if $q->{x} == $r->{x} && $q->{y} == $r->{y};

    my $turn = ($r->{x} - $q->{x}) * $RAD;
    my ($sin, $cos) = (sin($q->{y} * $RAD), cos($q->{y} * $RAD));
    my $east = $r->{cos} * sin $turn;
    my $north = $cos * $r->{sin} - $sin * $r->{cos} * cos $turn;

    return $EARTH * atan2(sqrt($east * $east + $north * $north),
                          $sin * $r->{sin} + $cos * $r->{cos} * cos $turn);
}


sub side {
    my ($distance, $edge) = @_;

    return 'maybe' if close_to($distance, $edge);

    return $distance < $edge ? 'yes' : 'no';
}


# Whether two distances on the earth are the same as far as float64 can tell:
# 1e-9 of them, and more on the other side of the earth, where a degree's last
# bits are decimetres

sub close_to {
    my ($a, $b) = @_;
    my $left = abs($EARTH * 4 * atan2(1, 1) - $a);

    return abs($a - $b) <= 1e-9 * $a + 1e-8 + 0.02 / ($left + 0.1);
}


# What is wrong with an answer to the poll, '' if nothing is.  A query says
# all that matters: x, y, r or w and h, limit, and may say level and detail.

sub wrong {
    my ($self, $q, $line) = @_;
    my ($found, $text) = $line =~
        /^\{"version":\d+,"found":(\d+),"rewards":\[(.*)\]\}$/
        or return 'is not an answer';
    my @got = $q->{detail} ? details($text)
                           : map { { id => $_ } } split /,/, $text;
    my %listed = map { $_->{id} => 1 } @got;
    my ($sure, $doubt) = $self->within($q);
    my %hits = map { $_->[0]{id} => $_ } grep { $listed{$_->[0]{id}} }
               @$sure, @$doubt;

    $self->{polls}++;
    $self->{doubtful}++ if @$doubt;

    return 'found must be ' . @$sure . (@$doubt ? ' or a little more' : '')
        if $found < @$sure || $found > @$sure + @$doubt;

    return 'lists ' . @got . ' of them'
        if @got != min($found, $q->{limit}) || keys %listed != @got;

    for (@got) {
        my $hit = $hits{$_->{id}}
            or return "lists $_->{id}, which is not within";
        my $wrong = $q->{detail} ? $self->wrong_detail($hit, $_) : '';

        return $wrong if $wrong;
    }

    return @$doubt ? '' : $self->wrong_order($sure, map { $hits{$_->{id}} }
                                                    @got);
}


sub details {
    my $number = qr/-?\d[\d.e+-]*/;

    return map {
        /^\{?"id":($number),"x":($number),"y":($number),"value":($number),
         "distance":($number)\}?$/x
            ? { id => $1, x => double($2), y => double($3), value => $4,
                distance => double($5) }
            : { id => $_ }
    } split /(?<=\}),/, $_[0];
}


# A number of many digits may be an integer to perl

sub double { return unpack 'd', pack 'd', $_[0] }


sub wrong_detail {
    my ($self, $hit, $got) = @_;
    my ($r, $distance) = @$hit;

    for (qw(x y value)) {
        return "has $_ $got->{$_} of $r->{id}" if $got->{$_} != $r->{$_};
    }

    return '' if $self->{space} eq 'plane' ? $distance == $got->{distance}
                                           : close_to($distance,
                                                      $got->{distance});

    return "has distance $got->{distance} of $r->{id}, not $distance";
}


# The nearest first, ties by id.  On the earth those whose distances are as
# good as the same may come in any order, unless they lie at the same place.

sub wrong_order {
    my ($self, $sure, @got) = @_;
    my $far = 1.000001 * (max(map { $_->[2] } @got) // 0) + 1;
    my @want = sort { $a->[2] <=> $b->[2] || $a->[0]{id} <=> $b->[0]{id} }
               grep { $_->[2] <= $far } @$sure;
    my ($doubtful, $last) = 0;

    for my $i (0 .. $#got) {
        my ($got, $want) = ($got[$i], $want[$i]);

        if ($got != $want) {
            return "lists $got->[0]{id} where $want->[0]{id} belongs"
                if $self->{space} eq 'plane'
                   || !close_to($want->[1], $got->[1])
                   || ($last && $last->[0]{x} == $got->[0]{x}
                       && $last->[0]{y} == $got->[0]{y}
                       && $last->[0]{id} > $got->[0]{id});

            $doubtful = 1;
        }

        $last = $got;
    }

    $self->{doubtful} += $doubtful;

    return '';
}


1;
