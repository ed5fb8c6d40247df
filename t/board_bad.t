#!/usr/bin/perl

# Scores and texts of any kind: what is wrong is refused by its name, and what
# is right comes back as it was.

use strict;
use warnings;
use utf8;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Poll qw(is_problem);


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        board last   rows=100 keep=last;
        board sum    rows=100 keep=sum;
        board small  rows=100 row=128;
        board large  rows=100 row=4k;
        board weekly rows=100 reset=weekly;
        %%SIMD%%
    }
HTTP
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }
SERVER
my $c = $t->client;

sub post { my $board = shift; $c->request(score_of($board, @_)) }


# scores

my $range = qr/^score: must be an integer from -9007199254740992 to 9007199/;

for my $bad (qw(1.5 1e400 -1e99 9007199254740993 -9007199254740993
                9007199254740992.5 "1" null true [] {}))
{
    is_problem($t->post('/board/last', qq({"player":"p","score":$bad})), 400,
               $range, "score $bad");
}

is_problem($t->post('/board/last', qq({"player":"p","score":$_})), 400,
           qr/^(?:score|not a JSON object): /, "score $_")
    for qw(NaN Infinity +1 01 0x1 1e), '';

for my $case ([0, 0], ['-0', 0], [-1, -1], ['1e3', 1000], ['5.0', 5],
              [9007199254740992, 9007199254740992],
              [-9007199254740992, -9007199254740992],
              ['9007199254740991', 9007199254740991])
{
    my ($text, $score) = @$case;

    is($t->post('/board/last', qq({"player":"p","score":$text}))
         ->{json}{score}, $score, "score $text");
    is(rows_of($c->get('/board/last?player=p'))->[0][2], $score, 'as it was');
}

# sums

is(post('sum', 'p', 9007199254740992)->{json}{score}, 9007199254740992,
   'a sum as large as it may be');

my $res = post('sum', 'p', 1);

is_problem($res, 409, qr/^score: the sum would leave the range of scores$/,
           'no larger');
is(post('sum', 'p', -9007199254740992)->{json}{score}, 0, 'nothing of it');
is(post('sum', 'p', -9007199254740992)->{json}{score}, -9007199254740992,
   'nor lower');
is(post('sum', 'p', -1)->{status}, 409, 'than that');

# the other fields

for my $case (['', qr/^not a JSON object: it is empty/],
              ['{}', qr/^player: is missing$/],
              ['[]', qr/^not a JSON object/],
              ['{"player":"p"}', qr/^score: is missing$/],
              ['{"score":1}', qr/^player: is missing$/],
              ['{"player":"","score":1}', qr/^player: must be 1 to 40 bytes/],
              ['{"player":"' . 'é' x 20 . 'x","score":1}', qr/^player: must/],
              ['{"player":"a\nb","score":1}', qr/^player: must be/],
              ["{\"player\":\"\xff\",\"score\":1}", qr/invalid UTF-8/],
              ['{"player":1,"score":1}', qr/^player: .*not 1$/],
              ['{"player":"p","score":1,"score":2}', qr/^score: .*twice/],
              ['{"player":"p","score":1,"seq":0}', qr/^seq: .* not 0$/],
              ['{"player":"p","score":1,"seq":-1}', qr/^seq: .* not -1$/],
              ['{"player":"p","score":1,"seq":9007199254740992}', qr/^seq: /],
              ['{"player":"p","score":1,"data":1}',
               qr/^data: must be a string of at most 160 bytes, not 1$/],
              ['{"player":"p","score":1,"data":null}', qr/^data: .*not null$/],
              ['{"player":"p","score":1,"data":{"a":1}}', qr/^data: /],
              ['{"player":"p","score":1,"data":"\ud800"}', qr/surrogate/],
              ['{"player":"p","score":1,"data":"' . 'x' x 161 . '"}',
               qr/^data: must be a string of at most 160 bytes, not 161$/])
{
    my ($body, $detail) = @$case;

    utf8::encode($body) if $body =~ /é/;
    is_problem($t->post('/board/weekly', $body), 400, $detail,
               $body || 'nothing');
}

is($c->get('/board/weekly')->{json}{rows}, 0, 'nothing came of them');

# what is asked

my $one = 'must be an integer from 1 to';

