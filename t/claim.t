#!/usr/bin/perl

# A claim: granted once, repeated as often as it is asked for, or refused for a
# reason that its status says.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


my $now = time;
my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER'
    trove hunt  { capacity players=100; %%SIMD%% }
    trove empty { %%SIMD%% }
HTTP
        add_header X-Status $trove_status always;
        add_header X-Found $trove_found always;
        add_header X-Version $trove_version always;

    location = /none    { trove_claim   empty; }
    location = /tapless { trove_tap     hunt; }
SERVER
    . play_endpoints('hunt'));
my $c = $t->client;


sub claim { return $c->request(claim_of(@_)) }


is($t->load('/rewards', '/poll?x=0&y=0',
            { id => 1, x => 1, y => 0, value => 50, stock => 2 },
            { id => 2, x => 2, y => 0, value => -7 },
            { id => 3, x => 3, y => 0, value => 1, level => 5 },
            { id => 4, x => 4, y => 0, starts => $now + 9999 },
            { id => 5, x => 5, y => 0, expires => $now - 1 },
            { id => 6, x => 6, y => 0, stock => 0 },
            { id => 4294967295, x => 7, y => 0, value => 20 })
     ->{json}{accepted}, 7, 'rewards');

# granted, and again

my $res = claim('p1', 1);

is($res->{status}, 200, 'a claim is granted');
is($res->{body}, '{"reward":1,"value":50,"balance":50}', 'and says so');
is($res->{headers}{'content-type'}, 'application/json', 'as JSON');
is($res->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');
is($res->{headers}{'x-status'}, 'CLAIMED', '$trove_status');
is($res->{headers}{'x-found'}, 1, '$trove_found');
is($res->{headers}{'x-version'}, 7, '$trove_version: nothing polls could see');

$res = claim('p1', 4294967295);

is($res->{body}, '{"reward":4294967295,"value":20,"balance":70}',
   'another one adds to the balance');
is($res->{headers}{'x-version'}, 8, 'the last of a stock makes a version');
is($t->get_json('/poll?x=7&y=0&r=0.5')->{found}, 0, 'and polls find none');

$res = claim('p1', 1);

is($res->{status}, 200, 'the same claim again');
is($res->{body}, '{"reward":1,"value":50,"balance":50,"repeat":true}',
   'is answered as the first time');
is($res->{headers}{'x-status'}, 'REPEAT', '$trove_status');
is($res->{headers}{'x-found'}, 0, 'nothing is granted');

$res = claim('p1', 2);

is($res->{body}, '{"reward":2,"value":-7,"balance":63}',
   'a value below zero takes');

# refused

$res = claim('p2', 2);
is_problem($res, 409, qr/^the reward's stock is gone$/, 'the stock is gone');
is($res->{headers}{'x-status'}, 'CONFLICT', '$trove_status');

is_problem(claim('p2', 6), 409, qr/stock/, 'there was none');
is(claim('p2', 1)->{json}{balance}, 50, 'the last one');
is(claim('p2', 1)->{json}{repeat}, JSON::PP::true, 'and again');
is_problem(claim('p3', 1), 409, qr/stock/, 'comes too late');

$res = claim('p1', 99);
is_problem($res, 404, qr/^there is no such reward$/, 'an unknown reward');
is($res->{headers}{'x-status'}, 'UNKNOWN', '$trove_status');

is_problem(claim('p1', 4), 404, qr/^there is no such reward$/,
           'and one that has not started are the same');

$res = claim('p1', 5);
is_problem($res, 410, qr/expired/, 'one that has expired');
is($res->{headers}{'x-status'}, 'EXPIRED', '$trove_status');

$res = claim('p1', 3);
is_problem($res, 403, qr/^level: /, 'one of a higher level');
is($res->{headers}{'x-status'}, 'FORBIDDEN', '$trove_status');

is(claim('p1', 3, level => 5)->{status}, 200, 'which a player who has it gets');

# a repeat is one whatever has become of the reward

$t->request('DELETE', '/rewards?id=1');
is(claim('p1', 1)->{json}{repeat}, JSON::PP::true,
   'a reward that was removed is still had')
    or diag 'it was had before it was removed';
is_problem(claim('p3', 1), 404, qr/no such/, 'but not to be had');

# what is wrong with the request

for my $case (['', qr/^not a JSON object/], ['[]', qr/^not a JSON object/],
              ['{"player":"p1"}', qr/^reward: is missing$/],
              ['{"reward":1}', qr/^player: is missing$/],
              ['{"player":"","reward":1}', qr/^player: must be 1 to 40/],
              ['{"player":"' . 'p' x 41 . '","reward":1}', qr/^player: must/],
              ['{"player":"a\\u0007","reward":1}', qr/^player: must/],
              ['{"player":7,"reward":1}', qr/^player: /],
              ['{"player":"p","reward":0}', qr/^reward: .* not 0$/],
              ['{"player":"p","reward":4294967296}', qr/^reward: /],
              ['{"player":"p","reward":"1"}', qr/^reward: /],
              ['{"player":"p","reward":1,"reward":1}', qr/^reward: .*twice/],
              ['{"player":"p","reward":1,"x":1}', qr/^y: is missing$/],
              ['{"player":"p","reward":1,"y":1}', qr/^x: is missing$/],
              ['{"player":"p","reward":1,"x":"a","y":1}', qr/^x: /],
              ['{"player":"p","reward":1,"level":true}', qr/^level: /])
{
    my ($body, $detail) = @$case;

    is_problem($t->post('/claim', $body), 400, $detail, $body || 'nothing');
}

is(claim('p' x 40, 4294967295)->{status}, 409, 'an id of 40 bytes');
is(claim("\x{1f600}", 4294967295)->{status}, 409, 'any letters');

# methods, and troves that have no players

for my $method (qw(GET HEAD PUT DELETE)) {
    $res = $t->request($method, '/claim');
    is($res->{status}, 405, "$method is not allowed");
    is($res->{headers}{allow}, 'POST', 'and says what is');
}

is($t->request('POST', '/claim', { 'Content-Encoding' => 'gzip' }, 'x')
     ->{status}, 415, 'only identity is read');

is_problem($t->post('/none', '{"player":"p","reward":1}'), 404,
           qr/no capacity for players/, 'a trove without players');
is_problem($t->get('/tapless?player=p1'), 404, qr/no coin/,
           'one without a coin');

# figures

my $stats = $t->get_json('/stats')->{troves}{hunt};

is_deeply([ map { $stats->{"claims_$_"} }
            qw(granted repeat gone unknown early expired level far fast
               forbidden full) ],
          [5, 3, 5, 2, 1, 1, 1, 0, 0, 0, 0], 'claims are counted');
is_deeply([ @$stats{qw(players players_capacity claims claims_capacity)} ],
          [2, 100, 5, 400], 'players and claims, too');
is($stats->{endpoints}{claim}{requests}{405}, 4, 'and requests');
is_deeply($stats->{endpoints}{claim}{requests},
          { 200 => 8, 400 => 16, 403 => 1, 404 => 3, 405 => 4, 409 => 5,
            410 => 1, 415 => 1 }, 'by their codes');
is($stats->{latency}{claim}{count}, 39, 'and how long they took');

my $text = $t->get('/stats?format=prometheus')->{body};

like($text, qr/^trove_claims_total\{trove="hunt",result="granted"\} 5$/m,
     'in the text, too');

done_testing;
