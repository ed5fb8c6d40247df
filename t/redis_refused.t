#!/usr/bin/perl

# A batch has ended with an error, its client still sending, while Redis has its
# lines: what that answers is nobody's any more.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $proxy = Trove::Proxy->start($redis->port);
my $url = 'redis://127.0.0.1:' . $proxy->port;
my $t = Trove::Nginx->start(workers => 1, http => <<"HTTP",
    trove hunt {
        capacity rewards=100 players=100;
        store    $url timeout=8s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    client_max_body_size 10k;
    lingering_timeout 1s;
HTTP
    server => play_endpoints('hunt')
              . "location = /stub { stub_status; }\n");

my ($worker) = $t->workers;
my $line = qq({"player":"ben"}\n);

sub figure { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }
sub tap { return $t->request(tap_of('anna'))->{status} }

ok(wait_until(sub { tap() == 200 }), 'it is there');

for my $end (413, 400) {
    my $granted = $t->get_json('/tap?player=ben')->{balance} // 0;
    my $c = $t->client;

    $proxy->set(replies => 1);

    $c->send("POST /tap HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
             . "Content-Type: application/x-ndjson\r\n\r\n");
    $c->send(sprintf "%x\r\n%s\r\n", 50 * length $line, $line x 50);
    ok(wait_until(sub { figure('store_waiting') == 1 }),
       "$end: lines are with Redis");

    $c->send($end == 413 ? sprintf("%x\r\n%s\r\n", 10240, ' ' x 10240)
                         : "no chunk\r\n");
    $c->take(qr{^HTTP/1.1 $end .*\r\n\r\n}s);

    $proxy->set(replies => 0);
    ok(wait_until(sub { tap() == 200 }), "$end: it goes on");
    is($t->get_json('/tap?player=ben')->{balance}, $granted + 50,
       "$end: they were carried out");

    is(figure('store_waiting'), 0, "$end: nobody waits for them");
    unlike($c->rest, qr/"coin"|HTTP/, "$end: and they are not told any more");

    # nginx takes what is still sent for a while, but does not wait for it

    ok(wait_until(sub { $t->get('/stub')->{body} =~ /connections: 1 $/m }),
       "$end: the connection ends");
}

is_deeply([ $t->workers ], [ $worker ], 'in the same worker');

done_testing();
