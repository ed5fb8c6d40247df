#!/usr/bin/perl

# One object by POST, however its body comes: the answer is always the same.

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

            location = /buffers/single {
                client_body_in_single_buffer on;
                client_body_buffer_size 4k;
                trove_poll hunt;
            }

            location = /buffers/file {
                client_body_in_file_only clean;
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
    trove hunt { radius 100; %%SIMD%% }

    server {
        listen 127.0.0.1:%%PORT1%% http2;
$locations
    }
HTTP

$t->load('/rewards', '/poll?x=0&y=0',
         map {; { id => $_, x => $_, y => 1, value => $_ } } 1 .. 9);

my @paths = ('/poll', map { "/buffers/$_" } qw(tiny single file read));
my $body = '{"x":3.5,"y":1e0,"a":{"b":[1,"\ud83d\ude00"]},"limit":2,'
           . '"player":"p \u00e4","detail":true}';
my $answer = '{"version":9,"found":9,"rewards":['
             . '{"id":3,"x":3,"y":1,"value":3,"distance":0.5},'
             . '{"id":4,"x":4,"y":1,"value":4,"distance":0.5}]}';

# filled up to the longest object that there may be

my $longest = $body =~ s/}$/' ' x (65536 - length $body) . '}'/er;

for my $path (@paths) {
    my $c = $t->client;
    my $post = sub { return $c->request('POST', $path, @_) };

    is($post->({}, $body)->{body}, $answer, "$path: at once");
    is($post->({}, [ $body ])->{body}, $answer, 'in a chunk');
    is($post->({}, [ split //, $body ])->{body}, $answer,
       'each byte in a chunk');
    is($post->({ 'Content-Type' => 'application/json; charset=utf-8' },
               $body)->{body}, $answer, 'as what it is');
    is($post->({ Expect => '100-continue' }, $body)->{body}, $answer,
       'after 100 Continue');
    is($post->({}, $longest)->{body}, $answer, 'the longest one');
    is($post->({}, [ $longest =~ /(.{1,5000})/gs ])->{body}, $answer,
       'the longest one in chunks');
    is_problem($post->({}, "$longest "), 413, qr/65536/, 'one byte too long');
    $c->send_pieces(0.01, split_request($path, [ "$longest " ]));
    is_problem($c->response, 413, qr/65536/, 'in a chunk');

    is(pieces($c, $path, $body), $answer, 'each byte by itself');
    is(pieces($c, $path, [ $body =~ /(.{1,7})/gs ]), $answer,
       'each byte of its chunks by itself');
    is(split_anywhere($c, $path, $body), '', 'split at any byte');
    is(split_anywhere($c, $path, [ $body =~ /(.{1,40})/gs ]), '',
       'its chunks split at any byte');
}

# HTTP/1.0, several at once

my $c = $t->client;
my $head = { Connection => 'keep-alive' };

for my $path (@paths) {
    my $res = $c->request('POST', $path, $head, $body, version => '1.0');

    is($res->{body}, $answer, "$path: HTTP/1.0");
    is($t->request('POST', $path, {}, $body, version => '1.0')->{body},
       $answer, 'and without keep-alive');
}

my @answers = $c->pipeline(map {
    ([ 'POST', $_, {}, $body ], [ 'GET', '/poll?x=-99&y=1' ],
     [ 'POST', $_, {}, [ $body ] ])
} @paths);

is_deeply([ map { $_->{body} } @answers ],
          [ map { ($answer, '{"version":9,"found":1,"rewards":[1]}', $answer) }
                @paths ],
          'pipelined, in their order');

# HTTP/2

my $h2 = Trove::H2->new($t->port(1));

for my $path (@paths) {
    my @post = ('POST', $path, {});
    my $length = { 'content-length' => length $body };

    is($h2->request(@post, $body)->{body}, $answer, "$path: HTTP/2");
    is($h2->request('POST', $path, $length, $body)->{body}, $answer,
       'with its length');
    is($h2->request(@post, split //, $body)->{body}, $answer,
       'each byte in a frame');
    is($h2->request(@post, '', $body, '')->{body}, $answer,
       'with empty frames around it');
    is($h2->request(@post, $longest)->{body}, $answer, 'the longest one');
    is($h2->request(@post, "$longest ")->{status}, 413, 'one byte too long');
}

my $res = $t->h2('POST', '/poll', {}, $body, port => $t->port(1));

is($res->{body}, $answer, 'HTTP/2 as curl speaks it');
is($res->{headers}{'cache-control'}, 'no-store', 'with its headers');

done_testing;


# The bytes of a request, headers not included, each sent by itself

sub pieces {
    my ($c, $path, $body) = @_;
    my ($head, $rest) = split_request($path, $body);

    $c->send_pieces(0.0005, $head, split //, $rest);

    return $c->response->{body};
}


# Whether any split in two makes a difference: where it does

sub split_anywhere {
    my ($c, $path, $body) = @_;
    my ($head, $rest) = split_request($path, $body);
    my @wrong;

    for my $at (0 .. length $rest) {
        $c->send_pieces(0.0005, $head . substr($rest, 0, $at),
                        substr $rest, $at);
        push @wrong, $at if $c->response->{body} ne $answer;
    }

    return "@wrong";
}


sub split_request {
    my ($path, $body) = @_;

    return Trove::Client->format_request('POST', $path, {}, $body)
           =~ /^(.*?\r\n\r\n)(.*)$/s;
}
