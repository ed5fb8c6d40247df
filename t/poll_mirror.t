#!/usr/bin/perl

# A body that is mirrored is not trove's alone: every copy gets all of it, and
# a trove that is the copy's end does its work without an answer.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Poll;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    client_max_body_size 0;

    trove hunt { radius 5; capacity rewards=20k; %%SIMD%% }
    trove copy { radius 1e6 max=1e6; capacity rewards=20k; %%SIMD%% }
    trove proxied { radius 1e6 max=1e6; capacity rewards=20k; %%SIMD%% }

    server {
        listen 127.0.0.1:%%PORT1%%;

        location / { trove_rewards proxied; }
    }
HTTP
        location = /poll { trove_poll hunt; mirror /rewards; mirror /polls;
                           mirror /proxied; }

        location = /file { client_body_in_file_only clean; trove_poll hunt;
                           mirror /rewards; mirror /polls; mirror /proxied; }

        location = /polls { trove_poll hunt; }
        location = /rewards { trove_rewards copy; }
        location = /proxied { proxy_pass http://127.0.0.1:%%PORT1%%; }
        location = /copy/poll { trove_poll copy; }
        location = /proxied/poll { trove_poll proxied; }
        location = /stub { stub_status; }
SERVER

my $c = $t->client(raw => 1);
my $id = 0;


# Objects that are a poll and a reward at once

sub objects {
    my $n = shift;

    return join '', map { sprintf qq({"id":%d,"x":%d,"y":0,"r":1}\n), ++$id,
                                  $id } 1 .. $n;
}


for my $path (qw(/poll /file)) {
    for my $n (1, 2, 100, 5000) {
        my $body = objects($n);
        my $name = "$path: $n of them";

        is(@{ lines_of($c->request(batch($body, $path))) }, $n,
           "$name are answered");

        for my $copy (qw(copy proxied)) {
            ok(wait_until(sub {
                $t->get_json("/$copy/poll?x=0&y=0")->{found} == $id
            }), "and all come to the $copy");
        }
    }

    my $body = objects(1);

    chomp $body;
    is($c->request('POST', $path, {}, $body)->{status}, 200,
       "$path: one object is answered");

    for my $copy (qw(copy proxied)) {
        ok(wait_until(sub {
            $t->get_json("/$copy/poll?x=0&y=0")->{found} == $id
        }), "and comes to the $copy");
    }
}

# nothing is left over: no request of a copy waits for somebody

$c->close;

ok(wait_until(sub {
    $t->get('/stub')->{body} =~ /^Active connections: 1 $/m
}), 'all connections end') or diag $t->get('/stub')->{body};

done_testing;
