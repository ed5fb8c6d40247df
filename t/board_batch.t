#!/usr/bin/perl

# Batches of scores: lines are carried out many at a time, and answered each
# in its place as if they came alone, however the body comes.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        board mixed rows=3 keep=sum;
        board all   rows=20k row=1k;
        board some  rows=10k;
        board tiny  rows=10k;
        board mirrored rows=10k;
        board paused rows=10;
        %%SIMD%%
    }
HTTP
    location /board/ { trove_board hunt; }
    location = /stats { trove_stats; }

    location = /board/tiny {
        client_body_buffer_size 16;
        trove_board hunt;
    }

    location = /board/mirrored {
        client_body_in_file_only clean;
        mirror /mirror;
        trove_board hunt;
    }

    location = /mirror { return 204; }
SERVER
my $c = $t->client;


sub batch { my $board = shift; $c->request(batch_of("/board/$board", @_)) }


my $res = batch('mixed',
                { player => 'a', score => 3 },
                "nonsense\n",
                { player => 'b', score => 4, seq => 7 },
                { player => 'b', score => 4, seq => 7 },
                "\n",
                { player => 'b', score => 1, seq => 6 },
                { player => 'a', score => 1 },
                { player => 'c', score => 0, data => 'x' x 160 },
                { player => 'c', score => 0, data => 'x' x 161 },
                { player => 'd', score => 1 },
                { player => 'c' },
                '{"player":"c","z":"' . 'z' x 66000 . "\"}\n",
                { player => 'a', score => 1 << 53 },
                { player => 'a', score => 0 });

is($res->{status}, 200, 'a batch of scores');
is($res->{headers}{'content-type'}, 'application/x-ndjson', 'is lines');
is($res->{body}, <<'END', 'each in its place');
{"player":"a","score":3,"rank":1,"improved":true}
{"error":"not a JSON object: invalid string in json text at byte 1","line":2}
{"player":"b","score":4,"rank":1,"improved":true}
{"player":"b","score":4,"rank":1,"improved":false,"repeat":true}
{"error":"seq: is lower than that of the last write","line":6}
{"player":"a","score":4,"rank":2,"improved":true}
{"player":"c","score":0,"rank":3,"improved":true}
{"error":"data: must be a string of at most 160 bytes, not 161","line":9}
{"error":"the board has no room for another player","line":10}
{"error":"score: is missing","line":11}
{"error":"the line is longer than 65536 bytes","line":12}
{"error":"score: the sum would leave the range of scores","line":13}
{"player":"a","score":4,"rank":2,"improved":false}
END

is(batch('mixed', "[]\n")->{body}, <<'END', 'bad lines alone');
{"error":"not a JSON object: an array","line":1}
END
is(batch('mixed')->{body}, '', 'no lines');

my $figures = $t->get_json('/stats')->{troves}{hunt}{endpoints}{board};

is_deeply([ @$figures{qw(lines_ok lines_error)} ], [6, 8], 'are counted');

# as many as there may be together, one more, and many of them

my $some = Trove::Board->new;

for my $n (1, 31, 32, 33, 64, 65, 300, 2000) {
    my @lines = map { { player => "p$_", score => $_ % 7 } } 1 .. $n;
    my @expected = map { $some->write(@$_{qw(player score)}) } @lines;

    is_deeply(batch('some', @lines)->{lines}, \@expected, "$n lines");
}

# large rows, in pieces of any size

my @rows = map { { player => "p$_", score => $_ % 97,
                   data => join '', map { chr 33 + ($_ * 7) % 90 }
                                    1 .. ($_ * 31) % 928 } } 1 .. 2000;
my $model = Trove::Board->new;
my @expected = map { $model->write(@$_{qw(player score)}, data => $_->{data})
                           ->{rank} } @rows[0 .. 299];

for my $board (qw(all tiny mirrored)) {
    my $short = $board eq 'all' ? sub { $_[0] }
                : sub { +{ %{ $_[0] }, data => substr $_[0]{data}, 0, 100 } };
    my $body = (batch_of("/board/$board", map { $short->($_) } @rows))[3];
    my @pieces;

    for (my $at = 0; $at < length $body; ) {
        my $n = 1 + int rand 9000;

        push @pieces, substr $body, $at, $n;
        $at += $n;
    }

    $res = $c->request('POST', "/board/$board",
                       { 'Content-Type' => 'application/x-ndjson' }, \@pieces);

    is_deeply([ map { $_->{rank} } @{ $res->{lines} }[0 .. 299] ], \@expected,
              "$board: the ranks");
    is(scalar @{ $res->{lines} }, 2000, 'of all lines');
    is_deeply([ map { [ @$_[1 .. $#$_] ] } @{ walk($c, $board, 999) } ],
              [ map { [ @$_{qw(player score)},
                        length $_->{data} ? $_->{data} : () ] }
                sort { $b->{score} <=> $a->{score}
                       || substr($a->{player}, 1) <=> substr $b->{player}, 1 }
                map { $short->($_) } @rows ],
              'are there, in their order');
}

# a client that waits for the answers to what it has sent

my $slow = $t->client;

$slow->send("POST /board/paused HTTP/1.1\r\nHost: localhost\r\n"
            . "Content-Type: application/x-ndjson\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n");

for my $n (1 .. 5) {
    my $line = qq({"player":"p$n","score":$n}\n);

    $slow->send(sprintf "%x\r\n%s\r\n", length $line, $line);
    like($slow->take(qr/"rank":1,.*\n/) // '', qr/"player":"p$n","score":$n,/,
         'gets them before it goes on');
}

# what was whole when it went away counts

my $line = qq({"player":"p6","score":6}\n);

$slow->send(sprintf "%x\r\n%s{\"pl\r\n", 4 + length $line, $line);
$slow->take(qr/"p6".*\n/);
$slow->abort;

is_deeply([ map { $_->[1] } @{ rows_of($c->get('/board/paused')) } ],
          [ map { "p$_" } 6, 5, 4, 3, 2, 1 ], 'and one that went away');

done_testing;
