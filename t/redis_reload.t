#!/usr/bin/perl

# Workers that end, or are killed, while answers of Redis are outstanding:
# those that end gracefully answer first; what a killed one had sent counts once
# at most, and what was acknowledged is never lost.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $url = $redis->url;
my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<"HTTP", server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=1k players=1k;
        store    $url timeout=3s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP

$t->wait_ok('/poll?x=0&y=0');


sub stat_of { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }

sub ask {
    my ($player, $seq) = @_;
    my $body = qq({"player":"$player","seq":$seq});
    my $c = $t->client;

    $c->send("POST /tap HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
             . "Content-Type: application/json\r\nContent-Length: "
             . length($body) . "\r\n\r\n$body");

    return $c;
}


is($t->request(tap_of('anna', seq => 1))->{json}{balance}, 1, 'it is there');

# Outstanding at a HUP

$redis->signal('STOP');

my @waiting = map { ask("h$_", 1) } 1 .. 20;

wait_until { stat_of('store_waiting') == 20 };
$t->signal('HUP');
sleep 0.3;
$redis->signal('CONT');

is((grep { $_->rest =~ /"balance":1\}/ } @waiting), 20, 'answered at a HUP');
ok(wait_until(sub { $t->workers(all => 1) == 2 }), 'old workers end');
ok(wait_until(sub { $t->request(tap_of('anna', seq => 2))->{status} == 200 }),
   'new ones go on');


# A worker is killed: its clients lose their connections, and ask again

for my $round (1 .. 5) {
    $redis->signal('STOP');
    @waiting = map { ask("k$_", $round) } 1 .. 20;
    wait_until { stat_of('store_waiting') == 20 };

    my ($pid) = $t->workers;

    $t->expect(qr/worker process $pid exited on signal 9/);
    kill 'KILL', $pid;
    sleep 0.05;
    $redis->signal('CONT');
    $_->rest for @waiting;

    my @balances = map {
        my ($player, $c) = ("k$_");

        (persist($t, \$c, tap_of($player, seq => $round)))[0]{json}{balance};
    } 1 .. 20;

    is_deeply(\@balances, [ ($round) x 20 ], 'each tap counts once');
}


# Outstanding at a quit

$redis->signal('STOP');
@waiting = map { ask("q$_", 1) } 1 .. 20;
wait_until { stat_of('store_waiting') == 20 };
$t->signal('QUIT');
sleep 0.1;
$redis->signal('CONT');

is((grep { $_->rest =~ /"balance":1\}/ } @waiting), 20, 'answered at a quit');
ok(wait_until(sub { $t->ended }), 'which ends');
is($redis->command('HLEN', 'trove:{hunt}:players'), 61, 'all is in Redis');


# Without an answer a quit waits for the store's timeout, no longer

$t->again;
$t->wait_ok('/poll?x=0&y=0');
is($t->request(tap_of('anna', seq => 3))->{json}{balance}, 3,
   'another start has it all');

$redis->signal('STOP');
@waiting = map { ask("s$_", 1) } 1 .. 20;
wait_until { stat_of('store_waiting') == 20 };

my $start = time;

$t->signal('QUIT');

is((grep { $_->rest =~ /^HTTP\/1.1 503 .*Retry-After/s } @waiting), 20,
   'refused in the end');
@waiting = ();
ok(wait_until(sub { $t->ended }), 'and it ends');
cmp_ok(time - $start, '<', 8, 'in time');
$redis->signal('CONT');

done_testing();
