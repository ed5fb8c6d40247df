#!/usr/bin/perl

# Pages by rank, while the board is written by others: each is whole, and of
# one moment; and those who do not move are found once on their way down.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Load;
use Trove::Nginx;
use Trove::Play;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my ($FAST, $STILL, $WALKS) = (150, 3000, 40);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        board all rows=10k keep=last;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    location /board/ { trove_board hunt; }
SERVER


# Those who are fast change their places above the others, who stay; the data
# say which score they belong to

is($t->request(batch_of('/board/all',
                        map { { player => "s$_", score => -$_, data => "-$_" } }
                        1 .. $STILL))->{status}, 200, 'a board');
is($t->request(batch_of('/board/all',
                        map { { player => "f$_", score => $_, data => "$_" } }
                        1 .. $FAST))->{status}, 200, 'and those above');


sub change {
    my ($seed, $ends) = @_;
    my $c;
    my $n = 0;

    srand $seed;

    until ($ends->()) {
        my @writes = map {
            my $score = 1 + int rand 1e9;
            { player => 'f' . (1 + int rand $FAST), score => $score,
              data => "$score" }
        } 1 .. 1 + int rand 40;

        my ($res) = persist($t, \$c, batch_of('/board/all', @writes));

        $n += grep { defined $_->{rank} } @{ $res->{lines} };
    }

    return $n;
}


my @loads = map { my $seed = int rand 2**31;
                  Trove::Load->start(sub { change($seed, @_) }) } 1 .. 3;
my @c = values %{ $t->clients };
my (@wrong, %pages);

for my $walk (1 .. $WALKS) {
    my $count = (7, 50, 100, 333, 1000)[$walk % 5];
    my $c = $c[$walk % @c];
    my $rank = 0;
    my @still;

    for (my $from = 1; ; $from += $count) {
        my $res = $c->get("/board/all?from=$from&count=$count");
        my $rows = rows_of($res);
        my (%seen, $last);

        $pages{$res->{body}} = 1 if $from == 1;
        push @wrong, "$res->{json}{rows} rows"
            if $res->{json}{rows} != $FAST + $STILL;

        for (@$rows) {
            my ($of, $player, $score, $data) = @$_;

            push @wrong, "rank $of, not $rank" if $of != ++$rank;
            push @wrong, "$player twice from $from" if $seen{$player}++;
            push @wrong, "$score behind $last"
                if defined $last && $score > $last;
            push @wrong, "$player has $score with data $data"
                if $data ne $score;
            push @still, $player if $player =~ /^s/;
            $last = $score;
        }

        last if @$rows < $count;
    }

    push @wrong, "$rank rows" if $rank != $FAST + $STILL;
    push @wrong, "those below are not all there, once"
        if "@still" ne join ' ', map { "s$_" } 1 .. $STILL;

    # those around one who moves

    my $player = 'f' . (1 + int rand $FAST);
    my $rows = rows_of($c->get("/board/all?player=$player&around=20"));

    push @wrong, "$player is not among those around"
        if grep({ $_->[1] eq $player } @$rows) != 1;
    push @wrong, "those around $player do not follow each other"
        if grep { $rows->[$_][0] != $rows->[$_ - 1][0] + 1
                  || $rows->[$_][2] > $rows->[$_ - 1][2] } 1 .. $#$rows;
}

my $n = 0;

$n += $_->finish for @loads;

note "$n scores meanwhile";

is_deeply(\@wrong, [], 'every page is whole');
cmp_ok(keys %pages, '>', $WALKS / 4, 'and the board did change');

done_testing;
