#!/usr/bin/perl

# A batch of polls: an answer for each line in its place, bad lines named,
# however the body comes.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::H2;
use Trove::Nginx;
use Trove::Poll;


my $locations = endpoints('hunt') . <<'END';
        location /buffers/ {
            location = /buffers/tiny {
                client_body_buffer_size 16;
                trove_poll hunt;
            }

            location = /buffers/file {
                client_body_in_file_only clean;
                mirror /mirror;
                trove_poll hunt;
            }

            location = /buffers/read {
                client_body_buffer_size 1m;
                mirror /mirror;
                trove_poll hunt;
            }
        }

        location = /mirror { return 204; }
END

my $t = Trove::Nginx->start(http => <<"HTTP", server => $locations);
    trove hunt { radius 5; %%SIMD%% }

    server {
        listen 127.0.0.1:%%PORT1%% http2;
$locations
    }
HTTP

$t->load('/rewards', '/poll?x=0&y=0',
         map {; { id => $_, x => 10 * $_, y => 0 } } 1 .. 99);

my $c = $t->client(raw => 1);
my $none = '{"found":0,"rewards":[]}';
my $line65536 = '{"x":30,"y":0,"a":"' . 'b' x (65536 - 21) . '"}';

sub hit { return qq({"found":1,"rewards":[$_[0]]}) }
sub bad { return qr/^\{"error":".*$_[1].*","line":$_[0]\}$/ }

