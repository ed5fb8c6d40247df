#!/usr/bin/perl

# A worker is killed at each store of every write to a board, of what makes its
# order anew, and of what ends a period: sums with a seq count once, each board
# is in the order of its scores, and nobody waits for the dead.

use strict;
use warnings;

use FindBin;
use List::Util qw(shuffle);
use Test::More;

use lib "$FindBin::Bin/../lib";
use Trove::Board;
use Trove::Clock;
use Trove::Fault;
use Trove::Load;
use Trove::Nginx;
use Trove::Play;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my ($PLAYERS, $WAVE) = (200, 6000);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }

$Trove::Client::TIMEOUT = 10;


my $fault = Trove::Fault->new;
my $clock = Trove::Clock->new('2024-01-01 00:00:00');
my $t = Trove::Nginx->start(workers => 4,
                            env => { %{ $fault->env }, %{ $clock->env } },
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        capacity rewards=1;
        store    sqlite:%%DIR%%/hunt.db;
        board    sums  rows=1k keep=sum row=512;
        board    waves rows=10k row=128 keep=last ties=shared;
        board    days  rows=300 row=128 reset=daily keep=min order=asc;
    }
    keepalive_requests 1000000;
HTTP
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER


# Sums of players of its own, each with a seq that goes up by one

sub sums {
    my ($client, $ends) = @_;
    my (%seq, %sum, @wrong, $c);
    my $slowest = 0;

    until ($ends->()) {
        my %now;
        my @writes = map {
            { player => $_, score => int(rand 1000) - 300, seq => ++$seq{$_},
              data => 'd' x (int rand 400) . " $seq{$_}" }
        } grep { !$now{$_}++ } map { "c${client}p" . int rand $PLAYERS }
          1 .. (1, 1, 5, 40)[rand 4];

        my ($res, $lost, $took) = persist($t, \$c, batch_of('/board/sums',
                                                            @writes));

        $slowest = $took if $took > $slowest;

        for my $i (0 .. $#writes) {
            my $player = $writes[$i]{player};
            my $line = $res->{lines}[$i];

            if (($line->{error} // '') =~ $Trove::Play::BUSY) {
                ($res) = persist($t, \$c, batch_of('/board/sums', @writes));
                $lost = 1;
                redo;
            }

            push @wrong, "$player: $line->{error}" if $line->{error};
            push @wrong, "$player was repeated" if $line->{repeat} && !$lost;
            $sum{$player} += $writes[$i]{score};
            push @wrong, "$player has $line->{score}, not $sum{$player}"
                if ($line->{score} // 'nothing') ne $sum{$player};
        }
    }

    return { sums => \%sum, seqs => \%seq, wrong => \@wrong,
             slowest => $slowest };
}


# So many rows that the order grows, and all of them removed

sub waves {
    my $ends = shift;
    my $c;
    my $n = 0;

    until ($ends->()) {
        persist($t, \$c, batch_of('/board/waves',
            map { { player => "w$_", score => int rand 3000 } } 1 .. $WAVE));

        my @left = shuffle(1 .. $WAVE);

        while (@left && !$ends->()) {
            my @some = splice @left, 0, 200;

            eval {
                $c //= $t->client;
                $c->pipeline(map { [ 'DELETE', "/board/waves?player=w$_" ] }
                             @some);
                1;
            } or $c = undef;
        }

        $n++;
    }

    return $n;
}


# A few rows, in any period

sub days {
    my $ends = shift;
    my $c;
    my $n = 0;

    until ($ends->()) {
        persist($t, \$c, batch_of('/board/days',
            map { { player => 'd' . int rand 400, score => int rand 50 } }
            1 .. 30));
        persist($t, \$c, 'DELETE', '/board/days?player=d' . int rand 400);
        persist($t, \$c, 'GET', '/board/days?top=100&period=-1');
        $n++;
    }

    return $n;
}


my %dead;
my $day = Trove::Clock->unix('2024-01-01');

sub left {
    return grep { !($dead{$_} ||= $fault->victim($_)) }
           grep { $fault->elsewhere($_) } $fault->points;
}

sub kill_at {
    my $point = shift;

    $fault->arm($point, 1 + int rand($dead{$point} ? 20 : 3), 'KILL');
    $day += 86400;
    $clock->set(Trove::Clock->text($day));

    wait_until { $fault->victim($point) } 0.3;
    wait_until { $t->workers == 4 } or die "there are not four workers\n";
}


$t->expect(qr/worker process \d+ exited on signal 9\b/);
$fault->spare($t->master);

my @sums = map { my $client = $_;
                 Trove::Load->start(sub { srand($SEED + $client);
                                          sums($client, @_) }) } 1, 2;
my @others = (Trove::Load->start(\&waves), Trove::Load->start(\&days));

my $end = time + 60;

while (left() && time < $end) {
    kill_at($_) for shuffle(left());
}

is_deeply([ map { $fault->name($_) } left() ], [],
          'a worker died at each point');

$fault->disarm;
@sums = map { $_->finish } @sums;
$_->finish for @others;

cmp_ok($_->{slowest}, '<', 5, 'nobody waited for the dead') for @sums;
is_deeply([ map { @{ $_->{wrong} } } @sums ], [], 'no answer was wrong');

# what there is

my $c = $t->client;
my %sum = map { %{ $_->{sums} } } @sums;
my %seq = map { %{ $_->{seqs} } } @sums;
my @wrong;

for my $row (@{ walk($c, 'sums', 1000) }) {
    my ($rank, $player, $score, $data) = @$row;

    push @wrong, "$player has $score, not $sum{$player}"
        if $score != delete $sum{$player};
    push @wrong, "$player has the data of another score"
        if $data !~ /^d* $seq{$player}$/;
}

is_deeply(\@wrong, [], 'each sum is what was added');
is_deeply([ keys %sum ], [], 'and there');

for my $board (qw(sums waves days)) {
    my $rows = walk($c, $board, 1000);
    my ($sign, $rank) = ($board eq 'days' ? 1 : -1, 0);

    @wrong = ();

    for my $i (0 .. $#$rows) {
        my ($is, $player, $score) = @{ $rows->[$i] };
        my $tie = $i && $score == $rows->[$i - 1][2];

        $rank = $i + 1 if !$tie || $board ne 'waves';
        push @wrong, "$player is $is, not $rank" if $is != $rank;
        push @wrong, "$player has $score behind $rows->[$i - 1][2]"
            if $i && ($score <=> $rows->[$i - 1][2]) == -$sign;
    }

    is_deeply(\@wrong, [], "$board is in its order");
}

my $rebuilds = 0;

$rebuilds += $_->{rebuilds}
    for values %{ $t->get_json('/stats')->{troves}{hunt}{boards} };
cmp_ok($rebuilds, '>', 50, "which was made anew $rebuilds times");

$t->quit;
like($fault->ledger($t->dir . '/hunt.db-ledger'), qr/^sane/,
     'and the ledger is sane');

done_testing;
