#!/usr/bin/perl

# bench/parts.pl PART...: the parts of bench/run, which has built what they
# need.  Shows what they measure at once, and all figures at the end.

use strict;
use warnings;

use FindBin;
use List::Util qw(max min sum0);
use IO::Handle;
use POSIX qw(ceil);
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";

BEGIN { $ENV{TROVE_TEST_SECONDS} = 24 * 3600 }

use Bench::Data;
use Bench::Figures;
use Bench::Machine;
use Bench::Programs;
use Bench::Script;
use Bench::Servers;
use Trove::Client;
use Trove::Nginx;
use Trove::Store;


my $QUICK = $ENV{BENCH_QUICK};

my $CONNECTIONS = 48;
my $WARM = 3;                           # rounds that do not count
my $TRIES = 3;                          # to find enough that are undisturbed

my $RACERS = 400_000;
my $RACE = "board race rows=$RACERS row=256 keep=last;";

my %parts = (
    arena => \&arena, query => \&query, json => \&json, record => \&record,
    claims => \&claims, boards => \&boards,
    poll => \&poll, peers => \&peers, batch => \&batch,
    writes => \&writes, taps => \&taps, scores => \&scores,
    stats => \&stats_read, store => \&store, redis => \&redis_store,
    overflow => \&overflow,
    load => \&load,
    memory => \&memory, growth => \&growth, connections => \&connections,
    allocators => \&allocators,
);

my $MAIN = $$;

$| = 1;

about();

for my $part (@ARGV) {
    my $before = busy();

    print "\n$part\n";
    $parts{$part}->();
    others($before);
}


# Also when it is interrupted.  nginx is Trove::Nginx's to end.

END {
    my $status = $?;

    if ($$ == $MAIN) {
        end_all();
        figures();
        $? = $status;
    }
}


# In process

# The slowest of all sizes counts

sub arena {
    my %target = (bump => 2, reset => 100);
    my %of;

    for (lines_of($SERVER, 'arena')) {
        print "  $_";

        if (/^(\w+) +(\d+) MB  best +(\S+)  median +(\S+) ns/) {
            push @{ $of{$1} }, [$4, $3, $2];
        }
    }

    for my $what (sort keys %target) {
        my @rows = sort { $a->[0] <=> $b->[0] } @{ $of{$what} };

        figure_of("arena: $what, 1 MB to 1 GB", '<=', $target{$what}, 'ns',
                  @{ $rows[-1] }[0, 1]);
    }
}


# Of the kernels, the best that there are stand first

sub query {
    my %target = (100_000 => 300, 1_000_000 => 400, 10_000_000 => 600);
    my %name = (100_000 => '100 k', 1_000_000 => '1 M', 10_000_000 => '10 M');
    my @sizes = sort { $a <=> $b } keys %target;
    my ($space, $n, %seen);

    pop @sizes if $QUICK;

    for (lines_of($SERVER, 'query', @sizes)) {
        print "  $_";

        ($space, $n) = ($1, $2) if /^(\w+), (\d+) rewards:/;

        if (/ query +min +(\S+) +median +(\S+) ns/ && !$seen{"$space $n"}++) {
            figure_of("query of $name{$n} rewards, $space, 50 found", '<=',
                      $target{$n}, 'ns', $2, $1);
        }

        if (/ scan .* (\d+) %/ && $n == 10_000_000 && !$seen{$space}++) {
            figure_of("scan of $name{$n} rewards, $space, of the bandwidth",
                      '>=', 80, '%', $1, $1);
        }
    }
}


sub json {
    for (lines_of($SERVER, 'json')) {
        print "  $_";

        if (/^json, one parser for all +best +(\S+)  median +(\S+) ns/) {
            figure_of('parse of a poll: JSON', '<=', 250, 'ns', $2, $1);
        }
    }
}


sub record {
    for (lines_of($SERVER, 'record')) {
        print "  $_";

        if (/^clock twice and record +best +(\S+)  median +(\S+) ns/) {
            figure_of("recording a request's statistics", '<=', 60, 'ns', $2,
                      $1);
        }
    }
}


# What comes one by one waits for memory; what comes in a batch counts

sub claims {
    my $players = $QUICK ? 1_000_000 : 5_000_000;
    my $m = $players / 1_000_000;

    for (lines_of($SERVER, 'claims', $players)) {
        print "  $_";

        if (/^memory of \d+ players: (\S+)/) {
            figure_of("memory per player, of $m M", '<=', 128, 'B', $1, $1);
        }

        if (/^lookups +best +(\S+) +median +(\S+) ns/) {
            figure_of("lookup of one of $m M players", '<=', 150, 'ns', $2,
                      $1);
        }

        if (/^(claims|taps) +best +(\S+) +median +(\S+) ns/) {
            figure_of("$1 of $m M players, in process, per core", '>=',
                      $1 eq 'claims' ? 2 : 3, 'M/s', 1000 / $3, 1000 / $2);
        }
    }
}


# A program for each number of rows: what 400 k take is told, and how much more
# 4 M take than 10 k

sub boards {
    my @sizes = (10_000, 400_000, $QUICK ? () : 4_000_000);
    my %what = ('updates' => ['update of a row', 300],
                'ranks one by one' => ["a player's rank, one by one", 200],
                'top 100' => ['the top 100', 1000]);
    my %median;

    for my $n (@sizes) {
        print "  $n rows\n";

        for (lines_of($SERVER, 'board', $n)) {
            print "  $_";

            if (/^(\S.*\S) +best +(\S+) +median +(\S+) ns/) {
                $median{$1}{$n} = $3;

                figure_of("board of 400 k rows: $what{$1}[0]", '<=',
                          $what{$1}[1], 'ns', $3, $2)
                    if $n == 400_000 && $what{$1};
            }

            next if $n != 400_000;

            figure_of('board of 400 k rows: memory', '<=', 180, 'MB', $1, $1)
                if /^memory of \d+ rows: (\S+)/;

            figure_of('board of 400 k rows: its order built anew', '<=', 100,
                      'ms', $2, $1)
                if /^rebuild +best +(\S+) +median +(\S+) ms/;

            figure_of('two processes that write one board, against one',
                      '>=', 1.3, '', $2, $1)
                if /^two writers one by one +best +(\S+) +median +(\S+) of/;
        }
    }

    for my $name (sort keys %what) {
        my $of = $median{$name};
        my $more = $of->{$sizes[-1]} / $of->{$sizes[0]};

        figure_of("board of $sizes[-1] rows against $sizes[0]: $what{$name}[0]",
                  '<=', 2, '', $more, $more);
    }
}


# Over HTTP

