#!/usr/bin/perl

# Dozens of clients race for small stocks over four workers, and reloads come
# in between: each stock goes to exactly as many players, and no answer, in
# whatever order they were given, contradicts another.

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
my ($CLIENTS, $REWARDS, $PLAYERS, $RELOADS) = (24, 300, 60, 4);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(workers => 4, http => <<'HTTP',
    trove hunt {
        capacity rewards=1k players=100 claims=2k;
        coin gold value=1 weight=1;
        board all rows=100 from=claims;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');

my %stock = map { $_ => 1 + int rand 5 } 1 .. $REWARDS;
my %value = map { $_ => 1 + int rand 1000 } 1 .. $REWARDS;

is($t->load('/rewards', '/poll?x=0&y=0',
            map { { id => $_, x => 0, y => 0, stock => $stock{$_},
                    value => $value{$_} } } 1 .. $REWARDS)
     ->{json}{accepted}, $REWARDS, 'rewards');


# Claims at random, alone and in batches, for players that other clients have,
# too.  All claim the same rewards at the same time: they go up together.  The
# pauses leave the other tests something of the processor.

sub race {
    my ($seed, $ends) = @_;
    my (@answers, $c);
    my $at = 0;

    srand $seed;

    until ($ends->()) {
        my $n = rand() < 0.2 ? 1 + int rand 20 : 1;
        my @claims = map { [ 'p' . int rand $PLAYERS,
                             1 + ($at + int rand 20) % $REWARDS ] } 1 .. $n;

        $at += int rand 4;

        push @answers, @{ (claims($t, \$c, @claims))[0] };
        select undef, undef, undef, rand 0.01;
    }

    return \@answers;
}


my @loads = map { my $seed = int rand 2**31;
                  Trove::Load->start(sub { race($seed, @_) }) } 1 .. $CLIENTS;

for (1 .. $RELOADS) {
    ok($t->hup, "reload $_");
}

# until all is gone

my $left;

wait_until {
    $left = $t->get_json('/poll?x=0&y=0&r=1')->{found};
    $left == 0
} 120;

is($left, 0, 'everything is claimed, and no poll shows it');

my @answers = map { @{ $_->finish } } @loads;
my ($granted, %had) = (0);

for (@answers) {
    my ($player, $reward, $status) = @$_;

    $granted++ if $status eq '200' && !$had{"$player $reward"}++;
}

my $stock = 0;

$stock += $_ for values %stock;

note scalar(@answers) . " answers, $granted grants of $stock";

cmp_ok(@answers, '>', 2 * $stock, 'many came too late');
is($granted, $stock, 'each stock is given out');
is_deeply([ contradictions(\%stock, \%value, @answers) ], [],
          'and no answer contradicts another');

# and the ledger says the same

my (%sum, @wrong);

for (keys %had) {
    my ($player, $reward) = split ' ';

    $sum{$player} += $value{$reward};
}

for my $player (sort keys %sum) {
    my $balance = $t->get_json("/tap?player=$player")->{balance};

    push @wrong, "$player has $balance, not $sum{$player}"
        if $balance != $sum{$player};
}

is_deeply(\@wrong, [], 'each balance is what was granted');
is_deeply({ map { $_->[1] => $_->[2] }
            @{ rows_of($t->get('/board/all?top=1000')) } }, \%sum,
          'and so is each score of the board');

my $stats = $t->get_json('/stats')->{troves}{hunt};

is($stats->{claims}, $stock, 'as many claims are there');
is($stats->{players}, keys %sum, 'and players');

note "$stats->{ledger_busy} were asked to come back";

done_testing;
