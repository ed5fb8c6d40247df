#!/usr/bin/perl

# Some writes fail and others do not, so that the breaker stays closed: the log
# tells all the same, in words and with what Redis said, and not for each.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $t = Trove::Nginx->start(workers => 1, http => <<"HTTP",
    trove hunt {
        capacity rewards=100 players=100;
        store    ${\ $redis->url };
        board    top rows=10;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . "location /board/ { trove_board hunt; }\n");

wait_until { $t->get('/poll?x=0&y=0')->{status} == 200 };

$redis->command('SET', 'trove:{hunt}:board:top:0:0:0', 'x');

my %status;

for (1 .. 20) {
    $status{$t->request(tap_of('anna'))->{status}}++;
    $status{$t->request(score_of('top', 'anna', 1))->{status}}++;
}

is_deeply(\%status, { 200 => 20, 503 => 20 }, 'every other write fails');
is($t->get_json('/stats')->{troves}{hunt}{breaker_state}, 0,
   'and the breaker is closed');

my @told = $t->log =~ /(a write to the store of trove "hunt" fails .*)/g;

like($told[0] // '',
     qr/\(foreign\).* a key is of another type.*WRONGTYPE.*:top:/,
     'the log tells');
cmp_ok(scalar(@told), '<', 5, 'but not each time');

done_testing();
