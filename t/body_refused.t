#!/usr/bin/perl

# A body that nginx itself refuses while it is read is answered as any other
# that is wrong, and is on record as what its client was told.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::H2;
use Trove::Nginx;
use Trove::Poll;


my $locations = <<'END';
    client_body_temp_path %%DIR%%/bodies;
    location = /stats { trove_stats; }

    location /poll {
        access_log %%DIR%%/access.log trove;
        trove_poll hunt;

        location = /poll/hurry { trove_poll hunt; client_body_timeout 200ms; }

        location = /poll/file {
            trove_poll hunt;
            client_body_in_file_only clean;
        }
    }
END

my $t = Trove::Nginx->start(http => <<"HTTP", server => $locations);
    trove hunt { %%SIMD%% }
    log_format trove '\$request_method \$status \$trove_status \$request_body';
    client_body_buffer_size 1k;
    client_max_body_size 8k;

    server {
        listen 127.0.0.1:%%PORT1%% http2;
$locations
    }
HTTP

my $line = qq({"x":0,"y":0}\n);
my $chunk = sub { sprintf "%x\r\n%s\r\n", length $_[0], $_[0] };
my $log = '';
my %want;


sub requests {
    my $is = $t->get_json('/stats')->{troves}{hunt}{endpoints}{poll}{requests};

    return $is;
}


# Whether it is counted as that and, besides what was before, logged so

sub counted {
    my ($code, $word, $name, $sent) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $want{$code}++;
    $log .= 'POST ' . ($sent // $code) . " $word\n";

    wait_until { length $t->read_file('access.log') >= length $log };
    is($t->read_file('access.log'), $log, "$name: is logged as that");
    is_deeply(requests(), \%want, 'and counted');
}


sub chunked {
    my ($path, $type, @pieces) = @_;
    my $c = $t->client;

    $c->send_pieces(0.02, "POST $path HTTP/1.1\r\nHost: a\r\n"
                    . "Transfer-Encoding: chunked\r\n"
                    . "Content-Type: $type\r\n\r\n" . shift(@pieces), @pieces);

    return $c;
}


for my $type ('application/json', 'application/x-ndjson') {
    for (
        [ 'no chunk', "zz\r\n" ],
        [ 'no chunk later', '', "zz\r\n" ],
        [ 'no chunk after one', $chunk->(' '), "zz\r\n" ]
    ) {
        my ($name, @pieces) = @$_;
        my $c = chunked('/poll', $type, @pieces);

        is_problem($c->response, 400, qr/chunks/, "$type: $name");
        $c->shutdown_write;
        ok($c->closed, 'which ends the connection');
        counted(400, 'INVALID -', $name);
    }

    for (
        [ 'too much', $chunk->(' ' x 9000) ],
        [ 'too much later', '', $chunk->(' ' x 9000) ],
        [ 'too much in chunks', map { $chunk->(' ' x 1000) } 1 .. 9 ]
    ) {
        my ($name, @pieces) = @$_;
        my $c = chunked('/poll', $type, @pieces);

        is_problem($c->response, 413, qr/client_max_body_size/,
                   "$type: $name");
        $c->close;
        counted(413, 'INVALID -', $name);
    }
}

# after the first answers it is too late

my $c = chunked('/poll', 'application/x-ndjson', $chunk->($line));

$c->take(qr/\]\}\n/);
$c->send("zz\r\n");
$c->rest;
ok($c->closed, 'after an answer it is too late for another');
counted(499, 'BATCH -', 'after an answer', 200);

# one that never ends is not waited for, nor answered

$c = $t->client;
$c->send_request('POST', '/poll/hurry', { 'Content-Length' => 100 });
is($c->rest, '', 'who sends no more gets no answer');
counted(408, 'INVALID -', 'who sends no more');

# by HTTP/2

my $h2 = Trove::H2->new($t->port(1));

for my $type ('application/json', 'application/x-ndjson') {
    my @post = ('POST', '/poll', { 'content-type' => $type });

    is($h2->request(@post, ' ' x 9000)->{status}, 413, "$type: too much");
    counted(413, 'INVALID -', 'by HTTP/2');

    $post[2]{'content-length'} = 30;
    is($h2->request(@post, '    ', '')->{status}, 400, 'less than was said');
    counted(400, 'INVALID -', 'by HTTP/2');
}

# an object goes to no file, and is $request_body

rename $t->dir . '/bodies', $t->dir . '/gone';
$t->write_file('bodies', '');

my $object = '{"x":0,"y":0' . ' ' x 4000 . '}';

for my $path ('/poll', '/poll/file') {
    for my $pieces ([ $chunk->($object) . "0\r\n\r\n" ],
                    [ '', map({ $chunk->($_) } $object =~ /(.{1,999})/gs),
                      "0\r\n\r\n" ])
    {
        is(chunked($path, 'application/json', @$pieces)->response->{status},
           200, "$path: no file is needed in @{[ scalar @$pieces ]} pieces");
        counted(200, 'MISS ' . $object =~ s/"/\\x22/gr, $path);
    }
}

done_testing;
