#!/usr/bin/perl

# Polls by HTTP/2: each kind, many at once on one connection, and others while
# a batch is on its way.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::H2;
use Trove::Nginx;
use Trove::Poll;


my $locations = endpoints('hunt');

my $t = Trove::Nginx->start(http => <<"HTTP", server => $locations);
    trove hunt { radius 100; limit 1; %%SIMD%% }

    server {
        listen 127.0.0.1:%%PORT1%% http2;
$locations
    }
HTTP

my $N = 200;
my $NDJSON = { 'content-type' => 'application/x-ndjson' };

$t->load('/rewards', '/poll?x=0&y=0',
         map {; { id => $_, x => 1000 * $_, y => 0 } } 1 .. $N);


sub by_curl { return $t->h2(@_, port => $t->port(1)) }

sub answer { return qq({"version":$N,"found":1,"rewards":[$_[0]]}) }

sub ask { return ('GET', "/poll?x=${_[0]}000&y=3", {}) }

sub object { return qq({"x":${_[0]}000,"y":3}) }


# one by one

my $res = by_curl('GET', '/poll?x=7000&y=3', {}, undef);

is($res->{status}, 200, 'GET');
is($res->{body}, answer(7), 'with its answer');
is($res->{headers}{'content-type'}, 'application/json', 'of that type');
is($res->{headers}{'content-length'}, length answer(7), 'and length');
is($res->{headers}{'cache-control'}, 'no-store', 'which is not kept');

$res = by_curl('HEAD', '/poll?x=7000&y=3', {}, undef);
is($res->{headers}{'content-length'}, length answer(7), 'HEAD');

$res = by_curl('POST', '/poll', {}, object(8));
is($res->{body}, answer(8), 'POST of an object');

$res = by_curl('POST', '/poll', $NDJSON,
               join '', map { object($_) . "\n" } 1 .. $N);
is($res->{body}, join('', map { answer($_) . "\n" } 1 .. $N),
   'POST of a batch');

is_problem(by_curl('GET', '/poll?x=7', {}, undef), 400, qr/^y: /,
           'a bad GET');
is_problem(by_curl('POST', '/poll', {}, '{"x":'), 400, qr/JSON/,
           'a bad object');
is(by_curl('DELETE', '/poll', {}, undef)->{headers}{allow},
   'GET, HEAD, POST', 'another method');

# many streams at once

my $h2 = Trove::H2->new($t->port(1));

for my $round (1 .. 3) {
    my @gets = map { [ $_, $h2->open_stream(ask($_), end => 1) ] } 1 .. 50;
    my @posts = map { [ $_, $h2->open_stream('POST', '/poll', {}) ] }
                51 .. 100;

    $h2->data($_->[1], object($_->[0]), end => 1) for reverse @posts;

    is_deeply([ map { $h2->response($_->[1])->{body} } @posts, @gets ],
              [ map { answer($_->[0]) } @posts, @gets ],
              "a hundred at once: round $round");
}

# others while a batch is on its way

my $batch = $h2->open_stream('POST', '/poll', $NDJSON);
my ($wrong, $lines) = (0, '');

for my $n (1 .. 20) {
    $h2->data($batch, object($n) . "\n" . substr object($n + 1), 0, 3);
    $lines .= answer($n) . "\n";
    $h2->step until length $h2->stream($batch)->{body} >= length $lines;

    $wrong++ if $h2->request(ask($n))->{body} ne answer($n);
    $wrong++ if $h2->request('POST', '/poll', {}, object($n))->{body}
                ne answer($n);

    $h2->data($batch, substr(object($n + 1), 3) . "\n");
    $lines .= answer($n + 1) . "\n";
}

$h2->data($batch, '', end => 1);
$res = $h2->response($batch);

is($res->{body}, $lines, 'a batch is answered line by line');
is($wrong, 0, 'and others between its lines');

done_testing;
