package Trove::Crowd;

# What all sorts of clients do to a trove for as long as workers die, hang and
# end around them.  Each persists until it is answered, knows what every answer
# must be, and has an account of what must be there in the end.
#
#   my $crowd = Trove::Crowd->start($t, $seed);
#   ...
#   $crowd->finish;            # they have stopped
#   $crowd->{wrong};           # what answers were not as they must be
#   $crowd->{balances};        # of all players
#
# A client is a sub of the table WORK: it is given the crowd, a number that no
# other client has, and a sub that says when to end, and returns what did()
# makes of its account.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use Trove::Board;
use Trove::Load;
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


our %WORK = (
    churn => { work => \&churn, clients => 2 },
    race  => { work => \&race,  clients => 3 },
    taps  => { work => \&taps,  clients => 1 },
    polls => { work => \&polls, clients => 1 },
    sums  => { work => \&sums,  clients => 3 },
    days  => { work => \&days,  clients => 1 },
);

our @PLAY = qw(churn race taps polls);
our @BOARDS = qw(sums days race polls);

# What is there before, and what it is raced for: by time, new ones all along

our ($STILL, $RACED, $A_SECOND) = (100, 10_000, 60);
our $DAYS = 400;

our %STOCK = map { $_ => 1 + $_ % 3 } 1 .. $RACED;
our %VALUE = map { $_ => 1 + $_ % 7 } 1 .. $RACED;


sub conf {
    my ($name, @more) = @_;

    return <<"END";
    trove $name {
        capacity rewards=22k players=50k claims=200k;
        coin     one value=1000 weight=1;
        radius   100 max=10000;
        @more
        %%SIMD%%
    }
    keepalive_requests 1000000;
END
}


# Of a trove with boards, more

sub boards {
    return join "\n", 'board sums rows=10k row=128 keep=sum;',
           'board earned rows=50k row=128 from=claims;',
           map { "board day$_ rows=100 row=128 reset=daily;" } 0 .. $DAYS - 1;
}


sub start {
    my ($class, $t, $seed, @names) = @_;
    my $self = bless { t => $t, loads => [] }, $class;
    my $n = 0;

    $t->load('/rewards', '/poll?x=0&y=0',
             (map { { id => $_, x => 0, y => 0, stock => $STOCK{$_},
                      value => $VALUE{$_} } } 1 .. $RACED),
             map { { id => 20_000 + $_, x => 5000, y => 5000 } } 1 .. $STILL)
        ->{json}{accepted} == $RACED + $STILL or die "no rewards\n";

    $self->{began} = time;

    for my $name (@names) {
        for (1 .. $WORK{$name}{clients}) {
            my $number = ++$n;

            push @{ $self->{loads} }, Trove::Load->start(sub {
                srand $seed + $number;
                return { name => $name, %{ $WORK{$name}{work}
                                              ->($self, $number, @_) } };
            });
        }
    }

    return $self;
}


sub finish {
    my $self = shift;

    my @all = map { $_->finish } @{ $self->{loads} };
    my @raced = map { @{ $_->{raced} || [] } } @all;
    my (%sum, %had);

    for (@raced) {
        my ($player, $reward, $status) = @$_;

        $sum{$player} += $VALUE{$reward}
            if $status eq '200' && !$had{"$player $reward"}++;
    }

    $self->{clients} = \@all;
    $self->{balances} = { %sum, map { %{ $_->{balances} || {} } } @all };
    $self->{scores} = { map { %{ $_->{scores} || {} } } @all };
    $self->{taken} = {};
    $self->{taken}{ (split ' ')[1] }++ for keys %had;
    $self->{wrong} = [ contradictions(\%STOCK, \%VALUE, @raced),
                       map { @{ $_->{wrong} || [] } } @all ];
    $self->{lost} = $self->{later} = $self->{slowest} = 0;

    for my $did (@all) {
        $self->{$_} += $did->{$_} // 0 for qw(lost later);
        $self->{slowest} = $did->{slowest}
            if $did->{slowest} > $self->{slowest};
    }

    return $self;
}


# What the ledger has that it should not, by HTTP

