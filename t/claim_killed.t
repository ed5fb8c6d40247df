#!/usr/bin/perl

# Workers are killed at any moment under claims and taps: stock, claim and
# balance change together or not at all, what was answered stays true, and
# nobody waits for the dead.

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
my ($CLIENTS, $REWARDS, $PLAYERS, $KILLS) = (6, 2000, 40, 20);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(workers => 4, http => <<'HTTP',
    trove hunt {
        capacity rewards=10k players=1k claims=20k;
        coin one value=1000000 weight=1;
        board all rows=1k from=claims;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');

my %stock = map { $_ => 1 + int rand 9 } 1 .. $REWARDS;
my %value = map { $_ => 1 + int rand 9 } 1 .. $REWARDS;

is($t->load('/rewards', '/poll?x=0&y=0',
            map { { id => $_, x => 0, y => 0, stock => $stock{$_},
                    value => $value{$_} } } 1 .. $REWARDS)
     ->{json}{accepted}, $REWARDS, 'rewards');


# Claims for players of all, in batches that a kill is likely to hit.  A batch
# that was lost is asked for again: what was granted of it is repeated.

sub claim_all {
    my ($seed, $ends) = @_;
    my (@answers, $c);
    my ($lost, $slowest) = (0, 0);

    srand $seed;

    until ($ends->()) {
        my @claims = map { [ 'p' . int rand $PLAYERS, 1 + int rand $REWARDS ] }
                     1 .. (1, 1, 30, 200)[rand 4];
        my ($said, $n, $took) = claims($t, \$c, @claims);

        push @answers, @$said;
        $lost += $n;
        $slowest = $took if $took > $slowest;
        select undef, undef, undef, rand 0.005;
    }

    return { answers => \@answers, lost => $lost, slowest => $slowest };
}


# Taps of players of its own, with a seq that goes up by one: each is granted
# once, however often it was asked for.

sub tap_all {
    my ($name, $ends) = @_;
    my (%seq, %balance, @wrong, $c);
    my ($lost, $slowest) = (0, 0);

    until ($ends->()) {
        my $player = $name . int rand 5;
        my $seq = ++$seq{$player};
        my ($res, $n, $took) = persist($t, \$c, tap_of($player, seq => $seq));

        $lost += $n;
        $slowest = $took if $took > $slowest;
        $balance{$player} += 1000000;
        select undef, undef, undef, rand 0.002;

        push @wrong, "$player $seq: $res->{status} $res->{body}"
            if $res->{status} != 200
               || $res->{json}{balance} != $balance{$player}
               || $res->{json}{repeat} && !$n;
    }

    return { balances => \%balance, wrong => \@wrong, lost => $lost,
             slowest => $slowest, taps => \%seq };
}


my @claims = map { my $seed = int rand 2**31;
                   Trove::Load->start(sub { claim_all($seed, @_) }) }
             1 .. $CLIENTS;
my @taps = map { my $name = $_; Trove::Load->start(sub { tap_all($name, @_) }) }
           'a', 'b';

for (1 .. $KILLS) {
    my @workers = $t->workers;

    select undef, undef, undef, rand 0.1;
    $t->kill_worker($workers[rand @workers]);
}

@claims = map { $_->finish } @claims;
@taps = map { $_->finish } @taps;

my ($lost, $slowest) = (0, 0);

for (@claims, @taps) {
    $lost += $_->{lost};
    $slowest = $_->{slowest} if $_->{slowest} > $slowest;
}

my @answers = map { @{ $_->{answers} } } @claims;

note sprintf '%d answers to claims; %d answers were lost; the slowest took '
             . '%.3f s', scalar @answers, $lost, $slowest;

cmp_ok($lost, '>', 0, 'workers were hit at work');
cmp_ok($slowest, '<', 5, 'nobody waited for the dead');
is_deeply([ contradictions(\%stock, \%value, @answers) ], [],
          'no answer to a claim contradicts another');
is_deeply([ map { @{ $_->{wrong} } } @taps ], [], 'nor one to a tap');

# what the ledger has

my (%sum, %had, @wrong);

for (@answers) {
    my ($player, $reward, $status) = @$_;

    if ($status eq '200' && !$had{"$player $reward"}++) {
        $sum{$player} += $value{$reward};
    }
}

my $rows = rows_of($t->get('/board/all?top=1000'));

is_deeply({ map { $_->[1] => $_->[2] } @$rows }, \%sum,
          'each score of the board is what was granted');
is_deeply([ map { $_->[2] } @$rows ],
          [ sort { $b <=> $a } map { $_->[2] } @$rows ], 'in their order');

%sum = (%sum, map { %{ $_->{balances} } } @taps);

for my $player (sort keys %sum) {
    my $balance = $t->get_json("/tap?player=$player")->{balance};

    push @wrong, "$player has $balance, not $sum{$player}"
        if $balance != $sum{$player};
}

is_deeply(\@wrong, [], 'each balance is what was granted');

my %taken;

$taken{ (split ' ')[1] }++ for keys %had;

my $gone = grep { ($taken{$_} // 0) == $stock{$_} } keys %stock;

ok(wait_until {
       $t->get_json('/poll?x=0&y=0')->{found} == $REWARDS - $gone
   }, "$gone rewards are gone, the others are seen");

# the rest of every stock is still to be had, and no more

my $c;
my ($extra, $missing) = (0, 0);

for my $reward (grep { $_ % 20 == 0 } 1 .. $REWARDS) {
    my $left = $stock{$reward} - ($taken{$reward} // 0);
    my ($said) = claims($t, \$c, map { [ "late$_", $reward ] } 0 .. $left + 1);
    my $granted = grep { $_->[2] eq '200' } @$said;

    $missing++ if $granted < $left;
    $extra++ if $granted > $left;
}

is($missing, 0, 'nothing of a stock was lost');
is($extra, 0, 'and nothing is had twice');

done_testing;
