#!/usr/bin/perl

# A board: scores in, exact ranks out; the top, a page, a player and those
# around; what is wrong with requests.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Poll qw(is_problem);


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        board best rows=100;
        board few  rows=3 row=128;
        %%SIMD%%
    }

    trove none { %%SIMD%% }
HTTP
    add_header X-Status $trove_status always;
    add_header X-Found $trove_found always;
    add_header X-Name $trove_name always;

    location /board/       { trove_board hunt; }
    location /deep         { trove_board hunt; }
    location = /one/best   { trove_board hunt; }
    location ~ ^/any/\w+$  { trove_board hunt; }
    location /none/        { trove_board none; }
    location = /stats      { trove_stats; }

    location /public/ {
        trove_board hunt;
        limit_except GET { deny all; }
    }

    location /new/ { rewrite ^/new/(.*) /board/$1 last; }

    location /picked/ { if ($arg_go) { trove_board hunt; } }
SERVER
my $c = $t->client;

sub post { return $c->request(score_of('best', @_)) }
sub board { return $c->get("/board/best$_[0]") }


my $res = board('');

is($res->{status}, 200, 'a board that is empty');
is($res->{body}, '{"board":"best","rows":0,"ends":null,"list":[]}',
   'has no rows, and no end');

$res = post('p1', 1234);

is($res->{status}, 200, 'a score');
is($res->{body}, '{"player":"p1","score":1234,"rank":1,"improved":true}',
   'is answered with its rank');