sub lies {
    my $self = shift;
    my $c = $self->{t}->client;
    my @wrong;

    for my $player (sort keys %{ $self->{balances} }) {
        my $res = $c->get("/tap?player=$player");
        my $has = $res->{json}{balance} // $res->{status};

        push @wrong, "$player has $has, not $self->{balances}{$player}"
            if $has != $self->{balances}{$player};
    }

    # a board from=claims, if there is one, has no taps

    my %earned = map { $_ => $self->{balances}{$_} }
                 grep { !/^taps/ && $self->{balances}{$_} }
                 keys %{ $self->{balances} };

    push @wrong, board_lies($c, 'earned', %earned) if $self->{earned};
    push @wrong, board_lies($c, 'sums', %{ $self->{scores} })
        if %{ $self->{scores} };

    return @wrong;
}


sub board_lies {
    my ($c, $board, %has) = @_;
    my ($last, $n, @wrong);

    for my $row (@{ walk($c, $board, 1000) }) {
        my ($rank, $player, $score) = @$row;
        my $want = delete $has{$player} // 'none';

        push @wrong, "$player is $rank with $score, not $want"
            if $score ne $want || $rank != ++$n || $score > ($last // $score);
        $last = $score;
    }

    return (@wrong, map { "$_ is not on the board" } sort keys %has);
}


# Of the rewards that were raced for, every so many: that what is left of a
# stock can be had, and no more of it.  Changes all that for good.

sub leftovers {
    my ($self, $step) = @_;

    return if !%{ $self->{taken} };

    my $last = int((time - $self->{began}) * $A_SECOND) % $RACED;
    my ($c, @wrong);

    for (my $reward = 1; $reward <= $last; $reward += $step) {
        my $left = $STOCK{$reward} - ($self->{taken}{$reward} // 0);
        my ($said) = claims($self->{t}, \$c,
                            map { [ "late$_", $reward ] } 0 .. $left);
        my $got = grep { $_->[2] eq '200' } @$said;

        push @wrong, "$got of $reward were left, not $left" if $got != $left;
    }

    return @wrong;
}


# The tests of all this when the crowd has finished: of its answers, of what
# nginx has, of an SQLite store, of the ledger beside it, and of what is made
# from the store alone.  nginx is stopped then.  Each client has done more than
# "least".

sub adds_up {
    my ($self, $fault, $file, $least) = @_;
    my $t = $self->{t};

    for (@{ $self->{clients} }) {
        note sprintf '%s did %d, %d were lost, %d put off, the slowest took '
                     . '%.3f s', @$_{qw(name did lost later slowest)};
        cmp_ok($_->{did}, '>', $least, "$_->{name}: clients went on");
    }

    is_deeply($self->{wrong}, [], 'no answer is wrong or contradicts another');
    is_deeply([ $self->lies ], [], 'each balance is what was granted');

    ok(wait_until { counters($t)->{lag} == 0 }, 'all is stored');
    ok(wait_until {
           !sql($file, 'SELECT id FROM rewards WHERE taken <>
                        (SELECT count(*) FROM grants WHERE reward = id
                         AND grants.born = rewards.born)')
       }, 'there, too, as many are taken of each as have one');

    $t->quit;
    like($fault->ledger("$file-ledger"), qr/^sane/, 'the ledger is sane');

    unlink "$file-ledger";
    $t->again;
    is_deeply([ $self->lies ], [], 'from the store alone all is there');
    is_deeply([ $self->leftovers(7) ], [], 'and what is left of each stock');

    $t->quit;
    like($fault->ledger("$file-ledger"), qr/^sane/, 'and it is sane');
}


# One request: what it is answered, and whether it is known to have been
# carried out no more than once

sub ask {
    my ($self, $did, @request) = @_;
    my ($res, $lost, $slowest, $later) = persist($self->{t}, \$did->{c},
                                                 @request);

    account($did, 1, $lost, $slowest, $later);

    return ($res, !$lost && !$later);
}


# Now and then the next request is another worker's

sub account {
    my ($did, $n, $lost, $slowest, $later) = @_;

    $did->{did} += $n;
    $did->{lost} += $lost;
    $did->{later} += $later // 0;
    $did->{slowest} = $slowest if $slowest > ($did->{slowest} // 0);
    $did->{c} = undef if rand() < 0.1;
}


sub wrong {
    my ($did, $what, $res) = @_;

    push @{ $did->{wrong} }, "$what: $res->{status} $res->{body}";
}


sub did {
    my $did = shift;

    delete $did->{c};

    return { wrong => [], lost => 0, later => 0, slowest => 0, %$did };
}


# Rewards of one's own come, are claimed by two players, change, and go

sub churn {
    my ($self, $number, $ends) = @_;
    my ($did, %is, %balance) = ({});
    my @players = map { "churn$number$_" } 'a', 'b';
    my $first = 30_000 + 1000 * $number;

    until ($ends->()) {
        my %put = map { $first + int(rand 500) => 1 }
                  1 .. (1, 1, 5, 30)[rand 4];
        my @ids = keys %put;

        for my $id (@ids) {
            $is{$id}{value} = 1 + int rand 100;
            $is{$id}{stock} = 1 + int rand 2;
        }

        my ($res) = $self->ask($did, batch_of('/rewards', map {
            { id => 0 + $_, x => 7, y => 7, stock => $is{$_}{stock},
              value => $is{$_}{value} } } @ids));

        wrong($did, 'put', $res)
            if $res->{status} != 200 || $res->{json}{accepted} != @ids;

        for my $id (@ids[0 .. ($#ids > 4 ? 4 : $#ids)]) {
            my $player = $players[rand 2];

            $self->churn_claim($did, $player, $id, $is{$id}, \%balance);
            $did->{balances}{$player} = $balance{$player} // 0;
        }

        my ($gone) = (keys %is)[0];

        if (rand() < 0.7) {
            my $sure;

            ($res, $sure) = $self->ask($did, 'DELETE', "/rewards?id=$gone");
            wrong($did, 'delete', $res)
                if $res->{status} != 200 && ($sure || $res->{status} != 404);
            delete $is{$gone};
        }

        sleep rand 0.01;
    }

    return did($did);
}


sub churn_claim {
    my ($self, $did, $player, $id, $is, $balance) = @_;
    my $has = $is->{by}{$player};
    my ($res, $sure) = $self->ask($did, claim_of($player, $id));

    if (!$has && keys %{ $is->{by} || {} } >= $is->{stock}) {
        wrong($did, "$player claims $id in vain", $res)
            if $res->{status} != 409;
        return;
    }

    if (!$has) {
        $balance->{$player} += $is->{value};
        $has = $is->{by}{$player} = { value => $is->{value},
                                      balance => $balance->{$player} };
        $sure &&= 'new';
    }

    my $json = $res->{json};

    wrong($did, "$player claims $id, for $has->{value}, $has->{balance}", $res)
        if $res->{status} != 200
           || $json->{value} != $has->{value}
           || $json->{balance} != $has->{balance}
           || $sure && !$json->{repeat} != ($sure eq 'new');
}


# Many players claim the same rewards at the same time

sub race {
    my ($self, $number, $ends) = @_;
    my ($did, $players) = ({}, 0);

    until ($ends->()) {
        my $at = int((time - $self->{began}) * $A_SECOND);
        my @claims = map { [ rand() < 0.2 ? "new$number-" . ++$players
                                          : 'p' . int rand 20,
                             1 + ($at + int rand 20) % $RACED ] }
                     1 .. (1, 1, 10)[rand 3];

        my ($said, $lost, $slowest) = claims($self->{t}, \$did->{c}, @claims);

        push @{ $did->{raced} }, @$said;
        account($did, scalar @$said, $lost, $slowest);

        sleep rand 0.01;
    }

    return did($did);
}


# Taps of players of one's own, with a seq that goes up by one: each is granted
# once, however often it was asked for

sub taps {
    my ($self, $number, $ends) = @_;
    my ($did, %seq) = ({});

    until ($ends->()) {
        my $player = "taps$number-" . int rand 5;
        my $seq = ++$seq{$player};
        my ($res, $sure) = $self->ask($did, tap_of($player, seq => $seq));
        my $balance = $did->{balances}{$player} += 1000;

        wrong($did, "$player taps $seq for $balance", $res)
            if $res->{status} != 200 || $res->{json}{balance} != $balance
               || $res->{json}{repeat} && $sure;

        sleep rand 0.005;
    }

    return did($did);
}


# Scores of players of one's own are summed up on a board, each with a seq that
# goes up.  It grows for some seconds, and then it shrinks, so that the tree
# over its rows has more levels and fewer.

sub sums {
    my ($self, $number, $ends) = @_;
    my ($did, %seq) = ({ scores => {} });
    my $scores = $did->{scores};

    until ($ends->()) {
        my $has = keys %$scores;

        my $grows = int((time - $self->{began}) / 2) % 2 == 0;

        if ($has < 150 || $grows && $has < 1800 || rand() < 0.1) {
            my %now;
            my @writes = map { { player => $_, score => int rand 1000,
                                 seq => ++$seq{$_} } }
                         grep { !$now{$_}++ }
                         map { "sums$number-" . int rand 3000 }
                         1 .. (1, 10, 300)[rand 3];

            $self->sum_up($did, 1, @writes);

        } else {
            $self->drop($did, (keys %$scores)[0 .. 99]);
        }

        sleep rand 0.01;
    }

    return did($did);
}


sub sum_up {
    my ($self, $did, $first, @writes) = @_;
    my ($res, $sure) = $self->ask($did, batch_of('/board/sums', @writes));

    $sure &&= $first;

    for my $i (0 .. $#writes) {
        my ($player, $score) = @{ $writes[$i] }{qw(player score)};
        my $line = $res->{lines}[$i];

        if (($line->{error} // '') =~ $Trove::Play::BUSY) {
            $self->sum_up($did, $sure, $writes[$i]);
            next;
        }

        my $sum = $did->{scores}{$player} += $score;

        push @{ $did->{wrong} }, "$player has "
             . ($line->{score} // $line->{error}) . ", not $sum"
             . ($line->{repeat} && $sure ? ', repeated' : '')
            if ($line->{score} // '') ne $sum || $line->{repeat} && $sure;
    }
}


sub drop {
    my ($self, $did, @players) = @_;
    my @requests = map { [ 'DELETE', "/board/sums?player=$_" ] } @players;
    my @res = eval {
        $did->{c} //= $self->{t}->client;
        $did->{c}->pipeline(@requests);
    };

    $did->{c} = undef if @res != @players || grep { !$_ } @res;

    for my $i (0 .. $#players) {
        my ($res, $sure) = ($res[$i], !!$res[$i]);

        if (!$res || $res->{status} == 503) {
            ($res, my $once) = $self->ask($did, @{ $requests[$i] });
            $sure &&= $once;
        }

        wrong($did, "$players[$i] goes", $res)
            if $res->{status} != 200 && ($sure || $res->{status} != 404);
        delete $did->{scores}{ $players[$i] };
    }
}


# Scores of boards that are reset: the first write to each has its period begin,
# and there is another one all along

sub days {
    my ($self, $number, $ends) = @_;
    my $did = {};

    until ($ends->()) {
        my $day = int((time - $self->{began}) * 8) % $DAYS;
        my ($res) = $self->ask($did, batch_of("/board/day$day", map {
            { player => 'p' . int rand 90, score => int rand 1000 } }
            1 .. 20));

        wrong($did, "day$day", $res)
            if $res->{status} != 200
               || grep { $_->{error} ? $_->{error} !~ $Trove::Play::BUSY
                                     : !$_->{rank} } @{ $res->{lines} };

        sleep rand 0.01;
    }

    return did($did);
}


# Polls are answered, whatever happens to what is written

sub polls {
    my ($self, $number, $ends) = @_;
    my $did = {};

    until ($ends->()) {
        my ($res) = $self->ask($did, 'GET', '/poll?x=5000&y=5000&r=10');

        wrong($did, 'poll', $res)
            if $res->{status} != 200 || $res->{json}{found} != $STILL;

        sleep rand 0.01;
    }

    wrong($did, 'polls', { status => 503, body => "$did->{later} times" })
        if $did->{later};

    return did($did);
}


1;
