#!/usr/bin/perl

# A tap draws a coin; seq makes it one that can be asked for again.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER'
    trove hunt {
        capacity players=100;
        coin gold value=25 weight=1;
        coin nothing value=-1k weight=0;
        %%SIMD%%
    }

    trove loss    { capacity players=100; coin toll value=-3 weight=1m; }
    trove nobodys { coin gold value=1 weight=1; }
HTTP
        add_header X-Status $trove_status always;
        add_header X-Found $trove_found always;

    location = /loss    { trove_tap loss; }
    location = /nobodys { trove_tap nobodys; }
SERVER
    . play_endpoints('hunt'));
my $c = $t->client;


sub tap { return $c->request(tap_of(@_)) }


my $res = tap('p1');

is($res->{status}, 200, 'a tap');
is($res->{body}, '{"coin":"gold","value":25,"balance":25}', 'draws a coin');
is($res->{headers}{'content-type'}, 'application/json', 'as JSON');
is($res->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');
is($res->{headers}{'x-status'}, 'COIN', '$trove_status');
is($res->{headers}{'x-found'}, 1, '$trove_found');

is(tap('p1')->{json}{balance}, 25 * $_, 'and again') for 2 .. 5;
is(tap('p2')->{json}{balance}, 25, 'another player has another balance');

is_deeply($t->post('/loss', '{"player":"p1"}')->{json},
          { coin => 'toll', value => -3, balance => -3 },
          'a coin may cost something');

# a claim adds to the same balance

$t->load('/rewards', '/poll?x=0&y=0', { id => 1, x => 0, y => 0, value => 5 });

is($c->request(claim_of('p1', 1))->{json}{balance}, 130,
   'a claim adds to the same balance');

# the balance

$res = $t->get('/tap?player=p1');

is($res->{status}, 200, 'GET reads the balance');
is($res->{body}, '{"balance":130,"seq":0}', 'and changes nothing');
is($res->{headers}{'x-status'}, 'HIT', '$trove_status');
is($t->get('/tap?player=%70%31')->{json}{balance}, 130, 'encoded');

$res = $t->request('HEAD', '/tap?player=p1');

is($res->{status}, 200, 'HEAD');
is($res->{headers}{'content-length'}, length '{"balance":130,"seq":0}',
   'has its length');

$res = $t->get('/tap?player=p3');
is_problem($res, 404, qr/^there is no such player$/, 'an unknown player');
is($res->{headers}{'x-status'}, 'UNKNOWN', '$trove_status');
is_problem($t->get('/tap'), 400, qr/^player: is missing$/, 'no player');
is_problem($t->get('/tap?player='), 400, qr/^player: must be/, 'an empty one');
is_problem($t->get('/tap?player=%ff'), 400, qr/^player: must be/, 'not UTF-8');

# seq

$res = tap('p4', seq => 7);
is($res->{body}, '{"coin":"gold","value":25,"balance":25}', 'a first seq');

$res = tap('p4', seq => 7);
is($res->{body}, '{"coin":"gold","value":25,"balance":25,"repeat":true}',
   'again: the same coin');
is($res->{headers}{'x-status'}, 'REPEAT', '$trove_status');
is($res->{headers}{'x-found'}, 0, 'and nothing is added');

$res = tap('p4', seq => 6);
is_problem($res, 409, qr/^seq: is lower than that of the last tap$/,
           'a lower one');
is($res->{headers}{'x-status'}, 'CONFLICT', '$trove_status');

is(tap('p4')->{json}{balance}, 50, 'one without');
is(tap('p4', seq => 8)->{json}{balance}, 75, 'the next');
is(tap('p4', seq => 9007199254740991)->{json}{balance}, 100, 'the last');
is(tap('p4', seq => 9007199254740991)->{json}{repeat}, JSON::PP::true,
   'and again');
is_deeply($t->get_json('/tap?player=p4'),
          { balance => 100, seq => 9007199254740991 },
          'a client that lost its seq can read it');

# what is wrong with the request

for my $case (['', qr/^not a JSON object/], ['{}', qr/^player: is missing$/],
              ['{"player":"' . 'p' x 41 . '"}', qr/^player: must be 1 to 40/],
              ['{"player":null}', qr/^player: /],
              ['{"player":"p","seq":0}', qr/^seq: .* from 1 to \d+, not 0$/],
              ['{"player":"p","seq":-1}', qr/^seq: .*not -1$/],
              ['{"player":"p","seq":1.5}', qr/^seq: .*not 1\.5$/],
              ['{"player":"p","seq":9007199254740992}', qr/^seq: /],
              ['{"player":"p","seq":"1"}', qr/^seq: /],
              ['{"player":"p","player":"p"}', qr/^player: .*twice/])
{
    my ($body, $detail) = @$case;

    is_problem($t->post('/tap', $body), 400, $detail, $body || 'nothing');
}

is($t->get('/tap?player=p')->{status}, 404, 'makes no player');

for my $method (qw(PUT DELETE)) {
    $res = $t->request($method, '/tap?player=p1');
    is($res->{status}, 405, "$method is not allowed");
    is($res->{headers}{allow}, 'GET, HEAD, POST', 'and says what is');
}

is_problem($t->post('/nobodys', '{"player":"p"}'), 404,
           qr/no capacity for players/, 'a trove without players');

# figures

my $stats = $t->get_json('/stats')->{troves}{hunt};

is_deeply([ map { $stats->{"taps_$_"} }
            qw(granted repeat stale limited forbidden full) ],
          [10, 2, 1, 0, 0, 0], 'taps are counted');
is_deeply($stats->{coins}, { gold => 10, nothing => 0 }, 'and coins');

like($t->get('/stats?format=prometheus')->{body},
     qr/^trove_coins_total\{trove="hunt",coin="gold"\} 10$/m, 'in the text');

# coins of another name and order, and one that is gone

$t->configure(http => <<'HTTP');
    trove hunt {
        capacity players=100;
        coin silver value=2 weight=1;
        coin nothing value=0 weight=0;
        %%SIMD%%
    }

    trove loss    { capacity players=100; }
    trove nobodys { coin gold value=1 weight=1; }
HTTP
ok($t->hup, 'a reload with other coins');
$c = $t->client;

is_deeply(tap('p1')->{json}, { coin => 'silver', value => 2, balance => 132 },
          'which are drawn');
is(tap('p4', seq => 9007199254740991)->{body},
   '{"coin":null,"value":25,"balance":100,"repeat":true}',
   'a coin that is repeated has no name any more');
is_problem($t->post('/loss', '{"player":"p1"}'), 404, qr/no coin/,
           'and a trove has none');
is_deeply($t->get_json('/stats')->{troves}{hunt}{coins},
          { gold => 10, nothing => 0, silver => 1 }, 'all are counted');

done_testing;
