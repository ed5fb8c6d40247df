#!/usr/bin/perl

# A body that somebody else could not read to its end, and an error_page that
# leads to an endpoint: what there is of the body is not taken for all of it.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Poll;


# takes connections and never answers

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 99)
    or die "listen: $!\n";
my $port = $mute->sockport;

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<"SERVER");
    trove hunt { capacity players=10; coin a value=1 weight=1; %%SIMD%% }
    client_body_buffer_size 1k;
HTTP
    location \@rewards { trove_rewards hunt; }
    location \@poll    { trove_poll hunt; }
    location \@tap     { trove_tap hunt; }

    location / {
        client_max_body_size 2k;
        proxy_http_version 1.1;

        location = /rewards { error_page 400 413 = \@rewards;
                              proxy_pass http://127.0.0.1:$port; }
        location = /poll    { error_page 400 413 = \@poll;
                              proxy_pass http://127.0.0.1:$port; }
        location = /tap     { error_page 400 413 = \@tap;
                              proxy_pass http://127.0.0.1:$port; }
    }

    location /flow/ {
        client_max_body_size 2k;
        proxy_http_version 1.1;
        proxy_request_buffering off;

        location = /flow/rewards { error_page 400 413 = \@rewards;
                                   proxy_pass http://127.0.0.1:$port; }
        location = /flow/poll    { error_page 400 413 = \@poll;
                                   proxy_pass http://127.0.0.1:$port; }
        location = /flow/tap     { error_page 400 413 = \@tap;
                                   proxy_pass http://127.0.0.1:$port; }
    }

    location = /all { trove_rewards hunt; }
SERVER

my ($worker) = $t->workers;
my $line = qq({"id":1,"x":0,"y":0,"player":"a"}\n);
my $some = substr $line, 0, -2;
my $much = $line x 100;
my $lost = qr/^the body could not be read to its end$/;


sub chunk { return sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }


# Sends a head and these pieces, each when the one before it was read

sub begin {
    my ($path, $type, @pieces) = @_;
    my $c = $t->client;

    $c->send("POST $path HTTP/1.1\r\nHost: a\r\nContent-Type: $type\r\n"
             . "Transfer-Encoding: chunked\r\n\r\n");

    for my $piece (@pieces) {
        $t->get('/.ready');
        $c->send($piece);
    }

    return $c;
}


for my $type ('application/json', 'application/x-ndjson') {
    for my $path (map { ($_, "/flow$_") } '/rewards', '/poll', '/tap') {
        for my $case ([ 'too much at once', chunk($some) . chunk($much) ],
                      [ 'too much later', chunk($some), chunk($much) ],
                      [ 'no chunk at once', chunk($some) . "zz\r\n" ],
                      [ 'no chunk later', chunk($some), "zz\r\n" ])
        {
            my ($name, @pieces) = @$case;

            is_problem(begin($path, $type, @pieces)->response, 400, $lost,
                       "$path, $type: $name");
        }
    }
}

is($t->get('/all')->{body}, '', 'nothing of it was taken');
is_deeply([ $t->workers ], [ $worker ], 'the worker is the same');

done_testing;