my @cases = (
    [ 'lines', qq({"x":10,"y":0}\n{"y":0,"x":20}\n{"x":1e3,"y":1e3}\n),
      hit(1), hit(2), $none ],
    [ 'one line', qq({"x":10,"y":0}\n), hit(1) ],
    [ 'no line feed at the end', qq({"x":10,"y":0}\n{"x":20,"y":0}),
      hit(1), hit(2) ],
    [ 'carriage returns', qq({"x":10,"y":0}\r\n{"x":20,"y":0}\r\n),
      hit(1), hit(2) ],
    [ 'and one at the end', qq({"x":10,"y":0}\r\n{"x":20,"y":0}\r),
      hit(1), hit(2) ],
    [ 'blank lines', qq(\n\n{"x":10,"y":0}\n\r\n{"x":}\n\n{"x":20,"y":0}\n\n),
      hit(1), bad(5, 'x: '), hit(2) ],
    [ 'spaces alone', qq({"x":10,"y":0}\n \t\n{"x":20,"y":0}\n),
      hit(1), bad(2, 'empty'), hit(2) ],
    [ 'bad lines', qq({"x":10,"y":0}\n{"x":10}\n[]\nx\n{"x":"\n\0\n)
                   . qq({"x":20,"y":0,"limit":0}\n{"x":20,"y":0}\n),
      hit(1), bad(2, 'y: is missing'), bad(3, 'JSON'), bad(4, 'JSON'),
      bad(5, 'JSON'), bad(6, 'JSON'), bad(7, 'limit: '), hit(2) ],
    [ 'bad lines alone', qq(1\n2\n), bad(1, 'JSON'), bad(2, 'JSON') ],
    [ 'two objects in a line', qq({"x":10,"y":0}{"x":20,"y":0}\n),
      bad(1, 'follows') ],
    [ 'an object in two lines', qq({"x":10,\n"y":0}\n{"x":20,"y":0}\n),
      bad(1, 'JSON'), bad(2, 'JSON'), hit(2) ],
    [ 'odd bytes', "\xff\n{\"x\":10,\"y\":0,\"a\":\"\xc3\"}\n"
                   . "{\"x\":10,\"y\":0,\"\xc3\xa4\":\"\\\"\"}\n",
      bad(1, 'UTF-8'), bad(2, 'UTF-8'), hit(1) ],
    [ 'the longest lines', "$line65536\n$line65536\r\n$line65536",
      hit(3), hit(3), hit(3) ],
    [ 'too long ones', qq({"x":10,"y":0}\n$line65536 \n{"x":20,"y":0}\n)
                       . qq($line65536 \r\n{"x":30,"y":0}\n$line65536 ),
      hit(1), bad(2, '65536'), hit(2), bad(4, '65536'), hit(3),
      bad(6, '65536') ],
    [ 'far too long ones', 'x' x 300000 . qq(\n{"x":10,"y":0}\n),
      bad(1, '65536'), hit(1) ],
    [ 'nothing', '' ],
    [ 'line feeds', "\n" x 1000 ],
    [ 'many', join('', map { qq({"x":${_}0,"y":0}\n) } (1 .. 99) x 50),
      (map { hit($_) } 1 .. 99) x 50 ]
);

sub check {
    my ($name, $res, @want) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @got = @{ lines_of($res) };
    my @wrong = grep {
        my ($got, $want) = ($got[$_] // 'nothing', $want[$_]);

        defined $want && ref $want ? $got !~ $want
                                   : $got ne ($want // '');
    } 0 .. (@got > @want ? @got : @want) - 1;

    ok($res->{status} == 200 && !@wrong && !$res->{truncated}, $name)
        or diag map { 'line ' . ($_ + 1) . ': ' . ($got[$_] // 'nothing')
                      . ', not ' . ($want[$_] // 'nothing') . "\n" }
                @wrong[0 .. (@wrong > 3 ? 3 : $#wrong)];
}


for my $path ('/poll', map { "/buffers/$_" } qw(tiny file read)) {
    my $h2 = Trove::H2->new($t->port(1));

    for (@cases) {
        my ($name, $body, @want) = @$_;
        my @pieces = $body =~ /(.{1,1009})/gs;

        check("$path: $name", $c->request(batch($body, $path)), @want);
        check('in chunks', $c->request(batch(\@pieces, $path)), @want);
        check('HTTP/1.0', $t->client(raw => 1)
                            ->request(batch($body, $path), version => '1.0'),
              @want);
        check('HTTP/2', $h2->request(h2_batch($path), @pieces, ''), @want);

        next if length $body > 500;

        check('each byte in a chunk',
              $c->request(batch([ split //, $body ], $path)), @want);
        check('each byte in a frame',
              $h2->request(h2_batch($path), split(//, $body), ''), @want);
        check('each byte by itself', pieces($path, $body), @want);
        check('each byte of chunks by itself',
              pieces($path, [ $body =~ /(.{1,9})/gs ]), @want);
    }
}

# split in two at any byte

my ($name, $body, @want) = @{ $cases[7] };

for my $at (1 .. length($body) - 1) {
    check("split at $at", pieces('/poll', $body, $at), @want);
}

# the header of the answer, its names, and what comes after it

my $res = $c->request(batch(qq({"x":10,"y":0}\n)));

is($res->{headers}{'content-type'}, 'application/x-ndjson', 'the type');
is($res->{headers}{'cache-control'}, 'no-store', 'is not cached');
is($res->{headers}{'transfer-encoding'}, 'chunked', 'its length is not known');
like($res->{body}, qr/^\{"version":99,"found":1,"rewards":\[1\]\}\n\z/,
     'lines are as an object\'s answer');

for my $type ('application/x-ndjson; charset=utf-8', 'APPLICATION/X-NDJSON',
              'application/jsonl', 'application/ndjson ; a=b')
{
    check($type, $c->request('POST', '/poll', { 'Content-Type' => $type },
                             qq({"x":10,"y":0}\n{"x":20,"y":0}\n)),
          hit(1), hit(2));
}

is($c->request('POST', '/poll', { 'Content-Type' => 'application/x-ndjsonx' },
               qq({"x":10,"y":0}\n{"x":20,"y":0}\n))->{status}, 400,
   'what only begins as the type is one object');

my @answers = $c->pipeline([ batch(qq({"x":10,"y":0}\n)) ],
                           [ 'GET', '/poll?x=20&y=0' ],
                           [ batch([ qq({"x":30,"y":0}\n) ]) ],
                           [ batch('') ],
                           [ 'POST', '/poll', {}, '{"x":40,"y":0}' ]);

is_deeply([ map { lines_of($_) } @answers ],
          [ [ hit(1) ], [ hit(2) ], [ hit(3) ], [], [ hit(4) ] ],
          'pipelined');

# lines are counted by what came of them

my %before = map { $_ => figure($t, 'hunt', '/stats', "endpoints.poll.$_") }
             qw(lines_ok lines_error);

$c->request(batch(qq({"x":10,"y":0}\nx\n{"x":20,"y":0}\n\n{"x":20,"y":0}\n)));

is(figure($t, 'hunt', '/stats', 'endpoints.poll.lines_ok')
   - $before{lines_ok}, 3, 'lines are counted');
is(figure($t, 'hunt', '/stats', 'endpoints.poll.lines_error')
   - $before{lines_error}, 1, 'and errors');

done_testing;


sub h2_batch {
    return ('POST', $_[0], { 'content-type' => 'application/x-ndjson' });
}


# The body's bytes, each sent by itself, or in two pieces

sub pieces {
    my ($path, $body, $at) = @_;
    my ($head, $rest) = Trove::Client->format_request(batch($body, $path))
                        =~ /^(.*?\r\n\r\n)(.*)$/s;

    $c->send_pieces(0.0005, $head, defined $at
                    ? (substr($rest, 0, $at), substr $rest, $at)
                    : split //, $rest);

    return $c->response;
}
