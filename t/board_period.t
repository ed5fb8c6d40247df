#!/usr/bin/perl

# Days, weeks and months end at midnight UTC: a board is empty then, and what
# was on it can be read until the next one has ended, too.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Clock;
use Trove::Nginx;
use Trove::Play;


my $clock = Trove::Clock->new('2024-02-10 12:00:00');
my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            env => $clock->env, http => <<'HTTP',
    trove hunt {
        board day   rows=10 reset=daily keep=sum;
        board week  rows=10 reset=weekly;
        board month rows=10 reset=monthly;
        board ever  rows=10;
        %%SIMD%%
    }
HTTP
    server => <<'SERVER');
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER
my @c = values %{ $t->clients };
my $n = 0;

sub c { return $c[$n++ % @c] }
sub ends { return Trove::Clock->unix($_[0]) }

sub score {
    my ($board, $player, $score, %more) = @_;

    return c()->request(score_of($board, $player, $score, %more))->{json};
}

sub board { return c()->get("/board/$_[0]" . ($_[1] // '')) }


# Sets the clock and looks at "board period ends [player, score], ..."

sub at {
    my ($time, @expected) = @_;

    $clock->set($time);

    for (@expected) {
        my ($board, $period, $ends, @rows) = @$_;
        my $res = board($board, "?period=$period");
        my $rank = 0;

        is_deeply([ $res->{json}{ends}, rows_of($res) ],
                  [ ends($ends), [ map { [ ++$rank, @$_ ] } @rows ] ],
                  "$time: $board, $period");
        is($res->{json}{rows}, @rows, 'and says how many');
    }
}


# in the middle of everything

my $res = score('day', 'a', 1);

is_deeply($res, { player => 'a', score => 1, rank => 1,
                  improved => JSON::PP::true, ends => ends('2024-02-11') },
          'a score says when its period ends');
is(score('week', 'a', 1)->{ends}, ends('2024-02-12'), 'weeks begin on Monday');
is(score('month', 'a', 1)->{ends}, ends('2024-03-01'), 'months differ');
is(score('ever', 'a', 1)->{ends}, undef, 'and what is never reset has no end');
is(c()->request('POST', '/board/week',
                { 'Content-Type' => 'application/x-ndjson' },
                qq({"player":"b","score":2}\n))->{lines}[0]{ends},
   ends('2024-02-12'), 'in a batch, too');

at('2024-02-10 12:00:00', ['day', 0, '2024-02-11', ['a', 1]],
   ['day', -1, '2024-02-10'],
   ['week', 0, '2024-02-12', ['b', 2], ['a', 1]], ['week', -1, '2024-02-05'],
   ['month', 0, '2024-03-01', ['a', 1]], ['month', -1, '2024-02-01']);

# the last second, and the first

at('2024-02-10 23:59:59', ['day', 0, '2024-02-11', ['a', 1]]);
at('2024-02-11 00:00:00', ['day', 0, '2024-02-12'],
   ['day', -1, '2024-02-11', ['a', 1]],
   ['week', 0, '2024-02-12', ['b', 2], ['a', 1]],
   ['month', 0, '2024-03-01', ['a', 1]]);

is(board('day', '?player=a')->{status}, 404, 'who was there is not any more');
is_deeply(rows_of(board('day', '?player=a&period=-1')), [ [1, 'a', 1] ],
          'but was');
is_deeply(rows_of(board('day', '?player=a&around=5&period=-1')),
          [ [1, 'a', 1] ], 'among others');
is(board('day', '?player=x&period=-1')->{status}, 404, 'who was not');
is(c()->request('DELETE', '/board/day?player=a')->{status}, 404,
   'what has ended stays as it was');
is($t->get_json('/stats')->{troves}{hunt}{boards}{day}{rows}, 0,
   'the figures are of the period that counts');

# a period begins at nothing, and with any seq

is(score('day', 'b', 5, seq => 9)->{rank}, 1, 'a first score');
is(score('day', 'a', 2, seq => 1)->{score}, 2, 'a sum begins anew');

at('2024-02-11 12:00:00', ['day', 0, '2024-02-12', ['b', 5], ['a', 2]],
   ['day', -1, '2024-02-11', ['a', 1]]);

# a Monday; a period that nobody wrote to

at('2024-02-12 00:00:00', ['day', 0, '2024-02-13'],
   ['day', -1, '2024-02-12', ['b', 5], ['a', 2]],
   ['week', 0, '2024-02-19'],
   ['week', -1, '2024-02-12', ['b', 2], ['a', 1]]);
at('2024-02-13 00:00:00', ['day', 0, '2024-02-14'], ['day', -1, '2024-02-13'],
   ['week', -1, '2024-02-12', ['b', 2], ['a', 1]]);

is(score('day', 'c', 7, seq => 3)->{rank}, 1, 'a score after a day without');

at('2024-02-13 01:00:00', ['day', 0, '2024-02-14', ['c', 7]],
   ['day', -1, '2024-02-13']);

# a clock that is set back

$clock->set('2024-02-12 23:00:00');
$res = score('day', 'd', 8);
is($res->{rank}, 1, 'time does not go back');
is($res->{ends}, ends('2024-02-14'), 'in a period that has begun');

at('2024-02-11 00:00:00', ['day', 0, '2024-02-14', ['d', 8], ['c', 7]],
   ['day', -1, '2024-02-13']);

# workers that go and come

$clock->set('2024-02-13 12:00:00');
ok($t->hup(gone => 1), 'a reload');
@c = values %{ $t->clients };

at('2024-02-14 00:00:00', ['day', 0, '2024-02-15'],
   ['day', -1, '2024-02-14', ['d', 8], ['c', 7]]);

$t->kill_worker(($t->workers)[0]);
@c = values %{ $t->clients };
is(score('day', 'e', 1)->{rank}, 1, 'a score after a death');

at('2024-02-14 00:00:01', ['day', 0, '2024-02-15', ['e', 1]],
   ['day', -1, '2024-02-14', ['d', 8], ['c', 7]]);

# a leap day, an end of a year

$clock->set('2024-02-29 23:59:59');
is(score('day', 'f', 1)->{ends}, ends('2024-03-01'), 'a leap day');
is(score('month', 'f', 3)->{ends}, ends('2024-03-01'), 'and its month');

at('2024-03-01 00:00:00',
   ['month', 0, '2024-04-01'],
   ['month', -1, '2024-03-01', ['f', 3], ['a', 1]],
   ['day', -1, '2024-03-01', ['f', 1]],
   ['week', 0, '2024-03-04'], ['week', -1, '2024-02-26']);

$clock->set('2024-12-31 23:59:59');
is(score('week', 'g', 1)->{ends}, ends('2025-01-06'),
   'a week that two years have');
is(score('month', 'g', 1)->{ends}, ends('2025-01-01'), 'the last month');

at('2025-01-01 00:00:00', ['month', 0, '2025-02-01'],
   ['month', -1, '2025-01-01', ['g', 1]],
   ['week', 0, '2025-01-06', ['g', 1]], ['day', 0, '2025-01-02'],
   ['day', -1, '2025-01-01']);

is_deeply(rows_of(board('ever')), [ [1, 'a', 1] ],
          'what is never reset is still there');
is(board('ever')->{json}{ends}, undef, 'and does not end');

# a full board is empty in the next period

is(score('day', "p$_", $_)->{rank}, 1, "room for $_") for 1 .. 10;
is(score('day', 'p11', 1)->{status}, 507, 'and no more');

$clock->set('2025-01-02 00:00:00');

is(score('day', "q$_", $_)->{rank}, 1, "on the next day $_") for 1 .. 10;
is(score('day', 'q11', 1)->{status}, 507, 'and no more');

at('2025-01-02 00:00:00',
   ['day', 0, '2025-01-03', map { ["q$_", $_] } reverse 1 .. 10],
   ['day', -1, '2025-01-02', map { ["p$_", $_] } reverse 1 .. 10]);

# what was sent before midnight and is sent again after it counts once

$clock->set('2025-01-05 23:59:59');
score('day', 'a', 4, seq => $_) for 11, 12;
score('day', 'b', 5, seq => 3);
$clock->set('2025-01-06 00:00:00');

is_deeply(score('day', 'a', 4, seq => 12),
          { player => 'a', score => 8, rank => 1, improved => JSON::PP::false,
            repeat => JSON::PP::true, ends => ends('2025-01-06') },
          'the last seq again is of the day before');
is(score('day', 'a', 4, seq => 11)->{status}, 409, 'a lower one is refused');
is_deeply([ map { [ @$_{qw(score ends error)} ] } @{
            c()->request(batch_of('/board/day', map {
                { player => 'a', score => 4, seq => $_ } } 11 .. 13))->{lines}
          } ],
          [ [ undef, undef, 'seq: is lower than that of the last write' ],
            [ 8, ends('2025-01-06'), undef ],
            [ 4, ends('2025-01-07'), undef ] ], 'in a batch, too');
is(score('day', 'b', 1)->{score}, 1, 'who sends none now');
is(score('day', 'b', 5, seq => 3)->{repeat}, JSON::PP::true,
   'has the last one still');

at('2025-01-06 00:00:01', ['day', 0, '2025-01-07', ['a', 4], ['b', 1]],
   ['day', -1, '2025-01-06', ['a', 8], ['b', 5]]);

is($t->get_json('/stats')->{troves}{hunt}{boards}{day}{rebuilds}, 0,
   'nothing had to be built anew');

done_testing;
