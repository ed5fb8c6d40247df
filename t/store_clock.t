#!/usr/bin/perl

# What a quit waits for the store is measured by no clock that may be set.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Clock;
use Trove::Nginx;
use Trove::Play;


my $clock = Trove::Clock->new('2001-01-01 00:00:00');
my $t = Trove::Nginx->start(env => $clock->env, http => <<'HTTP',
    trove hunt {
        capacity rewards=100 players=100;
        store    sqlite:%%DIR%%/hunt.db;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

is($t->client->request(tap_of('a'))->{status}, 200, 'a tap');
$t->quit;
unlike($t->log, qr/hangs/, 'the store is waited for');
ok(!-e $t->dir . '/hunt.db-wal', 'and closed');

done_testing();
