#!/usr/bin/perl

# Batches that do not come to their end: clients that go away, or are too slow
# to be waited for.  Nothing of them is left behind.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::H2;
use Trove::Nginx;
use Trove::Poll;
use Trove::Pump;


my $locations = endpoints('hunt') . <<'END';
        location = /hurry {
            trove_poll hunt;
            client_body_timeout 200ms;
        }

        location = /read {
            trove_poll hunt;
            send_timeout 200ms;
        }

        location = /file { trove_poll hunt; mirror /mirror; }
        location = /mirror { return 204; }
        location = /stub { stub_status; }
END

my $t = Trove::Nginx->start(http => <<"HTTP", server => $locations);
    client_max_body_size 0;

    trove hunt { %%SIMD%% }

    server {
        listen 127.0.0.1:%%PORT1%% http2;
$locations
    }
HTTP

my ($worker) = $t->workers;
my $line = qq({"x":0,"y":0}\n);
my $length = { 'Content-Length' => 100 * length $line };
my %codes;


# Whether a request is on record with that code, and its connection gone

sub ends {
    my ($code, $name) = @_;
    my $is;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $codes{$code}++;

    ok(wait_until(sub {
        $is = figure($t, 'hunt', '/stats', "endpoints.poll.requests.$code");
        $is == $codes{$code};
    }), "$name: is on record as $code") or diag "$is of them";

    ok(wait_until(sub {
        $t->get('/stub')->{body} =~ /^Active connections: 1 $/m
    }), 'and its connection is gone');
}


# clients that go away

my @ways = ([ 'close', sub { $_[0]->close } ],
            [ 'reset', sub { $_[0]->abort } ],
            [ 'end of sending', sub { $_[0]->shutdown_write; $_[0]->rest } ]);

for (@ways) {
    my ($name, $go) = @$_;
    my $c = $t->client;

    $c->send_request(batch(undef, '/poll', $length));
    $c->send('{"x":');
    $go->($c);
    ends(499, "$name before the first line has come");

    $c = $t->client;
    $c->send_request(batch(undef, '/poll', $length));
    $c->send("$line$line" . '{"x":');
    $c->take(qr/\]\}\n.*\]\}\n/s);
    $go->($c);
    ends(499, "$name after two answers");

    $c = $t->client;
    $c->send_request('POST', '/poll', { 'Content-Length' => 20 });
    $c->send('{"x":');
    $go->($c);
    ends(499, "$name in the middle of an object");
}

for my $go (map { $ways[$_][1] } 0, 1) {
    my $c = $t->client;
    my $pump = Trove::Pump->new($c, '/poll', 1_000_000);

    $pump->fill($worker);
    $go->($c);
    ends(499, 'gone while answers wait for it');
}

# in the middle of work, more or less deep in it; what is mirrored is longer
# than can be sent here, and comes to no work

for my $path (qw(/poll /file)) {
    for my $n (1 .. 20) {
        my $c = $t->client;
        my $pump = Trove::Pump->new($c, $path,
                                    $path eq '/poll' ? 200_000 : 400_000);

        for (1 .. $n * 4) {
            $pump->send_some;
            $pump->read_some;
        }

        $c->abort;
        $codes{499}++ if $path eq '/poll';
    }
}

$codes{499}--;
ends(499, 'gone in the middle of work');

# clients that are too slow

my $c = $t->client;

$c->send_request(batch(undef, '/hurry', $length));
$c->send("$line$line");
is(() = $c->rest =~ /\]\}\n/g, 2, 'who sends no more has had its answers');
ends(408, 'who sends no more');

$c = $t->client;
$c->send_request(batch(undef, '/hurry', $length));
$c->send('{"x"');
is($c->rest, '', 'who never sends a line has none');
ends(408, 'who never sends a line');

$c = $t->client;
$c->send_request('POST', '/hurry', { 'Content-Length' => 20 });
$c->send('{"x":');
is($c->rest, '', 'nor who sends half an object');
ends(408, 'half an object');

my $lines = 1_000_000;
my $pump = Trove::Pump->new($t->client, '/read', $lines);

$pump->fill($worker);
ends(408, 'who does not read');
cmp_ok($pump->finish, '<', $lines, 'who does not read in time gets no more');

# streams that are reset, and connections under them that go away

my @h2_batch = ('POST', '/poll', { 'content-type' => 'application/x-ndjson' });

my $h2 = Trove::H2->new($t->port(1));
my $id = $h2->open_stream(@h2_batch);

$h2->data($id, $line);
$h2->step until $h2->stream($id)->{body} =~ /\n/;
$h2->reset_stream($id);
is($h2->request(@h2_batch, $line)->{status}, 200,
   'a stream is reset, another is answered');
$h2->close;
ends(499, 'a stream that is reset');

$h2 = Trove::H2->new($t->port(1), window => 1000);
$id = $h2->open_stream(@h2_batch);
$h2->data($id, $line x 1000);
$h2->step until length $h2->stream($id)->{body} >= 1000;
$h2->close;
ends(499, 'a connection that ends while answers wait for a window');

is(join(' ', $t->workers), $worker, 'all that in one and the same worker');
ok(answered($t->client), 'which still answers');

done_testing;
