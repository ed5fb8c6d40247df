#!/usr/bin/perl

# The store's writer is killed again and again while claims and taps come, and
# all of nginx at last: another worker takes over, the database is whole at any
# time, and what was answered is there in the end.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my ($CLIENTS, $REWARDS, $PLAYERS, $KILLS) = (4, 2000, 40, 8);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(workers => 4, http => <<'HTTP',
    trove hunt {
        capacity rewards=10k players=1k claims=20k;
        store    sqlite:%%DIR%%/hunt.db;
        coin     one value=1000000 weight=1;
        board    found rows=1k from=claims;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    server => play_endpoints('hunt'));

my $db = $t->dir . '/hunt.db';

$t->load('/rewards', '/poll?x=0&y=0',
         map { { id => $_, x => 0, y => 0, stock => 3, value => 7 } }
         1 .. $REWARDS);


# Who has the log of the database open writes it

sub writer {
    return grep {
        my $pid = $_;
        grep { (readlink $_ // '') eq "$db-wal" } glob "/proc/$pid/fd/*";
    } $t->workers;
}


# In a database that is read at any moment claims, balances and the scores that
# come from claims agree, and no stock is exceeded; a reward's row may follow in
# the next transaction

sub whole {
    my ($wrong) = row($db, 'n', <<'SQL');
        FROM (SELECT (SELECT count(*) FROM rewards
                      WHERE stock < (SELECT count(*) FROM grants
                                     WHERE reward = id))
                   + (SELECT count(*) FROM rewards WHERE taken > stock)
                   + (SELECT count(*) FROM players
                      WHERE balance % 1000000
                            <> 7 * (SELECT count(*) FROM grants
                                    WHERE grants.number = players.number))
                   + (SELECT count(*) FROM players LEFT JOIN boards
                      ON boards.player = players.player
                      WHERE balance % 1000000 <> ifnull(score, 0))
                     AS n)
SQL
    return $wrong == 0;
}


sub play {
    my ($seed, $ends) = @_;
    my (%balance, %claimed, $c);

    srand $seed;

    until ($ends->()) {
        my $player = 'p' . int rand $PLAYERS;
        my $reward = 1 + int rand $REWARDS;
        my ($res) = persist($t, \$c, claim_of($player, $reward));

        $claimed{"$player $reward"} = 1 if $res->{status} == 200;
        ($res) = persist($t, \$c, tap_of($player));
        $balance{$player} = $res->{json}{balance} if $res->{status} == 200;
    }

    return { balance => \%balance, claimed => \%claimed };
}

my @loads = map { my $seed = $SEED + $_;
                  Trove::Load->start(sub { play($seed, @_) }) } 1 .. $CLIENTS;
my ($took, $fine) = (0, 0);

for (1 .. $KILLS) {
    my $before = (row($db, 'value', "FROM meta WHERE key='flush'"))[0];
    my ($writer) = wait_until { (writer())[0] };

    $t->kill_worker($writer);

    $took += !!wait_until { my ($w) = writer(); $w && $w != $writer };
    $fine += whole();

    wait_until { (row($db, 'value', "FROM meta WHERE key='flush'"))[0]
                 > $before + 1 };
}

is($took, $KILLS, 'another worker takes over');
is($fine, $KILLS, 'the database is whole each time');

my @said = map { $_->finish } @loads;

$t->kill_all;
ok(whole(), 'and when all are killed');
$t->again;

my (%claimed, %balance);

for my $said (@said) {
    $claimed{$_} = 1 for keys %{ $said->{claimed} };

    for my $p (keys %{ $said->{balance} }) {
        my $b = $said->{balance}{$p};
        $balance{$p} = $b if $b > ($balance{$p} // -1);
    }
}

cmp_ok(scalar keys %claimed, '>', 50, 'claims were granted');

wait_until { counters($t)->{lag} == 0
             && (row($db, 'count(*)', 'FROM grants'))[0] >= keys %claimed };

my %stored = map { ("$_->{player} $_->{reward}" => 1) }
             sql($db, 'SELECT player, reward FROM claims');
my %has = map { ($_->{player} => $_->{balance}) }
          sql($db, 'SELECT player, balance FROM players');

is_deeply([ grep { !$stored{$_} } keys %claimed ], [],
          'all claims are stored');
is_deeply([ grep { ($has{$_} // -1) < $balance{$_} } keys %balance ], [],
          'and all balances');
ok(whole(), 'and it is whole');
ok(wait_until { !sql($db, 'SELECT id FROM rewards WHERE taken <>
                           (SELECT count(*) FROM grants WHERE reward = id)') },
   'rewards, too');

done_testing();