for my $case (['top=0', qr/^top: $one 1000, not 0$/],
              ['top=1001', qr/^top: $one 1000/], ['top=x', qr/^top: /],
              ['top=', qr/^top: /], ['top=1.5', qr/^top: /],
              ['top=1&top=1', qr/^top: given twice$/],
              ['from=0', qr/^from: $one 4294967295, not 0$/],
              ['from=-1', qr/^from: /], ['from=4294967296', qr/^from: /],
              ['from=1&count=0', qr/^count: $one 1000/],
              ['from=1&count=1001', qr/^count: /],
              ['player=p&around=500', qr/^around: .* from 0 to 499, not 500$/],
              ['player=p&around=-1', qr/^around: /],
              ['player=' . 'p' x 41, qr/^player: must be 1 to 40/],
              ['player=%ff', qr/^player: /], ['player=%c', qr/^player: /],
              ['player=a%0ab', qr/^player: /],
              ['period=1', qr/^period: must be an integer from -1 to 0/],
              ['period=-2', qr/^period: /],

              # what does not go together

              ['count=5', qr/^count: goes with from only$/],
              ['top=5&count=5', qr/^count: goes with from only$/],
              ['player=p&count=5', qr/^count: goes with from only$/],
              ['top=5&from=5', qr/^from: does not go with top$/],
              ['player=p&top=1', qr/^top: does not go with player/],
              ['player=p&from=1', qr/^from: does not go with player/],
              ['around=1&top=1', qr/^top: does not go with player/],
              ['around=1', qr/^player: is missing$/])
{
    my ($args, $detail) = @$case;

    is_problem($t->get("/board/weekly?$args"), 400, $detail, $args);
}

is_problem($t->get('/board/last?period=-1'), 400,
           qr/^period: the board is never reset$/, 'a board without periods');
is($t->get('/board/last?period=0')->{status}, 200, 'has the present');

# texts come back as they were

my @texts = ('', ' ', 'x', '"', '\\', '\\"\\', "\n\r\t\b\f", "\0", "\x01\x1f",
             "\x7f", '</script>', '{"a":[1]}', 'é', 'ß€', '😀', '😀' x 40,
             "\x{10ffff}", "\x{feff}", "\x{200b}\x{202e}", 'x' x 160,
             'é' x 80, "\0" x 160, '"' x 160, "a\x{301}");

for my $text (@texts) {
    my $json = JSON::PP->new->ascii->allow_nonref->encode($text);
    my $raw = JSON::PP->new->utf8->allow_nonref->encode($text);
    my $player = substr $text, 0, 10;

    for my $form ($json, $raw) {
        is($t->post('/board/last', qq({"player":"t","score":1,"data":$form}))
             ->{status}, 200, "data $json") or next;

        my ($row) = @{ $c->get('/board/last?player=t')->{json}{list} };

        is($row->{data} // '', $text, 'as they were');
    }

    next if $player !~ /^[^\x00-\x1f\x7f-\x9f]+$/;

    $json = JSON::PP->new->utf8->allow_nonref->encode($player);
    $res = $t->post('/board/last', qq({"player":$json,"score":2}));
    is($res->{json}{player}, $player, "player $json");

    my $encoded = $player;

    utf8::encode($encoded);
    $encoded =~ s/(.)/sprintf '%%%02x', ord $1/gse;

    is($t->get("/board/last?player=$encoded")->{json}{list}[0]{player},
       $player, 'is found');
    is($t->request('DELETE', "/board/last?player=$encoded")->{json}{removed},
       $player, 'and removed');
}

# each row has its room

for my $case (['small', 32], ['large', 4000]) {
    my ($board, $room) = @$case;

    is(post($board, 'p', 1, data => 'y' x $room)->{status}, 200,
       "$board: $room bytes");
    is($t->get("/board/$board")->{json}{list}[0]{data}, 'y' x $room,
       'as they were');
    is_problem(post($board, 'p', 2, data => 'y' x ($room + 1)), 400,
               qr/^data: must be a string of at most $room bytes, not @{[
                   $room + 1 ]}$/, 'and no more');
}

# data are those of the score; without any the row keeps its own

post('small', 'q', 5, data => 'five');
post('small', 'q', 4, data => 'four');
is($t->get('/board/small?player=q')->{json}{list}[0]{data}, 'five',
   'of a score that does not count they are not taken');
post('small', 'q', 6);
is($t->get('/board/small?player=q')->{json}{list}[0]{data}, 'five',
   'none: the row keeps its own');
post('small', 'q', 7, data => '');
is($t->get('/board/small?player=q')->{json}{list}[0]{data}, undef,
   'empty ones');

# the largest list that there can be

for my $n (1 .. 90) {
    post('large', "p$n", $n, data => "\0" x 4000);
}

my $list = $t->get('/board/large?top=1000')->{json}{list};

is(grep({ $_->{data} eq "\0" x 4000 } @$list), 90, 'a large list is whole');
is(@$list, 91, 'and all of it');

done_testing;
