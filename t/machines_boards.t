#!/usr/bin/perl

# Boards through three machines.  A client that writes through any of them is
# answered as if there were one: scores and ranks are those of a sorted list.
# When many write at once, all machines come to have the same lists, and each
# has the ranks of a sorted list.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Load;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my ($MACHINES, $WRITES, $CLIENTS, $EACH) = (3, 600, 4, 150);

my %board = (
    max  => { keep => 'max',  order => 'desc', ties => 'first' },
    min  => { keep => 'min',  order => 'asc',  ties => 'shared' },
    last => { keep => 'last', order => 'desc', ties => 'shared' },
    sum  => { keep => 'sum',  order => 'asc',  ties => 'first' },
);
my @names = sort keys %board;
my $conf = join "\n", (map {
    "board $_ rows=1k keep=$board{$_}{keep} order=$board{$_}{order}"
    . " ties=$board{$_}{ties};" } @names), 'board many rows=2k keep=sum;';

my $redis = Trove::Redis->start;
my $all = Trove::Machines->start($MACHINES, url => $redis->url,
                                 trove => $conf);
my $json = JSON::PP->new->canonical->allow_nonref;
my @wrong;

$_ = Trove::Board->new(%$_) for values %board;


# Few scores, for ties

sub write_of {
    my %write = (player => 'p' . int rand 40, score => int(rand 9) - 4);

    $write{seq} = 1 + int rand 20 if rand() < 0.3;
    $write{data} = 'd' . int rand 9 if rand() < 0.5;

    return \%write;
}


sub same {
    my ($what, $got, $want) = @_;

    $_ = $json->encode($_) for $got, $want;
    push @wrong, "$what: $got, not $want" if $got ne $want;
}


sub answered {
    my ($name, $write, $got) = @_;
    my %more = %$write;
    my $want = $board{$name}->write(delete @more{qw(player score)}, %more);
    my $said = $got->{detail} // $got->{error} // '';

    return same($name, $got, $want) if ref $want;
    push @wrong, "$name: $said, not $want" if $said !~ /^\Q$want/;
}


my %of;

for (1 .. $WRITES) {
    my $name = $names[rand @names];

    if (rand() < 0.1) {
        my $player = 'p' . int rand 40;
        my $res = $all->ask(\%of, 'DELETE', "/board/$name?player=$player");

        same("$name without $player", $res->{status},
             $board{$name}->remove($player) ? 200 : 404);
        next;
    }

    if (rand() < 0.1) {
        my @writes = map { write_of() } 0 .. rand 20;
        my $res = $all->ask(\%of, batch_of("/board/$name", @writes));

        # a batch's ranks are those of when its lines are answered

        for my $write (@writes) {
            my $got = shift @{ $res->{lines} };
            my %more = %$write;
            my $want = $board{$name}->write(delete @more{qw(player score)},
                                            %more);

            next if !ref $want;
            delete $_->{rank} for $got, $want;
            same("$name, a line", $got, $want);
        }

        next;
    }

    my $write = write_of();
    my %more = %$write;

    answered($name, $write,
             $all->ask(\%of, score_of($name, delete @more{qw(player score)},
                                      %more))->{json});
}

is_deeply(\@wrong, [], 'each answer is that of one list');

my $is = $all->agree($redis, 'one by one', boards => \@names);

is_deeply($is->{boards}{$_}, $board{$_}->list, "$_: the list") for @names;


# Many at once, each with players of its own and others', all of one board

sub crowd {
    my ($seed, $ends) = @_;
    my (%of, %sum);

    srand $seed;

    for my $n (1 .. $EACH) {
        my @writes = map { { player => 'c' . int rand 300,
                             score => 1 + int rand 1e6 } }
                     1 .. (rand() < 0.2 ? 1 + int rand 40 : 1);

        my $res = @writes == 1
            ? $all->ask(\%of, score_of('many', @{ $writes[0] }{qw(player
                                                                  score)}))
            : $all->ask(\%of, batch_of('/board/many', @writes));

        $res->{status} == 200 or die "$res->{status} $res->{body}\n";
        $sum{$_->{player}} += $_->{score} for @writes;
    }

    1 until $ends->(10);

    # a 503 may have been carried out or not, and there is no seq here

    return { sum => \%sum, later => $of{later} // 0, lost => $of{lost} // 0 };
}

my @did = map { $_->finish }
          map { my $seed = int rand 2**31;
                Trove::Load->start(sub { crowd($seed, @_) }) }
          1 .. $CLIENTS;
my (%sum, $n);

for my $did (@did) {
    is($did->{later} + $did->{lost}, 0, 'each write is answered at once');
    $sum{$_} += $did->{sum}{$_} for keys %{ $did->{sum} };
}

$is = $all->agree($redis, 'at once', boards => [ @names, 'many' ]);

is_deeply([ map { [ @$_[0, 2] ] } @{ $is->{boards}{many} } ],
          [ map { [ ++$n, $_ ] } sort { $b <=> $a } values %sum ],
          'the ranks are those of the sums');
is_deeply({ map { $_->[1] => $_->[2] } @{ $is->{boards}{many} } }, \%sum,
          'each of whom it is');


# What is seen around players is the same, too

@wrong = ();

for my $player ((sort keys %sum)[0, 99, -1]) {
    my ($first, @more) = map {
        $_->get("/board/many?player=$player&around=5")->{body}
    } $all->machines;

    push @wrong, $player if grep { $_ ne $first } @more;
}

is_deeply(\@wrong, [], 'and all see the same around them');

done_testing;
