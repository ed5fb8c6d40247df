#!/usr/bin/perl

# The commands that take long say how they are used, and do nothing, when
# they are not understood.

use strict;
use warnings;

use FindBin;
use Test::More;


my $root = "$FindBin::Bin/..";

if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') ne 'dynamic') {
    plan skip_all => 'the commands are the same for all variants';
}

for my $command ('conf/move --help', 'conf/move a b', 't/run --help',
                 't/run --nosuch', 'conf/demo --help', 'conf/demo start',
                 'bench/run --help', 'bench/run nosuch', 'bench/run --soak',
                 'bench/run --soak long arena')
{
    my $said = `timeout 10 $root/$command 2>&1 </dev/null`;

    is($? >> 8, 1, "$command: refused");
    like($said, qr/^\w+: usage: /, 'and how it is used');
}

done_testing;