sub poll {
    my $file = polls(places());
    my $cache = length "Cache-Control: no-store\r\n";
    my $bytes = 'x' x (answer_size($file) + $cache + 0.5);
    my $t = nginx({ earth => '200k' }, http => <<"END");
    server {
        listen  127.0.0.1:%%PORT1%%;
        location = /earth/poll { return 200 '$bytes'; }
    }
END

    fill($t, 'earth', places());

    my %s = (file => $file, path => '/earth/poll', pid => worker($t),
             connections => $CONNECTIONS);
    my $polls = stream(%s, name => 'poll', kind => 'get', to => at($t));
    my $same = stream(%s, name => 'same', kind => 'get', same => 1,
                      to => at($t, 1));

    measure('check', $polls);

    my $rounds = $QUICK ? 30 : 100;
    my %of = rounds(0.2, $rounds, $polls, $same);

    per_request('poll', $of{poll});
    per_request('return 200 of as many bytes', $of{same});

    figure('poll over HTTP: rate of a core against return 200', '>=', 0.95, '',
           map { cpu($of{same}[$_]) / cpu($of{poll}[$_]) }
               0 .. $#{ $of{poll} });
    figure('poll over HTTP: CPU added per poll', '<=', 0.7, 'us',
           map { cpu($of{poll}[$_]) - cpu($of{same}[$_]) }
               0 .. $#{ $of{poll} });

    $t->stop;
}


sub peers {
    my $file = polls(places());
    my $t = nginx({ earth => '200k' });
    my $lua = lua();
    my ($redis, $socket) = redis();

    redis_places($socket);

    fill($t, 'earth', places());

    my %s = (file => $file, connections => $CONNECTIONS);
    my @streams = (
        stream(%s, name => 'trove', kind => 'get', path => '/earth/poll',
               to => at($t), pid => worker($t)),
        stream(%s, name => 'dict', kind => 'get', path => '/dict',
               to => at($lua), pid => worker($lua)),
        stream(%s, name => 'local', kind => 'get', path => '/local',
               to => at($lua), pid => worker($lua)),
        stream(%s, name => 'redis', kind => 'redis', to => $socket,
               pid => $redis),
    );

    for (measure('check', @streams)) {
        printf "  Redis names other places for %d of %d: its coordinates are"
               . " rounded and its earth is another;\n"
               . "  it does not say how many there are\n",
               $_->{other}, $_->{requests} if $_->{name} eq 'redis';
    }

    my %of = rounds(0.5, $QUICK ? 8 : 20, @streams);

    per_request('trove', $of{trove});
    per_request('Lua, shared dictionary', $of{dict});
    per_request("Lua, each worker's own copy", $of{local});
    per_request('Redis GEOSEARCH, Unix socket', $of{redis});

    my $against = sub {
        my $peer = shift;
        return map { cpu($of{$peer}[$_]) / cpu($of{trove}[$_]) }
               0 .. $#{ $of{trove} };
    };

    figure('polls per core of the server, against Redis', '>=', 2, 'x',
           $against->('redis'));
    figure('polls per core, against Lua with a shared dictionary', '>=', 1,
           'x', $against->('dict'));
    figure('polls per core, against Lua with a copy per worker', '>=', 1, 'x',
           $against->('local'));

    end($redis);
    $lua->stop;
    $t->stop;
}


sub batch {
    my $file = polls(places());
    my $t = nginx({ earth => '200k' });

    fill($t, 'earth', places());

    my $batches = stream(name => 'batch', kind => 'batch', lines => 1000,
                         to => at($t), path => '/earth/poll', file => $file,
                         pid => worker($t), connections => 4);

    measure('check', $batches);

    my %of = rounds(0.25, $QUICK ? 10 : 40, $batches);

    printf "  %.0f ns of CPU for a poll\n",
           1000 * median(map { cpu_line($_) } @{ $of{batch} });

    figure('polls in batches of 1,000, per core', '>=', 1.2, 'M/s',
           map { 1 / cpu_line($_) } @{ $of{batch} });

    $t->stop;
}


# Claims and taps, one a request

sub writes {
    my ($players, $rewards) = (50_000, 20);
    my $all = $TRIES * $players;
    my $claimable = claimable($rewards, $all);
    my $cache = length "Cache-Control: no-store\r\n";
    my $claim = 'x' x ($cache + length '{"reward":2000010,"value":10,'
                                       . '"balance":55}');
    my $tap = 'x' x ($cache + length '{"coin":"bronze","value":1,'
                                     . '"balance":20}');
    my $t = nginx({ hunt => '1k players=300k claims=' . $rewards * $all },
                  http => <<"END");
    server {
        listen  127.0.0.1:%%PORT1%%;
        location = /hunt/claim { return 200 '$claim'; }
        location = /hunt/tap   { return 200 '$tap'; }
    }
END

    fill($t, 'hunt', $claimable);

    my %s = (pid => worker($t), connections => $CONNECTIONS, fresh => 1);
    my %claim = (%s, kind => 'claim', path => '/hunt/claim',
                 players => $players, rewards => $rewards);
    my %tap = (%s, kind => 'tap', path => '/hunt/tap', players => $players);
    my @letters = ('a' .. 'f');

    # each time others claim: a reward is granted to somebody once

    my %of = rounds(0.2, $QUICK ? 12 : 30, sub {
        my $letter = shift @letters;

        return (
            stream(%claim, name => 'claim', letter => $letter, to => at($t)),
            stream(%claim, name => 'claim200', same => 1, to => at($t, 1)),
            stream(%tap, name => 'tap', letter => uc $letter, to => at($t)),
            stream(%tap, name => 'tap200', same => 1, to => at($t, 1)));
    });

    for my $what (qw(claim tap)) {
        my ($own, $same) = @of{$what, "${what}200"};

        per_request($what, $own);
        per_request('return 200 of as many bytes', $same);
        figure("${what}s over HTTP: rate of a core against return 200", '>=',
               0.9, '', map { cpu($same->[$_]) / cpu($own->[$_]) }
                            0 .. $#$own);
    }

    granted($t, @{ $of{all} });
    $t->stop;
}


# What the server has counted must be what was answered, and the rewards have
# as many takers fewer

sub granted {
    my ($t, @lines) = @_;
    my $stats = stats($t)->{hunt};
    my $count = sub {
        my ($kind, $what) = @_;
        return sum0(map { $_->{$what} } grep { $_->{name} eq $kind } @lines);
    };
    my %own = (
        claims_granted => $count->('claim', 'lines')
                          - $count->('claim', 'repeats'),
        claims_repeat => $count->('claim', 'repeats'),
        taps_granted => $count->('tap', 'lines'),
    );

    for my $name (sort keys %own) {
        die "$name: trove counts $stats->{$name}, its clients $own{$name}\n"
            if $stats->{$name} != $own{$name};
    }

    for my $coin (qw(bronze silver gold)) {
        my $drawn = $count->('tap', $coin);

        die "$coin: trove counts $stats->{coins}{$coin}, its clients $drawn\n"
            if $stats->{coins}{$coin} != $drawn;
    }

    weighed(map { ($_ => $count->('tap', $_)) } qw(bronze silver gold));

    printf "  %d claims were granted once each\n", $own{claims_granted}
        if $own{claims_granted};
    printf "  %d taps add up to the balances\n", $own{taps_granted};
}


# Coins are drawn by their weights, within 5 standard deviations

sub weighed {
    my %drawn = @_;
    my %weight = (bronze => 0.80, silver => 0.15, gold => 0.05);
    my $n = sum0(values %drawn) or return;

    for my $coin (keys %weight) {
        my $p = $weight{$coin};
        my $off = abs($drawn{$coin} - $n * $p) / sqrt($n * $p * (1 - $p));

        die "$coin was drawn $drawn{$coin} times of $n\n" if $off > 5;
    }
}


# Taps that come together, of trove and of Redis

sub taps {
    my $players = 500_000;
    my $t = nginx({ hunt => '1k players=600k' });
    my ($redis, $socket) = redis();
    my %s = (players => $players, lines => 1000, connections => 4,
             letter => 't');
    my %trove = (%s, name => 'tap', kind => 'tap', path => '/hunt/tap',
                 to => at($t), pid => worker($t));
    my %redis = (%s, name => 'redis', kind => 'redistap', to => $socket,
                 pid => $redis, sha => redis_script($socket));

    # who taps is there before

    my @all = measure('check', stream(%trove, fresh => 1),
                      stream(%redis, fresh => 1));
    my %of = rounds(0.5, $QUICK ? 8 : 20, stream(%trove), stream(%redis));

    printf "  a tap: %.0f ns of CPU, of Redis %.0f\n",
           map { my $name = $_;
                 1000 * median(map { cpu_line($_) } @{ $of{$name} }) }
           qw(tap redis);

    figure('taps in batches of 1,000, per core', '>=', 700, 'k/s',
           map { 1000 / cpu_line($_) } @{ $of{tap} });
    figure('taps per core, against Redis with a script, pipelined', '>=', 3,
           'x', map { cpu_line($of{redis}[$_]) / cpu_line($of{tap}[$_]) }
                    0 .. $#{ $of{tap} });

    granted($t, @all, @{ $of{all} });
    end($redis);
    $t->stop;
}


# Writes with an SQLite store, against none

# Boards by HTTP: batches, whose answers have the ranks, against Redis, which
# gives none; one by one; with other workers beside; and beside polls

sub scores {
    scores_batched();
    scores_single();
    scores_of_two();
    scores_beside_polls();
}


sub scoring {
    return (kind => 'score', path => '/hunt/board/race', players => $RACERS,
            letter => 'b', to => at($_[0]), pid => worker($_[0]));
}


sub scores_batched {
    my $t = nginx({ hunt => '1k' }, trove => $RACE);
    my ($redis, $socket) = redis();
    my %s = (lines => 1000, connections => 4);
    my $trove = stream(scoring($t), %s, name => 'scores');
    my $zadd = stream(%s, name => 'zadd', kind => 'zadd', players => $RACERS,
                      letter => 'b', to => $socket, pid => $redis);

    # and what ranks and lists of the same members cost Redis

    my @reads = map { stream(name => $_->[0], kind => $_->[0], %s,
                             lines => $_->[1], players => $RACERS,
                             letter => 'b', to => $socket, pid => $redis) }
                [ zrevrank => 1000 ], [ zrevrange => 10 ];

    measure('check', $trove, $zadd);

    my %of = (rounds(0.5, $QUICK ? 8 : 20, $trove, $zadd),
              rounds(0.2, $QUICK ? 4 : 10, @reads));

    printf "  a score: %.0f ns of CPU, of Redis %.0f; a rank of Redis %.0f,"
           . " its top 100 %.0f\n",
           map { my $name = $_;
                 1000 * median(map { cpu_line($_) } @{ $of{$name} }) }
           qw(scores zadd zrevrank zrevrange);

    figure('scores in batches, per core, against ZADD pipelined', '>=', 2,
           'x', map { cpu_line($of{zadd}[$_]) / cpu_line($of{scores}[$_]) }
                    0 .. $#{ $of{zadd} });

    ordered($t);
    figure("memory of a board of 400 k rows of 256 bytes, in all", '<=', 180,
           'MB', stats($t)->{hunt}{ledger_bytes} / 1e6);

    end($redis);
    $t->stop;
}


# The board's first thousand stand in order, and each player's rank is his
# place in the list.

sub ordered {
    my $t = shift;
    my $url = '/hunt/board/race';
    my $list = $t->get_json("$url?top=1000")->{list};

    for my $i (0 .. $#$list) {
        my $row = $list->[$i];
        my $rank = $t->get_json("$url?player=$row->{player}")->{list}[0]{rank};

        $row->{rank} == $i + 1 && $rank == $i + 1
            && ($i == 0 || $row->{score} <= $list->[$i - 1]{score})
            or die "the board is not in order at $i\n";
    }

    printf "  %d rows, whose first 1000 are in order\n",
           $t->get_json("$url?top=1")->{rows};
}


sub scores_single {
    my $data = 'x' x 160;
    my $row = '{"rank":200000,"player":"b00100000","score":1234567,"data":"'
              . $data . '"}';
    my $cache = length "Cache-Control: no-store\r\n";
    my %same = (
        score => '{"player":"b00100000","score":1234567,"rank":200000,'
                 . '"improved":true}',
        rank => '{"board":"race","rows":400000,"ends":null,"list":['
                . "$row]}",
        top => '{"board":"race","rows":400000,"ends":null,"list":['
               . join(',', ($row) x 10) . ']}');

    my $locations = join '', map { "        location = /$_ { return 200 '"
                                   . 'x' x ($cache + length $same{$_})
                                   . "'; }\n" } sort keys %same;

    my $t = nginx({ hunt => '1k' }, trove => $RACE, http => <<"END");
    server {
        listen  127.0.0.1:%%PORT1%%;
$locations
    }
END

    measure('check', stream(scoring($t), lines => 1000, connections => 4));

    $t->write_file('top', "/hunt/board/race?top=10\n");
    $t->write_file('top200', "/top\n");

    for my $what (qw(score rank top)) {
        my %s = (scoring($t), kind => $what, connections => $CONNECTIONS);
        my %bytes = (same => 1, to => at($t, 1), path => "/$what");

        if ($what eq 'top') {
            delete $s{players};
            $s{kind} = 'any';
            $s{file} = $t->dir . '/top';
            $bytes{file} = $t->dir . '/top200';
        }

        my $own = stream(%s, name => $what);
        my $same = stream(%s, %bytes, name => "${what}200");

        my %of = rounds(0.2, $QUICK ? 12 : 30, $own, $same);

        per_request($what, $of{$what});
        per_request('return 200 of as many bytes', $of{"${what}200"});
        figure("board over HTTP, $what: rate of a core against return 200",
               '>=', 0.9, '',
               map { cpu($of{"${what}200"}[$_]) / cpu($of{$what}[$_]) }
               0 .. $#{ $of{$what} });
    }

    $t->stop;
}


# By the clock: the second worker has its processor together with the load.

sub scores_of_two {
    my %rate;

    for (1 .. ($QUICK ? 1 : 3)) {
        for my $workers (1, 2) {
            my $masks = join ' ', map { '1' . '0' x $_ }
                        ($SERVER, $CLIENT)[0 .. $workers - 1];
            my $t = nginx({ hunt => '1k' }, trove => $RACE,
                          workers => $workers, listen => 'reuseport',
                          pin => "worker_cpu_affinity $masks;\n");
            my $scores = stream(scoring($t), lines => 1000, connections => 16,
                                name => 'scores');

            measure('check', $scores);

            my @lines = grep { $_->{what} eq 'round' }
                        measure('rounds', $QUICK ? 6 : 12, 0.5, $scores);

            push @{ $rate{$workers} },
                 median(map { 1e9 * $_->{lines} / $_->{ns} } @lines);
            $t->stop;
        }
    }

    printf "  one worker %.0f k/s, two %.0f\n",
           map { median(@{ $rate{$_} }) / 1000 } 1, 2;
    figure('two workers that write one board, against one', '>=', 1.3, 'x',
           map { $rate{2}[$_] / $rate{1}[$_] } 0 .. $#{ $rate{1} });
}


# 40 MB of rows a second, and a hundredth more, for of what is sent the last is
# still under way when a round ends

sub scores_beside_polls {
    my $file = polls(places());
    my $t = nginx({ hunt => '200k' }, trove => $RACE);
    my $polls = stream(name => 'polls', kind => 'get', path => '/hunt/poll',
                       file => $file, rate => 50_000, connections => 256,
                       to => at($t));
    my $rows = 40.4e6 / 256;
    my $scores = stream(scoring($t), name => 'scores', lines => 100,
                        connections => 16, rate => $rows / 100);
    my %p99;

    fill($t, 'hunt', places());
    measure('check', stream(scoring($t), lines => 1000, connections => 4));

    for (1 .. ($QUICK ? 2 : 8)) {
        for my $case ([ idle => $polls ], [ beside => $polls, $scores ]) {
            my ($name, @streams) = @$case;
            my @lines = measure('together', 2, @streams);
            my ($took) = grep { $_->{what} eq 'took' && $_->{name} eq 'polls' }
                         @lines;

            push @{ $p99{$name} }, $took->{p99} / 1000;

            for (grep { $_->{what} eq 'all' } @lines) {
                push @{ $p99{"$name $_->{name}"} },
                     1e9 * $_->{lines} / $_->{ns};
            }
        }
    }

    printf "  %.0f polls and %.0f scores a second; polls' p99 %.0f us, by"
           . " themselves %.0f\n",
           map { median(@{ $p99{$_} }) } 'beside polls', 'beside scores',
                                         'beside', 'idle';
    figure('row writes beside 50 k polls a second', '>=', 40, 'MB/s',
           map { 256 * $_ / 1e6 } @{ $p99{'beside scores'} });
    figure("polls' p99 meanwhile, against idle", '<=', 1.5, 'x',
           map { $p99{beside}[$_] / $p99{idle}[$_] } 0 .. $#{ $p99{idle} });

    $t->stop;
}


# Polls while the statistics are read ten times a second

sub stats_read {
    my $file = polls(places());
    my $t = nginx({ earth => '200k' });
    my $polls = stream(name => 'polls', kind => 'get', path => '/earth/poll',
                       file => $file, connections => $CONNECTIONS,
                       to => at($t), pid => worker($t));
    my %cpu;

    $t->write_file('paths', "/stats\n");
    fill($t, 'earth', places());
    measure('together', 1, $polls);

    for (1 .. ($QUICK ? 6 : 20)) {
        for my $case ([ without => $polls ],
                      [ with => $polls,
                        stream(name => 'stats', kind => 'any', rate => 10,
                               file => $t->dir . '/paths', to => at($t)) ])
        {
            my ($name, @streams) = @$case;
            my ($all) = grep { $_->{what} eq 'all' && $_->{name} eq 'polls' }
                        measure('together', 0.5, @streams);

            push @{ $cpu{$name} }, cpu($all);
        }
    }

    figure('polls while stats are read 10 times a second', '>=', 0.99, '',
           map { $cpu{without}[$_] / $cpu{with}[$_] }
               0 .. $#{ $cpu{with} });

    $t->stop;
}


sub store {
    my $sqlite = 'store sqlite:%%DIR%%/hunt.db;';

    acks_of_memory($sqlite);
    acks_of_commit("$sqlite ack commit;");
    stalls($sqlite);
}


sub acks_of_memory {
    my $sqlite = shift;
    my $players = 100_000;
    my %of = map { ($_->[0] => nginx({ hunt => '1k players=110k' },
                                     trove => $_->[1])) }
             ['none', ''], ['sqlite', $sqlite];
    my %tap = (kind => 'tap', path => '/hunt/tap', players => $players,
               connections => $CONNECTIONS);
    my @streams = map {
        stream(%tap, name => $_, to => at($of{$_}), pid => worker($of{$_}))
    } qw(none sqlite);

    measure('check', @streams);

    my %rounds = rounds(0.5, $QUICK ? 8 : 20, @streams);
    my ($none, $stored) = @rounds{qw(none sqlite)};

    per_request('taps without a store', $none);
    per_request('taps with ack memory', $stored);
    printf "  of that the event loop %.2f us, without a store %.2f\n",
           map { median(map { $_->{cpu} / $_->{requests} / 1000 } @$_) }
           $stored, $none;

    figure('taps with ack memory and SQLite: rate against none', '>=', 0.9,
           '', map { cpu($none->[$_]) / cpu($stored->[$_]) } 0 .. $#$none);

    $_->stop for values %of;
}


sub acks_of_commit {
    my $sqlite = shift;
    my $t = nginx({ hunt => '1k players=30k' }, trove => $sqlite);
    my $epoch = 16;
    my (@took, @syncs);

    for (1 .. ($QUICK ? 3 : 8)) {
        push @syncs, syncs($t->dir . '/sync');
        push @took, map { $_->{p99} / 1e6 } grep { $_->{what} eq 'took' }
                    measure('together', 2,
                            stream(name => 'tap', kind => 'tap', rate => 400,
                                   path => '/hunt/tap', players => 20_000,
                                   connections => 200, to => at($t)));
    }

    my $sync = (sort { $a <=> $b } @syncs)[0.99 * @syncs];

    printf "  a sync of the disk: median %.2f ms, p99 %.2f\n",
           median(@syncs), $sync;

    figure("ack commit: p99 of taps, epoch + 2 x fsync's + 1 ms", '<=',
           sprintf('%.1f', $epoch + 2 * $sync + 1), 'ms', @took);

    $t->stop;
}


# How long it takes to append a page to a file and have it on the disk, in ms

sub syncs {
    my $file = shift;
    my @ms;

    open my $f, '>', $file or die "$file: $!\n";

    for (1 .. 200) {
        my $start = time;

        syswrite $f, 'x' x 4096 or die "$file: $!\n";
        $f->sync or die "$file: $!\n";

        push @ms, 1000 * (time - $start);
    }

    unlink $file;

    return @ms;
}


# Polls while another program keeps the store, against polls while the store has
# nothing to do; meanwhile as many players tap in a trove that has none

sub stalls {
    my $sqlite = shift;
    my $file = polls(places());
    my $t = nginx({ hunt => '200k players=30k', calm => '1k players=30k' },
                  trove => { hunt => $sqlite });
    my $polls = stream(name => 'polls', kind => 'get', path => '/hunt/poll',
                       file => $file, rate => 5000, connections => 256,
                       to => at($t));
    my %taps = map { ($_ => stream(name => 'taps', kind => 'tap',
                                   path => "/$_/tap", rate => 500,
                                   players => 20_000, connections => 64,
                                   to => at($t))) } qw(hunt calm);
    my %p99;

    fill($t, 'hunt', places());
    measure('together', 2, $polls, $taps{$_}) for qw(hunt calm);

    my $measure = sub {
        my ($phase, $taps) = @_;
        my ($took) = grep { $_->{what} eq 'took' && $_->{name} eq 'polls' }
                     measure('together', 2, $polls, $taps);

        push @{ $p99{$phase} }, $took->{p99} / 1000;
    };

    for (1 .. ($QUICK ? 3 : 12)) {
        stored($t);
        $measure->('idle', $taps{calm});

        my $held = hold_store($t->dir . '/hunt.db');

        $measure->('stalled', $taps{hunt});
        let_store_go($held);
    }

    printf "  polls' p99 with an idle store %.0f us, with a stalled one %.0f\n",
           map { median(@{ $p99{$_} }) } qw(idle stalled);

    figure("polls' p99 while the store is stalled, against idle", '<=', 1.2,
           'x', map { $p99{stalled}[$_] / $p99{idle}[$_] }
                    0 .. $#{ $p99{idle} });

    stored($t);
    $t->stop;
}


# Waits until the store of the trove "hunt" has all

sub stored {
    my $t = shift;

    wait_until {
        my $of = stats($t)->{hunt};
        $of->{store_failing} == 0 && $of->{store_lag} == 0
    } 30 or die "the store does not get what it has missed\n";
}


# A trove in Redis

sub redis_store {
    claims_by_redis();
    polls_of_a_copy();
}


# Claims through one nginx, then through two, in turn with redis-benchmark that
# drives the script for a trove nobody follows.  Redis has a CPU of its own, all
# others the other one.

sub claims_by_redis {
    my $claims = ($QUICK ? 50 : 100) * 1024;
    my $rounds = $QUICK ? 4 : 12;
    my $most = 4 * ($rounds + 2) * $claims;
    my $port = Trove::Nginx::free_port();
    my ($pid, $socket) = redis($port);
    my $start = sub {
        my $t = nginx({ hunt => "1k players=$most claims=$most" },
                      trove => "store redis://127.0.0.1:$port/0;",
                      pin => pin($CLIENT));

        writable($t, 'hunt');

        return $t;
    };
    my @t = $start->();

    reward($t[0], { %$SITE, stock => 1e8 });

    my $twin = twin($socket, 'hunt', 'twin', rewards => 1000,
                    players => $most, claims => $most);

    reward($t[0], { id => 2_000_001, x => 0, y => -85, stock => 1e8 });

    my @letters = ('a' .. 'z', 'A' .. 'Z');

    for my $name ('one nginx', 'two nginx') {
        my (@own, @script);

        push @t, $start->() if $name eq 'two nginx';

        for (0 .. $rounds) {
            push @script, evaluate($twin, $pid, $claims, 128);
            push @own, claimed($pid, \@letters, $claims, {}, @t);
        }

        shift @$_ for \@own, \@script;
        claims_shown($name, \@own, \@script);
    }

    my $counted = sum0(map { stats($_)->{hunt}{claims_granted} } @t);
    my $granted = granted_once($socket, 'hunt', 2_000_001);

    die "trove counts $counted claims, Redis $granted\n"
        if $counted != $granted;

    granted_once($socket, 'twin', $SITE->{id});
    last_of_stock($pid, \@letters, $granted, @t);
    agree($socket, @t);
    seen_elsewhere(@t);

    $_->stop for @t;

    costs($pid, $twin);
    end($pid);
}


# Until it has a copy of the trove, and a connection for writes

sub writable {
    my ($t, $trove) = @_;

    wait_until {
        $t->request('DELETE', "/$trove/rewards?id=4000000000")->{status} == 404
    } or die "nginx does not come to write to Redis\n";
}


sub reward {
    my ($t, $reward) = @_;
    my $json = sprintf '{"id":%d,"x":%.17g,"y":%.17g,"value":1,"stock":%d}',
                       @$reward{qw(id x y stock)};

    $t->post('/hunt/rewards', $json)->{status} == 200
        or die "the reward is not taken\n";
}


# Each claim by a player who is new, through all nginx at once: how many a
# second, and CPU of Redis, of nginx and of the threads that follow for each

sub claimed {
    my ($pid, $letters, $claims, $more, @t) = @_;
    my @pids = ($pid, map { worker($_) } @t);
    my @before = map { [spent($_), main_thread($_)] } @pids;
    my @lines = measure_beside(map {
        ['check', stream(name => 'claims', kind => 'claim', fresh => 1,
                         path => '/hunt/claim', rewards => 1, lines => 1024,
                         players => $claims / @t, connections => 16 / @t,
                         letter => shift @$letters, to => at($_), %$more)]
    } @t);
    my @cpu = map { [spent($pids[$_]) - $before[$_][0],
                     main_thread($pids[$_]) - $before[$_][1]] } 0 .. $#pids;
    my $start = min(map { $_->{start} } @lines);
    my $end = max(map { $_->{start} + $_->{ns} } @lines);
    my $us = 1000 * $claims;

    return {
        rate => 1e9 * $claims / ($end - $start),
        granted => sum0(map { $_->{lines} - $_->{other} } @lines),
        cpu => $cpu[0][0] / $us,
        nginx => sum0(map { $_->[1] } @cpu[1 .. $#cpu]) / $us,
        follows => sum0(map { $_->[0] - $_->[1] } @cpu[1 .. $#cpu]) / $us
                   / @t,
        busy => $cpu[0][0] / ($end - $start),
    };
}


sub claims_shown {
    my ($name, $own, $script) = @_;
    my $median = sub {
        my ($what, $of) = @_;
        return median(map { $_->{$what} } @$of);
    };

    printf "  %s: %.0f claims/s, %.2f us of Redis' CPU each, which is %.0f %%"
           . " busy;\n"
           . "    %.2f us of nginx's for who claims, and %.2f of each for who"
           . " follows\n"
           . "  redis-benchmark: %.0f claims/s, %.2f us\n", $name,
           $median->('rate', $own), $median->('cpu', $own),
           100 * $median->('busy', $own), $median->('nginx', $own),
           $median->('follows', $own),
           $median->('rate', $script), $median->('cpu', $script);

    figure("claims through $name, against the script: Redis' CPU", '>=', 0.7,
           '', map { $script->[$_]{cpu} / $own->[$_]{cpu} } 0 .. $#$own);
    figure("claims through $name, against the script: by the clock", '>=',
           0.7, '', map { $own->[$_]{rate} / $script->[$_]{rate} }
                        0 .. $#$own);
}


# What Redis has: of each claim a row, and the reward as many takers

sub granted_once {
    my ($socket, $trove, $id) = @_;
    my $rows = command($socket, 'HLEN', "trove:{$trove}:claims");
    my $all = command($socket, 'HGET', "trove:{$trove}", 'claims');
    my $row = command($socket, 'HGET', "trove:{$trove}:rewards", $id);
    my $taken = (unpack 'd<3l<L<5', $row)[7];

    die "$trove: $rows rows of claims, $all granted, $taken taken\n"
        if $rows != $all || $all != $taken;

    return $taken;
}


# More claims than the stock has left, through all nginx at once

sub last_of_stock {
    my ($pid, $letters, $taken, @t) = @_;
    my ($stock, $claims) = (10_240, 40_960);

    reward($t[0], { id => 2_000_001, x => 0, y => -85,
                    stock => $taken + $stock });

    my $of = claimed($pid, $letters, $claims, { gone => 1 }, @t);

    die "$of->{granted} of a stock of $stock were granted\n"
        if $of->{granted} != $stock;

    printf "  %d claims were granted once each; then %d of a stock of %d to %d"
           . " who claimed\n", $taken, $of->{granted}, $stock, $claims;
}


# All have what Redis has

sub agree {
    my ($socket, @t) = @_;
    my $log = command($socket, 'HGET', 'trove:{hunt}', 'log');

    for my $t (@t) {
        wait_until { stats($t)->{hunt}{store_position} == $log }
            or die "a copy does not come to $log\n";
    }

    my ($first, @others) = map { $_->get('/hunt/rewards')->{body} } @t;

    for (@others) {
        die "the copies differ:\n$first$_" if $_ ne $first;
    }
}


# From the moment when a reward is sent to one until polls of the other show it

sub seen_elsewhere {
    my ($one, $other) = @_;
    my @clients = map { Trove::Client->new($_->port) } $one, $other;
    my @ms;

    for my $value (1 .. ($QUICK ? 100 : 500)) {
        sleep 0.02 + rand 0.02;

        my $start = time;
        my $put = $clients[0]->request('POST', '/hunt/rewards', {
            'Content-Type' => 'application/json'
        }, qq({"id":3000001,"x":0,"y":-85,"value":$value}));

        my $version = $put->{json}{version}
            or die "the reward is not taken: $put->{body}\n";

        sleep 0.0002 until $clients[1]->request('GET', '/hunt/poll?x=0&y=0')
                                      ->{json}{version} >= $version;

        push @ms, 1000 * (time - $start);
    }

    @ms = sort { $a <=> $b } @ms;

    for my $p (50, 99) {
        figure_of("from a write on one machine to polls on another: p$p", '<=',
                  32, 'ms', $ms[$p / 100 * @ms], $ms[0]);
    }
}


# What bench/sizing starts from: of Redis' CPU, a call and each of its claims,
# and a look at the log, each entry of it, and each claim of an entry

sub costs {
    my ($pid, $twin) = @_;
    my $n = $QUICK ? 10_240 : 51_200;
    my (%us, $bytes);

    for (1 .. ($QUICK ? 3 : 7)) {
        for my $ops (128, 1) {
            my $claims = $ops == 1 ? $n / 4 : $n;
            my $of = evaluate($twin, $pid, $claims, $ops);
            my $end = command($twin->{socket}, 'HGET', $twin->{key}, 'log');

            push @{ $us{"call of $ops"} }, $ops * $of->{cpu};

            for my $count (1, 64) {
                my @look = ('XREAD', 'COUNT', $count, 'STREAMS',
                            "$twin->{key}:log", $end - 64 . '-0');

                push @{ $us{"$count of $ops"} }, looked($pid, $twin, 1024,
                                                        @look);
                $bytes = length command($twin->{socket}, @look)
                    if $ops == 128 && $count == 64;
            }
        }
    }

    my %of = map { $_ => median(@{ $us{$_} }) } keys %us;
    my $op = ($of{'call of 128'} - $of{'call of 1'}) / 127;
    my $entry = ($of{'64 of 1'} - $of{'1 of 1'}) / 63;
    my $large = ($of{'64 of 128'} - $of{'1 of 128'}) / 63;

    printf "  of Redis' CPU, for bench/sizing: call_us=%.1f op_us=%.2f"
           . " read_us=%.1f entry_us=%.2f\n"
           . "  change_us=%.3f; change=%.0f\n", $of{'call of 1'} - $op, $op,
           $of{'1 of 1'} - $entry, $entry, ($large - $entry) / 127,
           $bytes / 64 / 128;
}


sub looked {
    my ($pid, $twin, $n, @look) = @_;
    my $before = spent($pid);

    benchmark($twin->{socket}, $n, @look);

    return (spent($pid) - $before) / $n / 1000;
}


sub overflow {
    queued_writes();
    idle_queues();
}


# What a write that has to wait takes, how many are queued and carried out a
# second.  Redis has a CPU of its own, nginx and the load have the other one.

sub queued_writes {
    my $lines = $QUICK ? 50_000 : 200_000;
    my $port = Trove::Nginx::free_port();
    my ($pid, $socket) = redis($port);
    my $script = overflow_script($socket);
    my $t = nginx({ hunt => 1 }, pin => pin($CLIENT),
                  trove => "overflow redis://127.0.0.1:$port/0;");
    my ($in, $out) = (1, 2);
    my (@own, @queued, @trips, %rate);

    wait_until { stats($t)->{hunt}{overflow_up} }
        or die "nobody looks after the queues\n";
    timed($t, 1, $in, 200);

    for (1 .. ($QUICK ? 5 : 10)) {
        my $n = $QUICK ? 500 : 2000;

        push @own, timed($t, $n, $in, 200);
        push @queued, timed($t, $n, $out, 202);
        push @trips, $script->($n);
    }

    for my $p (qw(p50 p99)) {
        my $of = sub { return 1000 * median(map { $_->{$p} } @_) };

        printf "  %s: a write that has room %.0f us, one that waits %.0f,"
               . " its script alone %.0f\n", $p, $of->(@own), $of->(@queued),
               $of->(@trips);
    }

    figure('what a queued write takes longer, in round trips: p50', '<=', 2, '',
           map { ($queued[$_]{p50} - $own[$_]{p50}) / $trips[$_]{p50} }
               0 .. $#own);
    figure('a queued write: p99', '<=', 200, 'ms', map { $_->{p99} } @queued);

    emptied($t, $in);
    ($in, $out) = ($out, $in);

    for my $value (1 .. ($QUICK ? 2 : 4)) {
        my $of = { at_once => sent($t, $in, $lines, 'accepted'),
                   queued => sent($t, $out, $lines, 'queued'),
                   drained => $lines / emptied($t, $in) };

        push @{ $rate{$_} }, $of->{$_} for keys %$of;

        $t->get_json("/hunt/rewards?id=$out")->{value} == $lines
            or die "the last one of a queue is not the last\n";
        ($in, $out) = ($out, $in);
    }

    printf "  rewards a second in a batch: %.0f at once, %.0f queued, %.0f"
           . " carried out; %d bytes of Redis' memory each\n",
           map({ median(@{ $rate{$_} }) } qw(at_once queued drained)),
           entry_bytes($socket, $t, $out);

    figure('carrying out what was queued, against queuing it', '>=', 0.7, '',
           map { $rate{drained}[$_] / $rate{queued}[$_] }
               0 .. $#{ $rate{drained} });

    wait_until {
        my $of = stats($t)->{hunt};

        $of->{overflow_queued} == $of->{overflow_drained} + 1000;
    } or die "not all that was queued was carried out once\n";

    $t->stop;
    end($pid);
}


# Runs the script that fills queues, one entry a call on one connection; for
# redis-benchmark sends no zero bytes, its first argument is a constant

sub overflow_script {
    my $socket = shift;
    my $text = slurp("$Trove::Nginx::ROOT/src/store/trove_overflow.lua");
    my $call = pack 'a32Cd<Cd<', '0' x 32, 0, 0, 0, 0;

    $text =~ s/\A#!lua\n\K/'ARGV[1] = ' . Bench::Script::quoted($call) . ';'/e;

    my $sha = command($socket, 'SCRIPT', 'LOAD', $text);

    return sub {
        my @command = ('taskset', '-c', $CLIENT, 'redis-benchmark', '-s',
                       $socket, '-c', 1, '-P', 1, '-n', shift, '--csv',
                       'EVALSHA', $sha, 1, 'trove:{twin}:overflow', 'x',
                       100_000_000, 123, 'rewards', 0, 'x' x 45);

        open my $f, '-|', @command or die "redis-benchmark: $!\n";
        my @said = <$f>;
        my @of = map { s/"//gr } split /,/, $said[-1];

        close $f or die "redis-benchmark has failed: @said\n";

        return { p50 => $of[-4], p99 => $of[-2] };
    };
}


# So many times one reward, each answered so: percentiles in ms

sub timed {
    my ($t, $n, $id, $status) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => at($t)) or die "nginx: $!\n";
    my $body = qq({"id":$id,"x":1,"y":1});
    my $request = "POST /hunt/rewards HTTP/1.1\r\nHost: x\r\nContent-Type: "
                  . 'application/json' . "\r\nContent-Length: "
                  . length($body) . "\r\n\r\n$body";
    my @ms;

    $s->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);

    for (1 .. $n) {
        my $start = time;
        my $answer = '';

        syswrite $s, $request;
        sysread $s, $answer, 4096, length $answer or die "no answer\n"
            until $answer =~ /\r\n\r\n\{.*\}/s;

        push @ms, 1000 * (time - $start);
        $answer =~ m{^HTTP/1\.1 $status } or die "not $status: $answer\n";
    }

    @ms = sort { $a <=> $b } @ms;

    return { p50 => $ms[$n * 0.5], p99 => $ms[$n * 0.99] };
}


# A batch of so many values of one reward: lines a second

sub sent {
    my ($t, $id, $lines, $what) = @_;
    my $body = join '', map { qq({"id":$id,"x":1,"y":1,"value":$_}\n) }
                        1 .. $lines;
    my $start = time;
    my $res = $t->request('POST', '/hunt/rewards',
                          { 'Content-Type' => 'application/x-ndjson' }, $body);
    my $took = time - $start;

    ($res->{json}{$what} // -1) == $lines
        or die "not all are $what: $res->{status} $res->{body}\n";

    return $lines / $took;
}


# There is room when that reward is gone: seconds until nothing waits

sub emptied {
    my ($t, $id) = @_;
    my $start = time;

    $t->request('DELETE', "/hunt/rewards?id=$id")->{status} == 200
        or die "the reward cannot be removed\n";

    wait_until { stats($t)->{hunt}{overflow}{rewards}{pending} == 0 } 60
        or die "not all of what waits is carried out\n";

    return time - $start;
}


sub entry_bytes {
    my ($socket, $t, $id) = @_;

    sent($t, $id, 1000, 'queued');

    return command($socket, 'MEMORY', 'USAGE', 'trove:{hunt}:overflow:rewards',
                   'SAMPLES', 0) / 1000;
}


# A trove whose queues are empty, against one that has none

sub idle_queues {
    my $file = polls(places());
    my $port = Trove::Nginx::free_port();
    my ($pid) = redis($port);
    my $t = nginx({ map { $_ => '200k players=60k' } qw(alone earth) },
                  trove => { earth => "overflow redis://127.0.0.1:$port/0;" });
    my %to = (none => 'alone', overflow => 'earth');

    fill($t, $_, places()) for qw(alone earth);
    wait_until { stats($t)->{earth}{overflow_up} }
        or die "nobody looks after the queues\n";

    my %s = (to => at($t), pid => worker($t), connections => $CONNECTIONS);
    my @polls = map {
        stream(%s, name => $_, kind => 'get', path => "/$to{$_}/poll",
               file => $file)
    } qw(none overflow);

    measure('check', @polls) for 1 .. 3;

    my %rounds = rounds(0.2, $QUICK ? 20 : 60, @polls);

    $_->{threads} = 0 for map { @$_ } @rounds{qw(none overflow)};

    per_request('polls without queues', $rounds{none});
    per_request('polls beside empty queues', $rounds{overflow});

    figure('polls beside empty queues, against polls without', '>=', 0.98, '',
           map { cpu($rounds{none}[$_]) / cpu($rounds{overflow}[$_]) }
               0 .. $#{ $rounds{none} });

    $t->stop;
    end($pid);
}


# Polls with a store that is in Redis, against polls without: of one worker, for
# two that do the same differ by more than what is looked for.  What the thread
# that follows Redis takes is the former's.  Then Redis is ended, and what is
# answered to writes is compared with nginx's own 503

sub polls_of_a_copy {
    my $file = polls(places());
    my $port = Trove::Nginx::free_port();
    my ($pid) = redis($port);
    my $detail = 'the store does not take writes at present';
    my $bytes = 'x' x length "Cache-Control: no-store\r\nRetry-After: 1\r\n"
        . qq({"title":"Service Unavailable","status":503,"detail":"$detail"});
    my $t = nginx({ map { $_ => '200k players=60k' } qw(alone earth) },
                  trove => { earth => "store redis://127.0.0.1:$port/0;" },
                  http => <<"END");
    server {
        listen  127.0.0.1:%%PORT1%%;
        location = /earth/claim {
            default_type  application/problem+json;
            return        503 '$bytes';
        }
    }
    server {
        listen  127.0.0.1:%%PORT2%%;
        location = /poll { trove_poll alone; }
    }
    server {
        listen  127.0.0.1:%%PORT3%%;
        location = /poll { trove_poll earth; }
    }
    server {
        listen  127.0.0.1:%%PORT4%%;
        location = /earth/claim { trove_claim earth; }
    }
END

    writable($t, 'earth');
    fill($t, $_, places()) for qw(alone earth);

    my %to = (none => at($t, 2), redis => at($t, 3));
    my @polls = map {
        stream(name => $_, kind => 'get', path => '/poll', file => $file,
               to => $to{$_}, pid => worker($t), connections => $CONNECTIONS)
    } qw(none redis);

    # and again, until what came last is sorted in

    measure('check', @polls) for 1 .. 3;

    my %rounds = rounds(0.2, $QUICK ? 20 : 60, @polls);

    $_->{threads} = 0 for @{ $rounds{none} };

    per_request('polls without a store', $rounds{none});
    per_request('polls with Redis', $rounds{redis});

    figure('polls with a Redis store: rate of a core against none', '>=', 0.98,
           '', map { cpu($rounds{none}[$_]) / cpu($rounds{redis}[$_]) }
                   0 .. $#{ $rounds{none} });

    end($pid);
    refused($t);
    $t->stop;
}


sub refused {
    my $t = shift;
    my %claim = (kind => 'claim', path => '/earth/claim', status => 503,
                 players => 50_000, connections => $CONNECTIONS,
                 pid => worker($t));
    my $json = '{"player":"a","reward":1,"x":0,"y":0}';

    wait_until {
        $t->post('/earth/claim', $json)->{status} == 503
            && stats($t)->{earth}{breaker_state} == 2
    } or die "the breaker does not open\n";

    my %of = rounds(0.2, $QUICK ? 12 : 40,
                    stream(%claim, name => 'open', to => at($t, 4)),
                    stream(%claim, name => 'same', to => at($t, 1)));

    per_request('503 of an open breaker', $of{open});
    per_request('return 503 of as many bytes', $of{same});

    my ($own, $same) = map { $of{$_}[0]{bytes} / $of{$_}[0]{requests} }
                       qw(open same);

    die "they have $own and $same bytes\n" if abs($own - $same) > 2;

    figure('503s of an open breaker: rate of a core against return 503', '>=',
           0.95, '', map { cpu($of{same}[$_]) / cpu($of{open}[$_]) }
                         0 .. $#{ $of{open} });
}


# Each of its times with a new nginx: only a new reward is a new reward

sub load {
    my $more = more();
    my $file = polls(places(), $more);
    my (@rate, @whole, @late);

    for (1 .. ($QUICK ? 1 : 3)) {
        my $t = nginx({ alone => '1200k', meanwhile => '1200k' });
        my %s = (to => at($t), pid => worker($t));
        my %polls = (%s, name => 'poll', kind => 'get', file => $file);
        my %post = (%s, name => 'load', kind => 'post', file => $more,
                    lines => 0);

        fill($t, $_, places()) for qw(alone meanwhile);

        for (measure('loading', 0.2,
                     stream(%polls, path => '/alone/poll', rate => 100,
                            connections => 4),
                     stream(%post, path => '/alone/rewards')))
        {
            loaded($_, \@rate, \@whole);
        }

        my %p999 = map { took($_) }
                   measure('loading', 3,
                           stream(%polls, path => '/meanwhile/poll',
                                  rate => 5000, connections => 256),
                           stream(%post, path => '/meanwhile/rewards'));

        push @late, $p999{meanwhile} / $p999{idle};

        $t->stop;
    }

    figure('loading 1 M rewards: rate of the event loop', '>=', 500, 'k/s',
           @rate);
    printf "  with the building of views, wherever it runs: %.0f k/s\n",
           median(@whole);
    figure("loading 1 M rewards: polls' p99.9 against idle", '<=', 3, 'x',
           @late);
}


sub loaded {
    my ($line, $rate, $whole) = @_;

    if ($line->{what} eq 'loaded') {
        printf "  loaded in %.2f s: event loop %.2f s of CPU, threads %.2f\n",
               map { $_ / 1e9 } @$line{qw(ns cpu threads)};
        push @$rate, 1e6 * $line->{lines} / $line->{cpu};
    }

    if ($line->{what} eq 'settled') {
        printf "  seen by polls after %.2f s: %.2f s of CPU, threads %.2f\n",
               map { $_ / 1e9 } @$line{qw(ns cpu threads)};
        push @$whole, 1e6 * $line->{lines} / ($line->{cpu} + $line->{threads});
    }
}


# Shows how long polls took, and returns the phase and its p99.9

sub took {
    my $line = shift;

    return if $line->{what} ne 'took';

    printf "  polls %-10s p50 %5.0f  p99 %6.0f  p99.9 %6.0f  max %6.0f us\n",
           $line->{phase}, map { $_ / 1000 } @$line{qw(p50 p99 p999 max)};

    return ($line->{phase}, $line->{p999});
}


sub memory {
    my $t = nginx({ full => '1m' });
    my $worker = worker($t);
    my $before = rss($worker);

    fill($t, 'full', more());

    # what was there before has gone when nothing changes any more

    my $after = settled($worker);
    my $stats = stats($t)->{full};
    my $rewards = $stats->{rewards};
    my $own = $after->{own} - $before->{own};
    my $zone = zone($t->master);

    printf "  of %d rewards, as the stats say: ledger %.1f bytes, view %.1f\n"
           . "  as the kernel says: zone, with the workers' statistics, %.1f;"
           . " worker, more than before, %.1f\n",
           $rewards, $stats->{ledger_bytes} / $rewards,
           $stats->{view_bytes} / $rewards, $zone / $rewards, $own / $rewards;

    figure('memory per reward: ledger', '<=', 64, 'B',
           max($zone, $stats->{ledger_bytes}) / $rewards);
    figure('memory per reward: view of a worker', '<=', 48, 'B',
           max($own, $stats->{view_bytes}) / $rewards);

    $t->stop;
}


# Memory at the end of a mixed load against what it was at its beginning, after
# another one.  What a view has not sorted in yet comes and goes by the second,
# therefore medians of many samples.

sub growth {
    my $file = polls(places());
    my $minutes = $ENV{BENCH_SOAK} || ($QUICK ? 0.25 : 1);
    my $t = nginx({ earth => '200k' });
    my @streams = mixed($t, $file);

    fill($t, 'earth', places());

    measure('together', $QUICK ? 12 : 30, @streams);

    my $worker = worker($t);
    my ($samples, @lines) = sampled(sub { rss($worker)->{all} }, sub {
        measure('together', 60 * $minutes, @streams)
    });

    my @all = grep { $_->{what} eq 'all' } @lines;
    my $part = min(120, int(@$samples / 3));
    my ($first, $last) = map { median(@$_) / 1048576 }
                         [ @$samples[0 .. $part - 1] ],
                         [ @$samples[-$part .. -1] ];

    printf "  %s: %d requests, %.0f a second\n", $_->{name}, $_->{requests},
           1e9 * $_->{requests} / $_->{ns} for @all;

    my $stats = stats($t)->{earth};

    printf "  resident at first %.2f MB, at last %.2f, medians of %d samples;"
           . " %d views were built\n",
           $first, $last, $part, $stats->{view_builds};

    figure("growth of RSS in $minutes min of mixed load", '<=', 256, 'KB',
           ($last - $first) * 1024);

    $t->stop;
}


# Polls, batches, rewards that come and move, stats, bad requests

sub mixed {
    my ($t, $file) = @_;
    my %s = (to => at($t), path => '/earth/poll', file => $file);

    return (
        stream(%s, name => 'polls', kind => 'get', rate => 10000,
               connections => $CONNECTIONS),
        stream(%s, name => 'batches', kind => 'batch', rate => 20,
               lines => 1000, connections => 4),
        stream(%s, name => 'rewards', kind => 'post', rate => 20, lines => 500,
               path => '/earth/rewards', file => moving(), connections => 2),
        stream(%s, name => 'others', kind => 'any', rate => 50,
               file => paths(), connections => 2),
    );
}


# As many connections as phones at an event, each of which polls once a second.
# As many workers and loads as the limit of open files asks for.

sub connections {
    my $n = 20_000;
    my $seconds = $QUICK ? 6 : 20;
    my ($limit) = slurp('/proc/self/limits') =~ /^Max open files +(\d+)/m;
    my $workers = ceil($n / min($n, $limit - 500));
    my $file = polls(places());

    print "  a process may have $limit open files: $workers workers, and as"
          . " many loads\n" if $workers > 1;

    my $t = nginx({ earth => '200k' }, workers => $workers,
                  listen => "reuseport backlog=$n",
                  connections => min($n + 100, $limit - 20));

    fill($t, 'earth', places());

    my $lost = lost();
    my $worker = worker($t);
    my ($rss, $kernel) = (rss($worker)->{all}, kernel_bytes());
    my $polls = sub {
        measure_beside(map {
            ['together', $seconds,
             stream(name => "polls$_", kind => 'get', path => '/earth/poll',
                    file => $file, to => at($t), rate => $n / $workers,
                    connections => $n / $workers, sources => 4)]
        } 1 .. $workers);
    };
    my ($kernels, $rsss, @lines) = sampled(\&kernel_bytes, sub {
        sampled(sub { rss($worker)->{all} }, $polls);
    });

    my @all = grep { $_->{what} eq 'all' } @lines;
    my @took = grep { $_->{what} eq 'took' } @lines;
    my $requests = sum0(map { $_->{requests} } @all);
    my $least = min(map { $_->{least} } @all);
    my $segments = lost() - $lost;

    printf "  %d connections, %d polls in %d s, at least %d on each, all"
           . " answered;\n  p50 %.2f  p99 %.2f  p99.9 %.2f  max %.1f ms\n"
           . "  segments that were sent again or connections refused, of all"
           . " on this machine: %d\n",
           $n, $requests, $seconds, $least,
           map({ my $what = $_; max(map { $_->{$what} } @took) / 1e6 }
               qw(p50 p99 p999 max)), $segments;

    # both ends are on this machine

    printf "  for each %.2f KB of nginx's memory, and %.2f of the kernel's\n",
           (max(@$rsss) - $rss) / 1024 / ($n / $workers),
           (max(@$kernels) - $kernel) / 1024 / (2 * $n);

    figure('open connections that poll each second, none dropped', '>=', $n,
           '', $least >= $seconds - 2 ? $n : 0);
    figure('polls on them that were answered', '>=', $n * $seconds, '',
           $requests);

    $t->stop;
}


# What TCP has sent again, and what a listening socket had no room for

sub lost {
    my $n = 0;

    for my $file (qw(/proc/net/snmp /proc/net/netstat)) {
        my @lines = split /\n/, slurp($file);

        while (my ($names, $values) = splice @lines, 0, 2) {
            my @names = split ' ', $names;
            my @values = split ' ', $values;

            for my $i (1 .. $#names) {
                $n += $values[$i] if $names[$i] =~
                    /^(?:RetransSegs|ListenOverflows|ListenDrops)$/;
            }
        }
    }

    return $n;
}


# The same load for the module with each allocator

sub allocators {
    my @names = qw(mimalloc jemalloc tcmalloc libc);
    my $file = polls(places());
    my (%server, %took, %rss);

    for my $name (@names) {
        my $dir = $name eq 'mimalloc' ? 'dynamic' : $name;

        local $Trove::Nginx::MODULE =
            "$Trove::Nginx::BUILD/$dir/ngx_http_trove_module.so";

        # as config says, there has to be room for its thread-local memory

        $server{$name} = nginx({ earth => '400k players=60k' }, env => {
            GLIBC_TUNABLES => 'glibc.rtld.optional_static_tls=4096' });

        my $is = $server{$name}->get('/stats')->{json}{allocator}{name};

        die "this is $is and not $name\n" if $is ne $name;

        fill($server{$name}, 'earth', places());
    }

    # how late and how much, with rewards that change; the first is a warm-up

    for my $pass (0 .. ($QUICK ? 1 : 3)) {
        for my $name (@names) {
            my @polls = grep { $_->{what} eq 'took' && $_->{name} eq 'polls' }
                        measure('together', $pass ? 5 : 2,
                                mixed($server{$name}, $file));

            push @{ $took{$name} }, @polls if $pass;
        }
    }

    $rss{$_} = settled(worker($server{$_})) for @names;

    my %of = rounds(0.25, $QUICK ? 8 : 30, map {
        my $t = $server{$_};

        stream(name => $_, kind => 'get', path => '/earth/poll',
               file => $file, to => at($t), pid => worker($t),
               connections => $CONNECTIONS)
    } @names);

    print "  allocator   polls a second of CPU   p50 us   p99 us p99.9 us"
          . "   RSS MB  of its own\n";

    for my $name (@names) {
        printf "  %-12s %20.0f %8.0f %8.0f %8.0f %8.1f %8.1f\n", $name,
               median(map { 1e6 / cpu($_) } @{ $of{$name} }),
               map({ my $what = $_;
                     median(map { $_->{$what} / 1000 } @{ $took{$name} }) }
                   qw(p50 p99 p999)),
               map { $rss{$name}{$_} / 1048576 } qw(all own);
    }

    $server{$_}->stop for @names;
}


# Lines of bench/load

# Alternating rounds of streams, by their names, and "all" that there was.  The
# first are a warm-up; what other work took from the server does not count, as
# long as enough is left.  A sub makes the streams of each try.

sub rounds {
    my ($seconds, $n, @streams) = @_;
    my (@all, @kept, @lines);

    for (1 .. $TRIES) {
        my %of;

        for (measure('rounds', $n + $WARM, $seconds,
                     map { ref $_ ? $_->() : $_ } @streams))
        {
            push @{ $of{$_->{name}} }, $_;
            push @lines, $_;
        }

        for my $i ($WARM .. $n + $WARM - 1) {
            push @all, { map { ($_ => $of{$_}[$i]) } keys %of };
        }

        @kept = grep { undisturbed($_) } @all;

        last if @kept >= $n / 2;
    }

    printf "  %d rounds of %g s, of which other work disturbed %d\n",
           scalar @all, $seconds, @all - @kept;

    @kept = @all if @kept < $n / 4;

    return (all => \@lines,
            map { my $name = $_; ($name => [map { $_->{$name} } @kept]) }
            keys %{ $kept[0] });
}


sub undisturbed {
    my $round = shift;

    return !grep { $_->{cpu} + $_->{threads} < 0.97 * $_->{ns} }
                 values %$round;
}


# Requests a second; CPU of the server for a request and for a line, in us

sub rate { return 1e9 * $_[0]{requests} / $_[0]{ns} }

sub cpu {
    return ($_[0]{cpu} + $_[0]{threads}) / $_[0]{requests} / 1000;
}

sub cpu_line {
    return ($_[0]{cpu} + $_[0]{threads}) / $_[0]{lines} / 1000;
}


sub per_request {
    my ($name, $rounds) = @_;
    my $share = sub {
        my @whose = @_;
        return 100 * median(map { sum0(@$_{@whose}) / $_->{ns} } @$rounds);
    };

    printf "  %-28s %7.0f/s, %6.2f us of CPU each; server %3.0f %% busy, load"
           . " %3.0f %%\n", $name, median(map { rate($_) } @$rounds),
           median(map { cpu($_) } @$rounds), $share->(qw(cpu threads)),
           $share->('own');
}
