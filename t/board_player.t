#!/usr/bin/perl

# trove_player and boards: nginx says whose row is written, removed and looked
# around; the top is for all.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Poll qw(is_problem);


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { board fun rows=100 reset=daily; %%SIMD%% }
HTTP
    trove_player $http_x_player;

    location /board/ { trove_board hunt; }
    location /all/   { trove_board hunt; trove_player off; }
    location = /stats { trove_stats; }
SERVER

my $nobody = qr/^it is not known which player this is$/;
my $other = qr/^player: is another than the one who asks$/;


sub ask {
    my ($method, $player, $args, $body, $type) = @_;

    return $t->request($method, "/board/fun$args",
                       { 'X-Player' => $player,
                         'Content-Type' => $type // 'application/json' },
                       $body);
}

sub post { return ask('POST', $_[0], '', $_[1]) }


is(post('alice', '{"score":5}')->{json}{player}, 'alice', 'nginx says who');
is(post('bob', '{"player":"bob","score":7}')->{json}{rank}, 1,
   'who may say the same');
is_problem(post('bob', '{"player":"alice","score":7}'), 403, $other,
           'and nobody else');
is_problem(post(undef, '{"player":"alice","score":7}'), 403, $nobody,
           'nor may nobody');
is_problem(post('x' x 41, '{"score":7}'), 403, $nobody,
           'nor what can be no player');
is_problem(post('bob', '{}'), 400, qr/^score: is missing$/,
           'the rest is as ever');

is($t->post('/all/fun', qq({"player":"p$_","score":$_}))->{status}, 200,
   'a game server names them') for 1 .. 4;

# reading

my $all = [ [1, 'bob', 7], [2, 'alice', 5], [3, 'p4', 4], [4, 'p3', 3],
            [5, 'p2', 2], [6, 'p1', 1] ];

is_deeply(rows_of(ask('GET', undef, '')), $all, 'the top is for all');
is_deeply(rows_of(ask('GET', undef, '?from=3&count=2')), [ @$all[2, 3] ],
          'and pages');
is_deeply(rows_of(ask('GET', 'alice', '?player=alice')), [ $all->[1] ],
          'a row of one\'s own');
is_deeply(rows_of(ask('GET', 'alice', '?around=1')), [ @$all[0 .. 2] ],
          'and those around it');
is_deeply(rows_of(ask('GET', 'alice', '?player=alice&around=0')),
          [ $all->[1] ], 'by name');
is_problem(ask('GET', 'alice', '?player=bob'), 403, $other,
           'another is not for everybody');
is_problem(ask('GET', undef, '?player=bob'), 403, $nobody, 'nor for nobody');
is_problem(ask('GET', undef, '?around=1'), 403, $nobody,
           'nobody has no place');
is_problem(ask('GET', 'carol', '?around=1'), 404, qr/no such player/,
           'nor has who did not play');
is_problem(ask('GET', 'alice', '?around=1&top=1'), 400, qr/^top: /,
           'what does not go together');
is_problem(ask('GET', 'alice', '?around=1&period=-1'), 404,
           qr/no such player/, 'nor did yesterday');

# batches

my $res = ask('POST', 'alice', '', <<'END', 'application/x-ndjson');
{"score":1}
{"player":"alice","score":9}
{"player":"bob","score":9}
{"player":"","score":9}
{"score":10}
END

is_deeply([ map { $_->{error} ? $_->{error} =~ s/:.*//r : $_->{score} }
            @{ $res->{lines} } ], [5, 9, 'player', 'player', 10],
          'each line of a batch');

# removal

is_problem(ask('DELETE', 'alice', '?player=bob'), 403, $other,
           'another row is not removed');
is_problem(ask('DELETE', undef, '?player=bob'), 403, $nobody, 'nor by nobody');
is_problem(ask('DELETE', undef, ''), 403, $nobody, 'who has none');
is(ask('DELETE', 'alice', '')->{body}, '{"removed":"alice"}', 'one\'s own is');
is(ask('DELETE', 'bob', '?player=bob')->{body}, '{"removed":"bob"}',
   'by name, too');
is(ask('DELETE', 'bob', '')->{status}, 404, 'once');

is($t->get_json('/stats')->{troves}{hunt}{board_forbidden}, 4,
   'scores that were refused are counted');

done_testing;
