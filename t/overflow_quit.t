#!/usr/bin/perl

# A worker that ends has timers of several troves, stores and connections: each
# ends before what it is of is gone.  What is wrong here AddressSanitizer sees.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $url = Trove::Redis->start->url;
my @names = map { "hunt$_" } 1 .. 5;

my $t = Trove::Nginx->start(
    http => join('', map { <<"HTTP" } @names),
    trove $_ {
        capacity rewards=1;
        store    sqlite:%%DIR%%/$_.db;
        ack      commit;
        overflow $url;
        %%SIMD%%
    }
HTTP
    server => "location = /stats { trove_stats; }\n"
              . join '', map { "location = /$_ { trove_rewards $_; }\n" }
                         @names);

ok(wait_until {
    my $troves = $t->get_json('/stats')->{troves};

    !grep { !$troves->{$_}{overflow_up} } @names;
}, 'the queues of each are looked after');

for my $name (@names) {
    is($t->post("/$name", qq({"id":$_->[0],"x":0,"y":0}))->{status}, $_->[1],
       "$name: reward $_->[0]")
        for [ 1, 200 ], [ 2, 202 ];
}

is($t->quit < 5 ? 1 : 0, 1, 'they end');

done_testing();
