#!/usr/bin/perl

# Random writes, removals and reads through four workers, over reloads, deaths
# and restarts from the store, of boards of every keep, order and ties, against
# a sorted list.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my ($OPS, $PLAYERS, $ROWS) = (4000, 30, 20);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my %board;

for my $keep (qw(max min last sum)) {
    for my $order (qw(desc asc)) {
        for my $ties (qw(first shared)) {
            $board{"$keep-$order-$ties"}
                = { keep => $keep, order => $order, ties => $ties };
        }
    }
}

my @names = sort keys %board;
my $conf = join "\n", map {
    my $of = $board{$_};

    "board $_ rows=$ROWS row=" . 8 * (16 + int rand 8)
    . " keep=$of->{keep} order=$of->{order} ties=$of->{ties};";
} @names;

my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<"HTTP", server => <<'SERVER');
    trove hunt {
        store sqlite:%%DIR%%/hunt.db;
        $conf
        %%SIMD%%
    }
HTTP
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER

$_ = Trove::Board->new(%$_, rows => $ROWS) for values %board;

my @c = values %{ $t->clients };
my @wrong;


sub pick { return $_[rand @_] }

sub player { return 'p' . int rand $PLAYERS }


# Few scores, for ties, and some of the largest, for sums

sub random_write {
    my %write = (player => player(),
                 score => rand() < 0.02 ? pick(-1, 1) * (1 << 53)
                                        : int(rand 9) - 4);

    $write{seq} = 1 + int rand 20 if rand() < 0.3;
    $write{data} = pick('', 'x', 'y' x 32, "\x{1f600}\"\\\n") if rand() < 0.5;

    return \%write;
}


sub same {
    my ($what, $got, $expected) = @_;
    my $json = JSON::PP->new->canonical->allow_nonref;

    $_ = $json->encode($_) for $got, $expected;
    push @wrong, "$what: $got, not $expected" if $got ne $expected;
}


sub expect_write {
    my ($what, $model, $write, $got) = @_;
    my %more = %$write;
    my ($player, $score) = delete @more{qw(player score)};
    my $expected = $model->write($player, $score, %more);

    if (ref $expected) {
        same("$what of $player $score", $got, $expected);
    } else {
        my $said = $got->{detail} // $got->{error} // '(nothing)';

        push @wrong, "$what of $player $score: $said, not $expected"
            if $said !~ /^\Q$expected\E/;
    }
}


# One of the things that one can do with a board

my @ops = (

    (sub {
        my ($name, $model, $c) = @_;
        my $write = random_write();
        my %more = %$write;

        expect_write($name, $model, $write,
                     $c->request(score_of($name, delete @more{qw(player score)},
                                          %more))->{json});
    }) x 4,

    sub {
        my ($name, $model, $c) = @_;
        my @writes = map { random_write() } 0 .. rand 50;
        my $res = $c->request(batch_of("/board/$name", @writes));

        expect_write("$name, line $_", $model, $writes[$_], $res->{lines}[$_])
            for 0 .. $#writes;
    },

    sub {
        my ($name, $model, $c) = @_;
        my $player = player();
        my $res = $c->request('DELETE', "/board/$name?player=$player");

        same("$name: removal of $player", $res->{status},
             $model->remove($player) ? 200 : 404);
    },

    sub {
        my ($name, $model, $c) = @_;
        my ($from, $count) = (1 + int rand 25, 1 + int rand 25);

        same("$name from $from", rows_of(
                 $c->get("/board/$name?from=$from&count=$count")),
             $model->page($from, $count));
    },

    sub {
        my ($name, $model, $c) = @_;
        my ($player, $around) = (player(), int rand 12);
        my $res = $c->get("/board/$name?player=$player&around=$around");

        if ($res->{status} == 404) {
            same("$name without $player", $model->{of}{$player}, undef);
        } else {
            same("$name around $player", rows_of($res),
                 $model->around($player, $around));
        }
    },

    sub {
        my ($name, $model, $c) = @_;
        my $res = $c->get("/board/$name?top=100");

        same("$name", rows_of($res), $model->list);
        same("$name: rows", $res->{json}{rows}, scalar keys %{ $model->{of} });
    },
);

# what must not change a thing

my @ends = (

    sub { ok($t->hup, 'a reload') },

    sub {
        $t->quit;
        unlink $t->dir . '/hunt.db-ledger' or die "unlink: $!\n";
        ok($t->again, 'a restart, from the store');
    },

    sub {
        $t->kill_all;
        ok($t->again, 'a restart after kill -9');
    },

    sub {
        $t->kill_worker(($t->workers)[0]);
        pass('the death of a worker');
    },
);

for my $part (1 .. @ends) {

    for (1 .. $OPS / @ends) {
        my $name = pick(@names);

        pick(@ops)->($name, $board{$name}, pick(@c));
        last if @wrong;
    }

    is_deeply(\@wrong, [], "part $part: every answer is as the list says");

    $ends[$part - 1]->();
    @c = values %{ $t->clients };
}

for my $name (@names) {
    same($name, rows_of(pick(@c)->get("/board/$name?top=100")),
         $board{$name}->list);
    same("$name by pages", walk(pick(@c), $name, 1 + int rand 7),
         $board{$name}->list);
}

is_deeply(\@wrong, [], 'and all is there at the end');

done_testing;
