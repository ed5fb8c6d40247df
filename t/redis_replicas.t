#!/usr/bin/perl

# A write waits for replicas: while they are cut off it is 503, and so is one
# that only tells what another has written; the connection is not to blame.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $replica = Trove::Redis->start;

$replica->command('REPLICAOF', '127.0.0.1', $redis->port);
ok(wait_until(sub { ($redis->info('replication', 'slave0') // '')
                    =~ /state=online/ }), 'there is a replica');

my $url = $redis->url;
my $t = Trove::Nginx->start(workers => 1, http => <<"HTTP",
    trove hunt {
        capacity rewards=100 players=100;
        store    $url replicas=1 timeout=1s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

sub figure { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }

ok(wait_until(sub { $t->request(tap_of('anna', seq => 1))->{status} == 200 }),
   'it is there');
is($t->post('/rewards', '{"id":1,"x":0,"y":0,"stock":1,"value":5}')->{status},
   200, 'and takes writes');


# Two calls, the second behind the first one's replicas

$replica->signal('STOP');

my @clients = map {
    my $c = $t->client;
    my $calls = figure('store_calls');

    $c->send_request(@$_);
    ok(wait_until(sub { figure('store_calls') > $calls }), 'a call');
    $c;
} [ claim_of('anna', 1) ], [ tap_of('anna', seq => 2) ];

is($_->response->{status}, 503, 'is not well') for @clients;
ok(wait_until(sub { (() = $t->log =~ /\(timeout\).*too few replicas/g) }),
   'the log tells');


# It was granted, and that is not told before a replica knows it

for (1 .. 3) {
    is($t->request(claim_of('anna', 1))->{status}, 503, 'nor is it again');
}

unlike($t->log, qr/is lost/, 'the connection stays');

$replica->signal('CONT');
ok(wait_until(sub { $t->request(claim_of('anna', 1))->{status} == 200 }),
   'it goes on');

my $res = $t->request(claim_of('anna', 1));

ok($res->{json}{repeat}, 'the claim was granted');
is($res->{json}{value}, 5, 'with its value');
is($t->request(tap_of('anna', seq => 2))->{json}{balance}, 7, 'and the tap');
unlike($t->log, qr/is lost/, 'by the same connection');

done_testing();
