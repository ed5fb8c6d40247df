package Trove::Board;

# What the tests of boards share: requests, and a board that is nothing but a
# sorted list, to say what the answers must be.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;


our @EXPORT = qw(score_of rows_of walk);

my $JSON = JSON::PP->new->canonical->utf8;


# The arguments of a client's request()

sub score_of {
    my ($board, $player, $score, %more) = @_;

    return ('POST', "/board/$board", { 'Content-Type' => 'application/json' },
            $JSON->encode({ player => $player, score => $score, %more }));
}


# [rank, player, score] or [rank, player, score, data] of each row of an answer

sub rows_of {
    my $res = shift;

    return [ map { [ @$_{qw(rank player score)}, $_->{data} // () ] }
             @{ $res->{json}{list} } ];
}


# All rows of a board, page by page

sub walk {
    my ($c, $board, $count, $args) = @_;
    my @rows;

    for (my $from = 1; ; $from += $count) {
        my $res = $c->get("/board/$board?from=$from&count=$count"
                          . ($args // ''));

        $res->{status} == 200 or die "$res->{status} $res->{body}\n";
        push @rows, @{ rows_of($res) };
        return \@rows if @{ $res->{json}{list} } < $count;
    }
}


# A board: keep, order, ties, rows

sub new {
    my ($class, %arg) = @_;

    return bless { keep => 'max', order => 'desc', ties => 'first',
                   rows => 1e9, clock => 0, of => {}, %arg }, $class;
}


# What a write is answered, without "ends"; undef: the board is full; or what
# an error begins with

sub write {
    my ($self, $player, $score, %more) = @_;
    my $row = $self->{of}{$player};
    my $seq = $more{seq};
    my $result = 'improved';

    if (!$row) {
        return 'the board has no room' if keys %{ $self->{of} }
                                          >= $self->{rows};
        $self->{of}{$player} = { player => $player, score => $score, seq => 0 };
        $row = $self->{of}{$player};

    } else {
        my $was = $row->{score};
        my $kept;

        if ($seq && $row->{seq}) {
            return 'seq: is lower' if $seq < $row->{seq};
            return $self->answer($row, 'repeat') if $seq == $row->{seq};
        }

        $kept = $self->{keep} eq 'max' ? $score <= $was
                : $self->{keep} eq 'min' ? $score >= $was : 0;
        $score = $was if $kept;
        $score += $was if $self->{keep} eq 'sum';

        return 'score: the sum' if abs $score > 1 << 53;

        delete $more{data} if $kept;
        $result = 'kept' if $score == $was;
    }

    $row->{seq} = $seq if $seq;
    $row->{data} = $more{data} if defined $more{data};
    @$row{qw(score reached)} = ($score, ++$self->{clock})
        if $result eq 'improved';

    return $self->answer($row, $result);
}


sub answer {
    my ($self, $row, $result) = @_;
    my $flag = sub { $_[0] ? JSON::PP::true : JSON::PP::false };

    return { player => $row->{player}, score => $row->{score},
             rank => $self->rank($row),
             improved => $flag->($result eq 'improved'),
             $result eq 'repeat' ? (repeat => JSON::PP::true) : () };
}


sub remove { return defined delete $_[0]{of}{$_[1]} }


# Ranks higher than another, whoever of them came first

sub better {
    my ($self, $a, $b) = @_;

    return $self->{order} eq 'desc' ? $a->{score} > $b->{score}
                                    : $a->{score} < $b->{score};
}


sub before {
    my ($self, $a, $b) = @_;

    return $a->{score} == $b->{score} ? $a->{reached} < $b->{reached}
                                      : $self->better($a, $b);
}


sub rank {
    my ($self, $row) = @_;
    my $higher = $self->{ties} eq 'first' ? 'before' : 'better';

    return 1 + grep { $self->$higher($_, $row) } values %{ $self->{of} };
}


# [rank, player, score, data] of all rows

sub list {
    my $self = shift;
    my @rows = sort { $self->before($a, $b) ? -1 : 1 } values %{ $self->{of} };
    my ($n, $rank) = (0, 0);

    return [ map {
        $n++;
        $rank = $n if $self->{ties} eq 'first' || $n == 1
                      || $rows[$n - 2]{score} != $_->{score};
        [ $rank, @$_{qw(player score)},
          length($_->{data} // '') ? $_->{data} : () ]
    } @rows ];
}


# Of it those that follow each other from a position, from 1, on

sub page {
    my ($self, $from, $count) = @_;
    my $all = $self->list;
    my $last = $from - 2 + $count;

    $last = $#$all if $last > $#$all;

    return [ @$all[$from - 1 .. $last] ];
}


sub around {
    my ($self, $player, $around) = @_;
    my $all = $self->list;
    my ($at) = grep { $all->[$_][1] eq $player } 0 .. $#$all;
    my $first = $at < $around ? 0 : $at - $around;

    return $self->page($first + 1, $at + $around - $first + 1);
}


1;
