#!/usr/bin/perl

# A timer_resolution that makes epochs longer is warned of, and polls come to
# a write all the same.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my %conf = (workers => 2, http => <<'HTTP', server => <<'SERVER');
    trove fast { epoch 16ms; %%SIMD%% }
    trove slow { epoch 1s; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    fast; }
    location = /rewards { trove_rewards fast; }
SERVER

my $t = Trove::Nginx->start(%conf, main => "timer_resolution 100ms;\n");

ok($t->wait_log(qr/"timer_resolution"/), 'it is warned');

my ($line) = $t->log =~ /^(.*"timer_resolution".*)$/m;

like($line, qr/\[warn\] .*of 100 ms makes the epoch of trove "fast", 16 ms/,
     'of which trove');
unlike($t->log, qr/"timer_resolution".*"slow"/, 'and of no other');

is($t->load('/rewards', '/poll?x=1&y=1', { id => 1, x => 1, y => 1 })
     ->{json}{version}, 1, 'polls come to a write');

$t->stop;

for my $fine ('', 'timer_resolution 10ms;') {
    $t = Trove::Nginx->start(%conf, main => "$fine\n");
    $t->load('/rewards', '/poll?x=1&y=1', { id => 1, x => 1, y => 1 });
    unlike($t->log, qr/\[warn\]/, "no warning with \"$fine\"");
    $t->stop;
}

done_testing;
