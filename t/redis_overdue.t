#!/usr/bin/perl

# A worker that was held up finds, at once, that it is time to look whether the
# breaker can be closed and that a call is overdue: the connection to look by
# ends with that.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

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
        capacity rewards=100 players=1k;
        store    $url timeout=300ms;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my ($worker) = $t->workers;
my @batch = batch_of('/tap', ({ player => 'crowd' }) x 105);
my $opened = 0;

$batch[2]{Connection} = 'close';

sub tap { return $t->request(tap_of('anna'))->{status} }

sub opened { return scalar(() = $t->log =~ /breaker of trove "hunt" is open/g) }

ok(wait_until(sub { tap() == 200 }), 'it is there');

for my $round (1 .. 3) {
    $proxy->set(replies => 1);

    # more than may wait is what opens the breaker while calls are under way

    my @crowd = map { $t->client } 1 .. 100;

    $_->send_request(@batch) for @crowd;

    # it looks some 25 ms later

    my $end = time + 10;

    sleep 0.0005 while opened() == $opened && time < $end;

    kill 'STOP', $worker;
    sleep 0.4;
    kill 'CONT', $worker;
    $proxy->set(replies => 0);

    is((grep { $_->rest =~ m{^HTTP/1.1 (?:200|503) } } @crowd), 100,
       "$round: each has an answer");
    ok(wait_until(sub { tap() == 200 }), "$round: it goes on");
    cmp_ok(opened(), '>', $opened, "$round: the breaker was open");
    $opened = opened();
}

is_deeply([ $t->workers ], [ $worker ], 'in the same worker');

done_testing();
