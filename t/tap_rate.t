#!/usr/bin/perl

# A player's rate: so many at once, then one in an interval; and when to come
# back is said.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


# an interval of an hour and more ends in no test

my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER'
    trove slow {
        capacity players=1k;
        tap rate=1r/m burst=5;
        coin gold value=1 weight=1;
        %%SIMD%%
    }

    trove single { capacity players=9; tap rate=1r/m;
                   coin gold value=1 weight=1; }
    trove fast   { capacity players=9; tap rate=1000000r/s;
                   coin gold value=1 weight=1; }
    trove free   { capacity players=9; coin gold value=1 weight=1; }
HTTP
    location = /single { trove_tap single; }
    location = /fast   { trove_tap fast; }
    location = /free   { trove_tap free; }
    add_header X-Status $trove_status always;
    add_header X-Worker $pid always;
SERVER
    . play_endpoints('slow'));
my $of = $t->clients;
my @c = values %$of;


is(scalar @c, 4, 'four workers');

# one and the burst, whichever worker is asked

for my $player ('a', 'b') {
    my @status = map { $c[$_ % 4]->request(tap_of($player))->{status} }
                 1 .. 20;

    is_deeply(\@status, [ (200) x 6, (429) x 14 ],
              "$player: a burst of five beyond the first");
}

my $res = $c[0]->request(tap_of('a'));

is_problem($res, 429, qr/^the player taps too fast$/, 'too fast');
is($res->{headers}{'x-status'}, 'LIMITED', '$trove_status');

my $wait = $res->{headers}{'retry-after'};

like($wait, qr/^\d+$/, 'and says when to come back');
ok($wait >= 1 && $wait <= 60, "within the interval: $wait s");
is($t->get_json('/tap?player=a')->{balance}, 6, 'nothing was added');

# what is repeated is no tap

$c[1]->request(tap_of('c', seq => $_)) for 1 .. 6;

is($c[2]->request(tap_of('c', seq => 6))->{json}{repeat}, JSON::PP::true,
   'a repeat is past the rate, too');
is($c[3]->request(tap_of('c', seq => 5))->{status}, 409, 'a lower seq as well');
is($c[3]->request(tap_of('c', seq => 7))->{status}, 429, 'a new one is not');

# no burst; no rate; one that nobody reaches

my @status = map { $t->post('/single', '{"player":"a"}')->{status} } 1 .. 3;

is_deeply(\@status, [200, 429, 429], 'without a burst there is one');

for my $path ('/fast', '/free') {
    my $c = $t->client;
    my $bad = grep { $c->request('POST', $path, {}, '{"player":"a"}')
                     ->{status} != 200 } 1 .. 100;

    is($bad, 0, "as many as one likes: $path");
}

# the state is the ledger's: a reload and a death change nothing

ok($t->hup(gone => 1), 'a reload');
is($t->client->request(tap_of('a'))->{status}, 429, 'after it');

$t->kill_worker(($t->workers)[0]);
is($t->client->request(tap_of('b'))->{status}, 429, 'after a death');

# another rate is that of the next tap

$t->configure(http => $t->{arg}{http} =~ s/burst=5/burst=7/r);
ok($t->hup(gone => 1), 'another burst');

@status = map { $t->client->request(tap_of('a'))->{status} } 1 .. 4;

is_deeply(\@status, [200, 200, 429, 429], 'two more are granted');

my $stats = $t->get_json('/stats')->{troves}{slow};

is($stats->{taps_granted}, 6 + 6 + 6 + 2, 'all are counted');
is($stats->{taps_limited}, 14 + 14 + 1 + 1 + 1 + 1 + 2, 'and the others');
is($stats->{endpoints}{tap}{requests}{429}, $stats->{taps_limited},
   'by their code, too');

done_testing;
