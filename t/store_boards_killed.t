#!/usr/bin/perl

# Sums on boards, with ack commit: the store's writer is killed again and again
# while scores come, and all of nginx at last.  From the store alone each player
# has just what was answered, and the ranks are those of the scores.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Clock;
use Trove::Load;
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my ($CLIENTS, $PLAYERS, $KILLS) = (4, 30, 6);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $clock = Trove::Clock->new('2025-11-21 12:00:00');
my $t = Trove::Nginx->start(workers => 4, env => $clock->env, http => <<'HTTP',
    trove hunt {
        capacity rewards=10;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit;
        board    sum  rows=1k keep=sum;
        board    week rows=1k keep=last reset=weekly;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    server => <<'SERVER');
    location /board/  { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER

my $db = $t->dir . '/hunt.db';

sub writer {
    return grep {
        my $pid = $_;
        grep { (readlink $_ // '') eq $db } glob "/proc/$pid/fd/*";
    } $t->workers;
}


# Each client has players of its own, so that it knows what they must have

sub play {
    my ($seed, $own, $ends) = @_;
    my (%sum, %last, $c, $n);

    srand $seed;

    until ($ends->()) {
        my $player = "$own-" . int rand $PLAYERS;
        my $score = 1 + int rand 1000;
        my ($res) = persist($t, \$c, score_of('sum', $player, $score,
                                              seq => ++$n));

        $res->{status} == 200 or die "$res->{status} $res->{body}\n";
        $sum{$player} += $score;
        $res->{json}{score} == $sum{$player}
            or die "$player has $res->{json}{score}, not $sum{$player}\n";

        ($res) = persist($t, \$c, score_of('week', $player, $score));
        $last{$player} = $score;

        if (rand() < 0.05) {
            ($res) = persist($t, \$c, 'DELETE', "/board/week?player=$player");

            # whose answer was lost finds nothing to be removed

            $res->{status} =~ /^(?:200|404)$/
                or die "$res->{status} of a removal\n";
            delete $last{$player};
        }
    }

    return { sum => \%sum, week => \%last };
}

my @loads = map { my $own = $_;
                  Trove::Load->start(sub { play($SEED + $own, $own, @_) }) }
            1 .. $CLIENTS;
my $took = 0;

for (1 .. $KILLS) {
    my ($writer) = wait_until { (writer())[0] };
    my $before = (row($db, 'value', "FROM meta WHERE key='flush'"))[0];

    $t->kill_worker($writer);
    $took += !!wait_until { my ($w) = writer(); $w && $w != $writer };
    wait_until { (row($db, 'value', "FROM meta WHERE key='flush'"))[0]
                 > $before + 1 };
}

is($took, $KILLS, 'another worker takes over');

# those who play wait for one answer each

wait_until { $t->get_json('/board/sum?top=1')->{rows} > $PLAYERS + $CLIENTS };

my @said = map { $_->finish } @loads;
my %said = map { my $board = $_; $board => { map { %{ $_->{$board} } } @said } }
           qw(sum week);

cmp_ok(scalar keys %{ $said{sum} }, '>', $PLAYERS, 'scores were written');

sub has {
    my ($board, $what) = @_;
    my $rows = walk($t->client, $board, 100);

    is_deeply({ map { $_->[1] => $_->[2] } @$rows }, $said{$board},
              "$what: $board");
    is_deeply([ map { $_->[2] } @$rows ],
              [ sort { $b <=> $a } map { $_->[2] } @$rows ], 'in order');
}

has($_, 'alive') for qw(sum week);

$t->kill_all;
is_deeply({ map { $_->{player} => $_->{score} }
            sql($db, "SELECT player, score FROM boards WHERE board = 'sum'") },
          $said{sum}, 'what was answered is in the store');
unlink "$db-ledger";
$t->again;
has($_, 'from the store') for qw(sum week);

done_testing();
