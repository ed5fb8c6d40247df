#!/usr/bin/perl

# Days end one after another while sums are sent, workers are killed and end,
# and all of nginx is killed, too.  What was lost on the way is sent again, if
# need be on the next day: each score counts once, on the day that it was
# answered for.

use strict;
use warnings;

use FindBin;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Clock;
use Trove::Load;
use Trove::Nginx;
use Trove::Play;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my ($CLIENTS, $PLAYERS, $DAYS) = (4, 60, 12);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $now = Trove::Clock->unix('2025-11-21');
my $clock = Trove::Clock->new('2025-11-21 00:00:00');
my $t = Trove::Nginx->start(workers => 4, env => $clock->env,
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        capacity rewards=10 players=10;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit;
        board    sums rows=1k keep=sum reset=daily;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    location /board/ { trove_board hunt; }
SERVER


# Until it is answered, though there may be nobody for a while

sub insist {
    my ($c, @request) = @_;

    for (my $lost = 0; ; $lost++) {
        my ($res, $n) = eval { persist($t, $c, @request) };

        return ($res, $lost + $n) if $res;
        die $@ if $@ !~ /nobody answers/ || $lost == 200;
        sleep 0.05;
    }
}


# Each request that was answered is a byte in a file

sub play {
    my ($client, $seed, $ends) = @_;
    my (%seq, %sum, @wrong, $c);
    my ($lost, $repeats) = (0, 0);

    srand $seed;
    open my $answered, '>>', $t->dir . "/answered$client" or die "open: $!\n";

    until ($ends->()) {
        my %now;
        my @writes = map {
            { player => $_, score => 1 + int rand 100, seq => ++$seq{$_} }
        } grep { !$now{$_}++ } map { "c${client}p" . int rand $PLAYERS }
          1 .. (1, 5, 40, 200)[rand 4];

        my ($res, $n) = insist(\$c, batch_of('/board/sums', @writes));

        $lost += $n;

        for my $i (0 .. $#writes) {
            my $line = $res->{lines}[$i];
            my $of = $sum{ $writes[$i]{player} } //= {};
            my $sum = $of->{ $line->{ends} // '' } += $writes[$i]{score};

            $repeats++ if $line->{repeat};
            push @wrong, "$writes[$i]{player} has "
                         . ($line->{score} // $line->{error}) . ", not $sum"
                if ($line->{score} // '') ne $sum || $line->{repeat} && !$n;
        }

        syswrite $answered, '.';

        # what was sent twice may have counted on the day before as well

        for my $player ($n ? map { $_->{player} } @writes : ()) {
            ($res) = insist(\$c, 'GET',
                            "/board/sums?period=-1&player=$player");

            next if $res->{status} == 404;

            my $has = $res->{json}{list}[0]{score};
            my $sum = $sum{$player}{ $res->{json}{ends} } // 'none';

            push @wrong, "$player had $has, not $sum" if $has ne $sum;
        }
    }

    return { sums => \%sum, wrong => \@wrong, lost => $lost,
             repeats => $repeats };
}


# What is under way when a day ends is answered before the next one does

sub day_ends {
    my @answered = map { -s $t->dir . "/answered$_" || 0 } 1 .. $CLIENTS;

    $now += 86400;
    $clock->set(strftime('%Y-%m-%d %H:%M:%S', gmtime $now));

    return sub {
        wait_until {
            !grep { (-s $t->dir . "/answered$_" || 0) <= $answered[$_ - 1] }
                  1 .. $CLIENTS
        };
    };
}


my @loads = map { my ($client, $seed) = ($_, int rand 2**31);
                  Trove::Load->start(sub { play($client, $seed, @_) }) }
            1 .. $CLIENTS;
my $all_answered = 1;

for my $day (1 .. $DAYS) {
    my @workers = $t->workers;

    sleep rand 0.1;
    $t->kill_worker($workers[rand @workers]) if $day % 3 == 0;
    $t->kill_all if $day % 5 == 0;

    my $answered = day_ends();

    $t->again if $day % 5 == 0;
    $t->hup if $day % 4 == 0;
    $all_answered &&= $answered->();
}

my @did = map { $_->finish } @loads;
my %sum = map { %{ $_->{sums} } } @did;
my ($lost, $repeats) = (0, 0);

for (@did) {
    $lost += $_->{lost};
    $repeats += $_->{repeats};
}

note "$lost answers were lost, $repeats scores had counted";

ok($all_answered, 'everybody was answered each day');
cmp_ok($lost, '>', 0, 'though not at once');
is_deeply([ map { @{ $_->{wrong} } } @did ], [], 'no answer was wrong');


sub is_there {
    my $how = shift;

    for my $period (0, -1) {
        my $ends = $t->get_json("/board/sums?period=$period")->{ends};
        my %expected = map { $sum{$_}{$ends} ? ($_ => $sum{$_}{$ends}) : () }
                       keys %sum;
        my $rows = walk($t->client, 'sums', 100, "&period=$period");

        is_deeply({ map { ($_->[1] => $_->[2]) } @$rows }, \%expected,
                  "$how: the sums of period $period");
        is(grep({ $rows->[$_][0] != $_ + 1
                  || $_ && $rows->[$_][2] > $rows->[$_ - 1][2] } 0 .. $#$rows),
           0, 'in their order');
    }
}

is_there('at once');
$t->quit;
unlink $t->dir . '/hunt.db-ledger' or die "unlink: $!\n";
$t->again;
is_there('from the store');

done_testing;
