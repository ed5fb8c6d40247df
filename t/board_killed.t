#!/usr/bin/perl

# Workers are killed at any moment while they write a board: what was answered
# is there, what was asked for again counts once, the order is that of the
# scores, and nobody waits for the dead.

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
my ($CLIENTS, $PLAYERS, $KILLS) = (6, 300, 20);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(
    workers => 4, http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        board sums rows=10k keep=sum row=1k;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER


# Sums of players of its own, each with a seq that goes up by one, alone and in
# batches that a kill is likely to hit.  What was lost is asked for again: what
# there was of it is repeated.

sub play {
    my ($client, $seed, $ends) = @_;
    my (%seq, %sum, @wrong, $c);
    my ($lost, $slowest, $writes) = (0, 0, 0);

    srand $seed;

    until ($ends->()) {
        my %now;
        my @writes = map {
            { player => $_, score => int(rand 1000) - 300, seq => ++$seq{$_},
              data => 'd' x (int rand 900) . " $seq{$_}" }
        } grep { !$now{$_}++ } map { "c${client}p" . int rand $PLAYERS }
          1 .. (1, 1, 30, 300)[rand 4];

        my ($res, $n, $took) = persist($t, \$c, batch_of('/board/sums',
                                                         @writes));

        $lost += $n;
        $slowest = $took if $took > $slowest;
        $writes += @writes;

        for my $i (0 .. $#writes) {
            my $player = $writes[$i]{player};
            my $line = $res->{lines}[$i];

            push @wrong, "$player: $line->{error}" if $line->{error};
            push @wrong, "$player was repeated" if $line->{repeat} && !$n;
            $sum{$player} += $writes[$i]{score};
            push @wrong, "$player has $line->{score}, not $sum{$player}"
                if $line->{score} != $sum{$player};
        }
    }

    return { sums => \%sum, seqs => \%seq, wrong => \@wrong, lost => $lost,
             slowest => $slowest, writes => $writes };
}


my @loads = map { my ($client, $seed) = ($_, int rand 2**31);
                  Trove::Load->start(sub { play($client, $seed, @_) }) }
            1 .. $CLIENTS;

for (1 .. $KILLS) {
    my @workers = $t->workers;

    select undef, undef, undef, rand 0.1;
    $t->kill_worker($workers[rand @workers]);
}

my @did = map { $_->finish } @loads;
my ($lost, $slowest, $writes) = (0, 0, 0);

for (@did) {
    $lost += $_->{lost};
    $writes += $_->{writes};
    $slowest = $_->{slowest} if $_->{slowest} > $slowest;
}

my $c = $t->client;
my $board = $t->get_json('/stats')->{troves}{hunt}{boards}{sums};

note sprintf '%d writes; %d answers were lost; the slowest took %.3f s; the '
             . 'order was built anew %d times', $writes, $lost, $slowest,
             $board->{rebuilds};

cmp_ok($lost, '>', 0, 'workers were hit at work');
cmp_ok($slowest, '<', 5, 'nobody waited for the dead');
is_deeply([ map { @{ $_->{wrong} } } @did ], [], 'no answer was wrong');

# what the board has

my %sum = map { %{ $_->{sums} } } @did;
my %seq = map { %{ $_->{seqs} } } @did;
my $rows = walk($c, 'sums', 1000);
my @wrong;

is(@$rows, keys %sum, 'all are there');
is($board->{rows}, keys %sum, 'as the figures say');

for my $i (0 .. $#$rows) {
    my ($rank, $player, $score, $data) = @{ $rows->[$i] };

    push @wrong, "$player is $rank at " . ($i + 1) if $rank != $i + 1;
    push @wrong, "$player has $score, not $sum{$player}"
        if $score != $sum{$player};
    push @wrong, "$player has $score behind $rows->[$i - 1][2]"
        if $i && $score > $rows->[$i - 1][2];
    push @wrong, "$player has the data of another score"
        if $data !~ /^d* $seq{$player}$/;
}

for my $i (grep { $_ % 10 == 0 } 0 .. $#$rows) {
    my $player = $rows->[$i][1];
    my $row = rows_of($c->get("/board/sums?player=$player"))->[0];

    push @wrong, "$player is found at $row->[0]" if $row->[0] != $i + 1;
}

is_deeply(\@wrong, [], 'each sum is what was added, and in its place');

# and it goes on from there

for my $i (grep { $_ % 100 == 0 } 0 .. $#$rows) {
    my $res = $c->request('DELETE', "/board/sums?player=$rows->[$i][1]");

    push @wrong, "$res->{status}" if $res->{status} != 200;
}

is_deeply(\@wrong, [], 'rows can be removed');

done_testing;