is($res->{headers}{'content-type'}, 'application/json', 'as JSON');
is($res->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');
is($res->{headers}{'x-status'}, 'IMPROVED', '$trove_status');
is($res->{headers}{'x-found'}, 1, '$trove_found');
is($res->{headers}{'x-name'}, 'hunt', '$trove_name');

$res = post('p1', 1000);

is($res->{body}, '{"player":"p1","score":1234,"rank":1,"improved":false}',
   'a lower one does not count');
is($res->{headers}{'x-status'}, 'KEPT', '$trove_status');
is($res->{headers}{'x-found'}, 0, '$trove_found');

is(post('p2', 2000, data => 'x')->{json}{rank}, 1, 'a higher one');
is(post('p3', 1234)->{json}{rank}, 3, 'who comes later ranks lower');
is(post('p4', -5)->{json}{rank}, 4, 'below zero');

# reading

$res = board('');

is($res->{body}, '{"board":"best","rows":4,"ends":null,"list":['
   . '{"rank":1,"player":"p2","score":2000,"data":"x"},'
   . '{"rank":2,"player":"p1","score":1234},'
   . '{"rank":3,"player":"p3","score":1234},'
   . '{"rank":4,"player":"p4","score":-5}]}', 'the top');
is($res->{headers}{'content-type'}, 'application/json', 'as JSON');
is($res->{headers}{'x-status'}, 'HIT', '$trove_status');
is($res->{headers}{'x-found'}, 4, '$trove_found');

my $p1 = [2, 'p1', 1234];
my $p3 = [3, 'p3', 1234];
my $p4 = [4, 'p4', -5];

is_deeply(rows_of(board('?top=1')), [ [1, 'p2', 2000, 'x'] ], 'one');
is_deeply(rows_of(board('?top=1000'))->[3], $p4, 'as many as there are');
is_deeply(rows_of(board('?from=2&count=2')), [$p1, $p3], 'a page');
is_deeply(rows_of(board('?from=4')), [$p4], 'the last page');
is_deeply(rows_of(board('?from=5&count=2')), [], 'behind the last');
is_deeply(rows_of(board('?from=4294967295&count=1000')), [], 'far behind it');
is_deeply(rows_of(board('?player=p3')), [$p3], 'a player');
is_deeply(rows_of(board('?player=%70%33')), [$p3], 'encoded');
is_deeply(rows_of(board('?player=p3&around=1')), [$p1, $p3, $p4],
          'and those around');
is_deeply(rows_of(board('?player=p4&around=1')), [$p3, $p4], 'at the end');
is_deeply(rows_of(board('?player=p4&around=499')), rows_of(board('')),
          'all of them');
is_deeply(rows_of(board('?player=p4&around=0')), [$p4], 'alone');
is_deeply(rows_of(board('?period=0&top=1&unknown=1')),
          [ [1, 'p2', 2000, 'x'] ], 'this period');

$res = $t->request('HEAD', '/board/best?top=1');
is($res->{status}, 200, 'HEAD');
is($res->{headers}{'content-length'}, length board('?top=1')->{body},
   'has its length');
is($res->{body}, '', 'and no body');

$res = board('?player=p5');
is_problem($res, 404, qr/^there is no such player on the board$/,
           'an unknown player');
is($res->{headers}{'x-status'}, 'UNKNOWN', '$trove_status');
is_problem(board('?player=p5&around=3'), 404, qr/no such player/,
           'nobody is around one');

# seq

is(post('p5', 10, seq => 5)->{json}{rank}, 4, 'a first seq');

$res = post('p5', 99, seq => 5);
is($res->{body}, '{"player":"p5","score":10,"rank":4,"improved":false,'
   . '"repeat":true}', 'again: nothing is done');
is($res->{headers}{'x-status'}, 'REPEAT', '$trove_status');

$res = post('p5', 99, seq => 4);
is_problem($res, 409, qr/^seq: is lower than that of the last write$/,
           'a lower one');
is($res->{headers}{'x-status'}, 'CONFLICT', '$trove_status');
is(post('p5', 11)->{json}{score}, 11, 'one without');
is(post('p5', 12, seq => 9007199254740991)->{json}{score}, 12, 'the last');

# removal

$res = $c->request('DELETE', '/board/best?player=p1');
is($res->{status}, 200, 'a row is removed');
is($res->{body}, '{"removed":"p1"}', 'and says so');
is($res->{headers}{'x-status'}, 'REMOVED', '$trove_status');
is_problem($c->request('DELETE', '/board/best?player=p1'), 404,
           qr/no such player/, 'once');
is_deeply(rows_of(board('?player=p3')), [ [2, 'p3', 1234] ],
          'those behind it come up');
is(post('p1', 1)->{json}{rank}, 4, 'and it may come again');
is_problem($c->request('DELETE', '/board/best'), 400,
           qr/^player: is missing$/, 'nobody');
is_problem($c->request('DELETE', "/board/best?player=p2&$_"), 400,
           qr/^player: is all that says what to remove$/, "and $_")
    for 'period=0', 'top=3', 'around=1';
is_problem($c->request('DELETE', '/board/best?player='), 400,
           qr/^player: must be/, 'an empty one');

# a full board

is($c->request(score_of('few', "p$_", $_))->{status}, 200, "room for $_")
    for 1 .. 3;

$res = $c->request(score_of('few', 'p4', 4));
is_problem($res, 507, qr/^the board has no room for another player$/,
           'a full board');
is($res->{headers}{'x-status'}, 'FULL', '$trove_status');
is($c->request(score_of('few', 'p1', 9))->{json}{rank}, 1,
   'those that are on it go on');
is($c->request('DELETE', '/board/few?player=p2')->{status}, 200,
   'who goes');
is($c->request(score_of('few', 'p4', 4))->{json}{rank}, 2, 'makes room');

# where boards are

is(rows_of($t->get($_))->[0][1], 'p2', $_)
    for '/one/best', '/any/best', '/deep/best', '/new/best', '/public/best',
        '/picked/best?go=1', '/board/best/../best', '/board//best';

my $long = 'n' x 64;

for (['other', '/board/other'], ['Best', '/board/Best'], ['bes', '/board/bes'],
     ['few2', '/any/few2'], ['deep', '/deep'], [$long, "/board/$long"])
{
    my ($name, $path) = @$_;

    is_problem($t->get($path), 404, qr/^there is no board "$name"$/, $path);
}

for my $path ('/board/', '/board/best/', '/board/best/more', '/deep/',
              '/deepbest', '/board/%2e', '/board/%22', '/board/%01',
              "/board/n$long")
{
    is_problem($t->get($path), 404, qr/^there is no such board$/, $path);
}

is_problem($t->post('/board/other', '{"player":"p","score":1}'), 404,
           qr/^there is no board "other"$/, 'a score for none');
is_problem($t->get('/none/best'), 404, qr/^the trove has no board$/,
           'a trove without');
is($t->post('/public/best', '{"player":"p","score":1}')->{status}, 403,
   'a board may be open to readers only');
is($t->request('DELETE', '/public/best?player=p2')->{status}, 403,
   'and not to those who remove');

# methods, and ways to ask

for my $method (qw(PUT PATCH OPTIONS)) {
    $res = $t->request($method, '/board/best');
    is_problem($res, 405, qr/method/, "$method is not allowed");
    is($res->{headers}{allow}, 'GET, HEAD, POST, DELETE', 'and says what is');
}

is_problem($t->post('/board/best', '{"player":"p","score":1}',
                    { 'Content-Encoding' => 'gzip' }), 415,
           qr/^Content-Encoding/, 'what is compressed');

$res = $t->request('GET', '/board/best?top=1', {}, undef, version => '1.0');
is($res->{json}{list}[0]{player}, 'p2', 'HTTP/1.0');

$res = $t->request('POST', '/board/best', {}, '{"player":"p2","score":1}',
                   version => '1.0');
is($res->{json}{rank}, 1, 'by POST');

$res = $t->request('POST', '/board/best', { 'Content-Type' =>
                   'application/x-ndjson' }, "{\"player\":\"p2\",\"score\":1}\n"
                   x 3, version => '1.0');
is(scalar @{ $res->{lines} }, 3, 'and a batch');

# figures

my $stats = $t->get_json('/stats')->{troves};

is_deeply([ map { $stats->{hunt}{"board_$_"} }
            qw(improved kept repeat stale overflow full forbidden removed) ],
          [13, 5, 1, 1, 0, 1, 0, 2], 'writes are counted');
is_deeply($stats->{hunt}{boards},
          { best => { rows => 5, rows_capacity => 100, rebuilds => 0 },
            few => { rows => 3, rows_capacity => 3, rebuilds => 0 } },
          'and rows');
is_deeply($stats->{none}{boards}, {}, 'of each trove');

my $text = $t->get('/stats?format=prometheus')->{body};

like($text, qr/^trove_board_rows\{trove="hunt",board="best"\} 5$/m,
     'in the text');
like($text, qr/^trove_board_rows_capacity\{trove="hunt",board="few"\} 3$/m,
     'the capacity');
like($text, qr/^trove_board_rebuilds_total\{trove="hunt",board="few"\} 0$/m,
     'rebuilds');
like($text, qr/^trove_board_writes_total\{trove="hunt",result="full"\} 1$/m,
     'results');
like($text,
     qr/^trove_requests_total\{trove="hunt",endpoint="board",code="507"\} 1$/m,
     'and requests');

done_testing;
