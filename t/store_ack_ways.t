#!/usr/bin/perl

# ack commit where a connection is not one request's: many streams of HTTP/2
# that wait at once, end by themselves or are reset, and what mirror copies to
# another trove.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::H2;
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP',
    trove hunt {
        capacity rewards=1k players=1k claims=10k;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit timeout=2s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    trove copy {
        capacity rewards=1k players=1k claims=10k;
        store    sqlite:%%DIR%%/copy.db;
        ack      commit timeout=2s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    keepalive_requests 1000000;

    server {
        listen 127.0.0.1:%%PORT1%% http2;

        location = /tap   { trove_tap hunt; }
        location = /claim { trove_claim hunt; }
        location = /both  { trove_tap hunt; mirror /copied; }
        location = /copied { internal; trove_tap copy; }
    }
HTTP
    server => <<'SERVER');
        location = /tap     { trove_tap hunt; }
        location = /both    { trove_tap hunt; mirror /copied; }
        location = /copied  { internal; trove_tap copy; }
        location = /copy    { trove_tap copy; }
        location = /rewards { trove_rewards hunt; }
        location = /stats   { trove_stats; }
        location = /stub    { stub_status; }
SERVER

my ($hunt, $copy) = map { $t->dir . "/$_.db" } qw(hunt copy);
my %json = ('content-type' => 'application/json');
my %ndjson = ('content-type' => 'application/x-ndjson');

sub of { return $t->get_json('/stats')->{troves}{$_[0]}{"store_$_[1]"} }

sub balance { return (row($_[0], 'balance',
                          "FROM players WHERE player='$_[1]'"))[0] // 0 }

sub opened {
    my ($h2, $path, $body, $type) = @_;
    my $id = $h2->open_stream('POST', $path, $type || \%json);

    $h2->data($id, $body, end => 1);

    return $id;
}

sub alone { return $t->get('/stub')->{body} =~ /^Active connections: 1 $/m }


# Many at once, in one connection: each is answered when it is stored

my $h2 = Trove::H2->new($t->port(1));
my $holder = hold_store($hunt);
my @ids = map { opened($h2, '/tap', '{"player":"h"}') } 1 .. 60;

ok(wait_until { of('hunt', 'waiting') == 60 }, '60 streams wait');
let_store_go($holder);

my @res = map { $h2->response($_) } @ids;

is((grep { $_->{status} == 200 } @res), 60, 'all are answered');
is_deeply([ sort { $a <=> $b } map { $_->{body} =~ /"balance":(\d+)/ } @res ],
          [ 1 .. 60 ], 'each with its balance');
is(balance($hunt, 'h'), 60, 'which is stored');


# A batch that is longer than the window, and another stream beside it

my $batch = opened($h2, '/tap', qq({"player":"b"}\n) x 3000, \%ndjson);
my $beside = opened($h2, '/tap', '{"player":"h"}');

is($h2->response($beside)->{status}, 200, 'one beside a batch');
is(() = $h2->response($batch)->{body} =~ /"balance":\d+\}\n/g, 3000,
   'the batch is whole');
is(balance($hunt, 'b'), 3000, 'and stored');


# Reset while they wait; one that is not waits in vain

$holder = hold_store($hunt);
@ids = map { opened($h2, '/tap', '{"player":"r"}') } 1 .. 10;
ok(wait_until { of('hunt', 'waiting') == 10 }, 'some wait');
$h2->reset_stream($_) for splice @ids, 0, 9;
ok(wait_until { of('hunt', 'waiting') == 1 }, 'those that are reset do not');

my $res = $h2->response($ids[0]);

is($res->{status}, 503, 'one waits in vain');
like($res->{body}, qr/"the store has not taken what was written/, 'and why');

let_store_go($holder);
ok(wait_until { $h2->request('POST', '/tap', \%json,
                             '{"player":"r"}')->{status} == 200 },
   'it goes on');
is(balance($hunt, 'r'), 11, 'and what was reset is stored');

# and the whole connection

$holder = hold_store($hunt);
opened($h2, '/tap', '{"player":"c"}') for 1 .. 10;
ok(wait_until { of('hunt', 'waiting') == 10 }, 'some wait');
$h2->close;
ok(wait_until { of('hunt', 'waiting') == 0 }, 'and are gone');
let_store_go($holder);
ok(wait_until { balance($hunt, 'c') == 10 }, 'what they did is stored');
ok(wait_until { alone() }, 'nothing is left of them');
ok(wait_until { !of('hunt', 'failing') }, 'it is well');


# Copies wait for themselves, and hold nobody

$holder = hold_store($copy);

my $c = $t->client;
my $two = Trove::H2->new($t->port(1));

is($c->request('POST', '/both', \%json, '{"player":"m"}')->{status}, 200,
   'one that is copied is answered');
is($two->request('POST', '/both', \%json, '{"player":"m"}')->{status}, 200,
   'by HTTP/2, too');
ok(wait_until { of('copy', 'waiting') == 2 }, 'the copies wait');
let_store_go($holder);
ok(wait_until { of('copy', 'waiting') == 0 && balance($copy, 'm') == 2 },
   'and are stored');
is(balance($hunt, 'm'), 2, 'as what they are of');

is(() = $c->request('POST', '/both', \%ndjson, qq({"player":"m"}\n) x 2000)
          ->{body} =~ /"balance"/g, 2000, 'a batch');
ok(wait_until { balance($copy, 'm') == 2002 }, 'and its copy');


# A copy that waits in vain; clients that go; a quit

$holder = hold_store($copy);
is($c->request('POST', '/both', \%json, '{"player":"v"}')->{status}, 200,
   'its client has its answer');
ok(wait_until { of('copy', 'ack_timeouts') == 1 }, 'the copy has waited');
let_store_go($holder);
ok(wait_until { $t->client->request('POST', '/copy', \%json,
                                    '{"player":"v"}')->{status} == 200 },
   'it goes on');
is(balance($copy, 'v'), 2, 'nothing was lost');

$holder = hold_store($copy);
my @gone = map { my $g = $t->client;
                 $g->request('POST', '/both', \%json, '{"player":"g"}');
                 $g } 1 .. 5;
$_->close for @gone, $c, $two;
let_store_go($holder);
ok(wait_until { balance($copy, 'g') == 5 }, 'copies of who is gone');
ok(wait_until { alone() }, 'end');

$holder = hold_store($copy);
$c = $t->client;
is($c->request('POST', '/both', \%json, '{"player":"q"}')->{status}, 200,
   'a copy waits');
ok(wait_until { of('copy', 'waiting') == 1 }, 'for the store');
$t->signal('QUIT');
let_store_go($holder);
ok(wait_until { $t->ended }, 'at a quit, which ends');
is(balance($copy, 'q'), 1, 'it is stored');

done_testing();
