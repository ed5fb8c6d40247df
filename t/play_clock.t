#!/usr/bin/perl

# The clock is set back, and far ahead, while people play: nobody is shut out
# for the time in between, nothing is granted twice, and the epoch goes on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Clock;
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $NOW = '2024-06-01 12:00:00';
my $clock = Trove::Clock->new($NOW);
my $t = Trove::Nginx->start(workers => 2, env => $clock->env, http => <<'HTTP',
    trove hunt {
        capacity rewards=100 players=100;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit;
        claim    max_speed=1;
        tap      rate=1r/m burst=1;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my $db = $t->dir . '/hunt.db';

# nginx looks at the clock when it wakes

sub set {
    my $time = shift;
    my ($year) = split /-/, $time;

    $clock->set($time);
    wait_until { $t->get('/stats')->{headers}{date} =~ / $year / }
        or die "nginx does not see $time\n";
}

sub tap {
    my $res = $t->request(tap_of('ann'));

    return $res->{status} == 429 ? "429 $res->{headers}{'retry-after'}"
                                 : $res->{status};
}

sub at {
    my ($x, $id) = @_;

    return $t->request(claim_of('ann', $id, x => $x, y => 0))->{status};
}

my $start = Trove::Clock::unix($NOW);

$t->load('/rewards', '/poll?x=0&y=0',
         (map { { id => $_, x => 0, y => 0, value => 10 } } 1 .. 20),
         { id => 50, x => 0, y => 0, starts => $start - 10,
           expires => $start + 10 });

my ($granted, $taps, $before) = (0, 0, $start);

for my $time ($NOW, '2023-06-01 12:00:00', $NOW, '2031-01-01 00:00:00',
              '2022-01-01 00:00:00')
{
    set($time);

    is(tap(), 200, "$time: a tap");
    $taps++;

    # a burst has to be waited for anew, or it could be had twice

    if (Trove::Clock::unix($time) >= $before) {
        is(tap(), 200, 'and one more');
        $taps++;
    }

    like(tap(), qr/^429 (?:[1-9]|[1-5]\d|60)$/, 'but no other, for a minute');
    $before = Trove::Clock::unix($time);

    is(at(0, ++$granted), 200, 'a claim');
    is(at(0, $granted), 200, 'which is repeated');
    is(at(1000, 20), 403, 'and not from far away');

    my $live = $time eq $NOW;

    ok(wait_until { $t->get_json('/poll?x=0&y=0&limit=64')->{found}
                    == 20 - $granted + $live }, 'polls go by the time');
    is(at(0, 50), $time lt $NOW ? 404 : 410, 'claims do') if !$live;
}

is((row($db, 'balance', "FROM players WHERE player='ann'"))[0],
   10 * $granted + $taps, 'all of it is stored, once');

done_testing();
