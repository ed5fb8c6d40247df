#!/usr/bin/perl

# Dozens of clients put players of their own on one board over four workers,
# and reloads come in between.  A rank says how many of the better ones were
# there before: all ranks together are one order of all writes, which is not to
# contradict the order in which any client was answered.

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
my ($CLIENTS, $PLAYERS, $RELOADS) = (16, 400, 4);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(
    workers => 4, http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        board desc rows=10k;
        board asc  rows=10k order=asc keep=min;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER


# No two scores are the same, and in each order some clients have better ones

sub race {
    my ($client, $seed, $ends) = @_;
    my ($c, @answers);
    my $n = 0;

    srand $seed;

    while ($n < $PLAYERS) {
        my $board = rand() < 0.5 ? 'desc' : 'asc';
        my $lines = rand() < 0.2 ? 1 + int rand 70 : 1;
        my @writes = map {
            { player => "c${client}n" . ($n + $_),
              score => int(rand 1e6) * $CLIENTS * 1000 + ($n + $_) * $CLIENTS
                       + $client }
        } 1 .. $lines;

        $n += $lines;

        my ($res) = persist($t, \$c, $lines == 1
                            ? score_of($board, @{ $writes[0] }{qw(player
                                                                  score)})
                            : batch_of("/board/$board", @writes));

        push @answers, map { [ $board, $client, @$_{qw(score rank)} ] }
                       $lines == 1 ? $res->{json} : @{ $res->{lines} };
    }

    1 until $ends->(10);

    return \@answers;
}


my @loads = map { my ($client, $seed) = ($_, int rand 2**31);
                  Trove::Load->start(sub { race($client, $seed, @_) }) }
            0 .. $CLIENTS - 1;

for (1 .. $RELOADS) {
    ok($t->hup, "reload $_");
}

my @answers = map { @{ $_->finish } } @loads;
my $c = $t->client;

note scalar(@answers) . ' answers';

is(grep({ !defined $_->[3] } @answers), 0, 'all were taken');

for my $board (qw(desc asc)) {
    my $sign = $board eq 'desc' ? -1 : 1;
    my @of = sort { $sign * ($a->[2] <=> $b->[2]) }
             grep { $_->[0] eq $board } @answers;
    my (@order, @wrong);

    # from the best on: so many of those that are better came before it

    for my $answer (@of) {
        my $rank = $answer->[3];

        if ($rank < 1 || $rank > @order + 1) {
            push @wrong, "$answer->[2] had rank $rank of " . (@order + 1);
            next;
        }

        splice @order, $rank - 1, 0, $answer;
    }

    # in this order are the answers of each client

    my (%at, %last);

    $at{$order[$_][2]} = $_ for 0 .. $#order;

    for my $answer (grep { $_->[0] eq $board } @answers) {
        my ($client, $score) = @$answer[1, 2];

        push @wrong, "client $client was answered $score too early"
            if ($last{$client} // -1) > ($at{$score} // -1);
        $last{$client} = $at{$score} // -1;
    }

    is_deeply(\@wrong, [], "$board: the ranks are those of one order");

    my $rank = 0;

    is_deeply([ map { [ @$_[0, 2] ] } @{ walk($c, $board, 997) } ],
              [ map { [ ++$rank, $_->[2] ] } @of ], 'and so is the end');
}

note $t->get_json('/stats')->{troves}{hunt}{ledger_busy}
     . ' were asked to come back';

done_testing;
