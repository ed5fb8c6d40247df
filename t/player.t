#!/usr/bin/perl

# trove_player: nginx says who the player is, and whoever names another one is
# refused.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER'
    trove hunt { capacity players=100; coin gold value=1 weight=1; %%SIMD%% }

    map $http_x_token $player {
        secret1  alice;
        secret2  bob;
        long     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;
        default  "";
    }

    trove_player $player;
HTTP
        location = /header  { trove_tap hunt; trove_player $http_x_player; }
        location = /joined  { trove_tap hunt; trove_player app-$http_x_player; }
        location = /anybody { trove_tap hunt; trove_player off; }

        location = /inner {
            trove_player $arg_p;

            if ($arg_tap) {
                trove_tap hunt;
            }
        }

        location = /auth {
            auth_request /check;
            auth_request_set $user $upstream_http_x_user;
            trove_player $user;
            trove_tap hunt;
        }

        location = /check {
            internal;
            proxy_pass http://127.0.0.1:%%PORT1%%;
        }
SERVER
    . play_endpoints('hunt') . <<'AUTH');
    }

    server {
        listen 127.0.0.1:%%PORT1%%;
        add_header X-User carol;
        return 204;
AUTH


sub ask {
    my ($path, $token, $body, %headers) = @_;

    return $t->post($path, $body, { 'X-Token' => $token, %headers });
}


$t->load('/rewards', '/poll?x=0&y=0', { id => 1, x => 0, y => 0, stock => 9 });

# who asks

is(ask('/tap', 'secret1', '{}')->{json}{balance}, 1, 'nginx knows who it is');
is(ask('/tap', 'secret1', '{"player":"alice"}')->{json}{balance}, 2,
   'who names oneself may');
is(ask('/tap', 'secret2', '{}')->{json}{balance}, 1, 'another is another');
is(ask('/claim', 'secret1', '{"reward":1}')->{status}, 200, 'of claims, too');
is($t->get('/tap', { 'X-Token' => 'secret1' })->{json}{balance}, 2,
   'and of one\'s balance');
is($t->get('/tap?player=alice', { 'X-Token' => 'secret1' })->{status}, 200,
   'which one may name, too');

# who names another

my $other = qr/^player: is another than the one who asks$/;

is_problem(ask('/tap', 'secret1', '{"player":"bob"}'), 403, $other,
           'a tap for another');
is_problem(ask('/tap', 'secret1', '{"player":"alic"}'), 403, $other,
           'almost the same is another');
is_problem(ask('/claim', 'secret1', '{"player":"bob","reward":1}'), 403,
           $other, 'a claim for another');
is_problem($t->get('/tap?player=bob', { 'X-Token' => 'secret1' }), 403, $other,
           'a look at another\'s balance');
is_problem($t->get('/poll?x=0&y=0&player=bob', { 'X-Token' => 'secret1' }),
           403, $other, 'a poll as another');
is_problem(ask('/poll', 'secret1', '{"x":0,"y":0,"player":"bob"}'), 403,
           $other, 'of either kind');
is_problem(ask('/tap', 'secret1', '{"player":7}'), 400, qr/^player: /,
           'what is no player is wrong all the same');

# nobody

my $nobody = qr/^it is not known which player this is$/;

is_problem(ask('/tap', 'wrong', '{}'), 403, $nobody, 'nobody taps');
is_problem(ask('/tap', 'wrong', '{"player":"alice"}'), 403, $nobody,
           'not by naming somebody either');
is_problem(ask('/claim', undef, '{"player":"bob","reward":1}'), 403, $nobody,
           'nor claims');
is_problem($t->get('/tap?player=bob'), 403, $nobody, 'nor looks');
is_problem(ask('/tap', 'long', '{}'), 403, $nobody,
           'what can be no player is nobody');
is($t->get('/poll?x=0&y=0')->{status}, 200, 'who polls need not be anybody');
is_problem($t->get('/poll?x=0&y=0&player=bob'), 403, $nobody,
           'unless they name one');

# batches

my $res = ask('/tap', 'secret2',
              qq({}\n{"player":"alice"}\n{"player":"bob"}\n{"player":""}\n{}),
              'Content-Type' => 'application/x-ndjson');

is_deeply([ map { $_->{balance} // $_->{error} =~ s/ .*//r }
            @{ $res->{lines} } ], [2, 'player:', 3, 'player:', 4],
          'each line of a batch');

$res = ask('/claim', 'secret2',
           qq({"reward":1,"player":"alice"}\n{"reward":1}\n),
           'Content-Type' => 'application/x-ndjson');

is_deeply([ map { $_->{error} ? 'no' : $_->{balance} } @{ $res->{lines} } ],
          ['no', 4], 'and of claims');

$res = ask('/poll', 'secret2', qq({"x":0,"y":0,"player":"alice"}\n)
                               . qq({"x":0,"y":0,"player":"bob"}\n),
           'Content-Type' => 'application/x-ndjson');

is_deeply([ map { $_->{error} ? 'no' : 'yes' } @{ $res->{lines} } ],
          ['no', 'yes'], 'and of polls');

# other places, other players

is($t->post('/header', '{}', { 'X-Player' => 'bob' })->{json}{balance}, 5,
   'a location says it by a header');
is($t->post('/header', '{}', { 'X-Token' => 'secret1' })->{status}, 403,
   'and by that one only');
is($t->post('/header', '{}', { 'X-Player' => "b\xffb" })->{status}, 403,
   'which must be UTF-8');
is($t->post('/joined', '{}', { 'X-Player' => 'bob' })->{json}{balance}, 1,
   'text may stand around it');
is($t->post('/anybody', '{"player":"bob"}')->{json}{balance}, 6,
   'off: the request says it');
is($t->post('/anybody', '{}', { 'X-Token' => 'secret1' })->{status}, 400,
   'and must');
is($t->post('/inner?p=bob&tap=1', '{}')->{json}{balance}, 7, 'within an if');

SKIP: {
    skip 'no auth_request in this nginx', 2
        if ($ENV{TROVE_TEST_VARIANT} || 'dynamic') !~ /dynamic|scalar/;

    is($t->post('/auth', '{}')->{json}{balance}, 1, 'auth_request says it');
    is($t->post('/auth', '{"player":"bob"}')->{status}, 403, 'and no other');
}

my $stats = $t->get_json('/stats')->{troves}{hunt};

is($stats->{claims_forbidden}, 3, 'refused claims are counted');
cmp_ok($stats->{taps_forbidden}, '>=', 8, 'and taps');

done_testing;
