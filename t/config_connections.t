#!/usr/bin/perl

# Each trove takes a connection of every worker: too few are refused at start,
# and not found out by workers that cannot start.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


# two that listen, three troves, the channel, the threads, and one to answer

my $NEED = 8;

my %conf = (http => <<'HTTP', server => <<'SERVER');
    trove one   { capacity rewards=100; arena 64k; %%SIMD%% }
    trove two   { capacity rewards=100; arena 64k; %%SIMD%% }
    trove three { capacity rewards=100; arena 64k; %%SIMD%% }

    server { listen 127.0.0.1:%%PORT1%%; }
HTTP
    location = /poll { trove_poll three; }
SERVER

my $why = qr/\[emerg\]\ .*@{[ $NEED - 1 ]}\ worker_connections\ are\ not\ enough
             \ for\ 2\ listening\ sockets\ and\ 3\ troves,
             .*\ must\ be\ $NEED$/mx;

my $said = Trove::Nginx->refused(%conf, connections => $NEED - 1);

like($said, $why, 'one too few is refused');

(my $passed, $said) = Trove::Nginx->check(%conf, connections => $NEED - 1);

ok(!$passed, 'by nginx -t, too');
like($said, $why, 'for that reason');

# one listening socket of each worker is its own

for my $listen ('', 'reuseport') {
    my $t = Trove::Nginx->start(%conf, connections => $NEED, workers => 3,
                                listen => $listen);

    is($t->get_json('/poll?x=1&y=1')->{found}, 0, "enough are enough: $listen");

    $t->expect(qr/worker_connections are not enough/);
    $t->configure(connections => $NEED - 1);
    ok(!$t->hup, 'a reload to fewer is refused');
    is($t->get_json('/poll?x=1&y=1')->{found}, 0, 'and all goes on');
    $t->stop;
}

done_testing;
