#!/usr/bin/perl

# The way of a poll calls no allocator but nginx's pools do: counted call by
# call, in a worker, against requests that nginx answers by itself.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Poll;


# sanitizers bring an allocator of their own, and no allocator but libc's can
# be counted in a binary that is linked with one

if ($Trove::Nginx::MODULE eq '') {
    plan skip_all => 'the module is not a file of its own';
}

my $dir = tempdir('trove-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $shim = "$dir/count.so";

system('cc', '-O1', '-shared', '-fPIC', '-o', $shim, '-fno-builtin',
       "$FindBin::Bin/lib/count.c") == 0
    or die "the counter does not compile\n";

open my $file, '+>', "$dir/counters" or die "$dir/counters: $!\n";
truncate $file, 4096 * 64;

my $t = Trove::Nginx->start(
    env => { LD_PRELOAD => $shim, TROVE_COUNT => "$dir/counters" },
    http => <<'HTTP', server => endpoints('hunt') . <<'SERVER');
    client_max_body_size 0;

    trove hunt { arena 1m; radius 1000; limit 3 max=64; %%SIMD%% }
HTTP
        location = /same {
            default_type application/json;
            add_header Cache-Control no-store;
            return 200 '{"version":500,"found":500,"rewards":[1,2,3]}';
        }
SERVER

$t->load('/rewards', '/poll?x=0&y=0',
         map {; { id => $_, x => $_, y => $_ % 7, level => $_ % 3 } }
         1 .. 500);

# a view that sorts in what was loaded is built once, and not while we count

wait_until {
    $t->get('/poll?x=0&y=0');
    $t->get_json('/stats')->{troves}{hunt}{view_builds} > 0;
} or die "the view is not built\n";

my ($worker) = $t->workers;
my $c;


# What the worker has called so far: allocations, frees, maps, and mimalloc's.
# An answer comes before nginx has done with its request: it waits for events
# when it sleeps.

sub counters {
    wait_until { Trove::Nginx::stat_of($worker)->{state} eq 'S' };

    sysseek $file, $worker % 4096 * 64, 0;
    sysread $file, my $row, 64 or die "read: $!\n";

    return unpack 'Q5', $row;
}


# What it calls for a number of such requests on one connection

sub calls {
    my ($n, @request) = @_;
    my (@before, @after);

    # so that all of them go by one connection, and none opens it

    $c = $t->client(raw => 1);

    $c->request(@request) or die "no answer\n" for 1 .. 5;
    @before = counters();
    $c->request(@request) or die "no answer\n" for 1 .. $n;
    @after = counters();

    return [ map { $after[$_] - $before[$_] } 0 .. $#after ];
}


sub get { return ('GET', $_[0]) }
sub post { return ('POST', '/poll', {}, $_[0]) }

my $n = 300;
my $plain = calls($n, get('/same?x=250&y=3'));

note("return 200: @$plain");

cmp_ok($plain->[0], '>=', $n, 'nginx itself takes memory for a request');
is($plain->[$_], 0, 'but makes no map, and knows no mimalloc') for 2 .. 4;

my @polls = (
    [ 'GET', get('/poll?x=250&y=3') ],
    [ 'GET with all arguments', get('/poll?x=%3250&y=3&r=9&level=1&limit=5'
                                    . '&player=p%31&detail=1') ],
    [ 'a box', get('/poll?x=250&y=3&w=100&h=2') ],
    [ 'nothing found', get('/poll?x=-5000&y=3&r=9') ],
    [ 'JSON', post('{"x":250,"y":3}') ],
    [ 'JSON of unknown fields', post('{"x":250,"y":3,"a":{"b":["\u0061",{}]},'
                                     . '"player":"\u0061\ud83d\ude00"}') ],
    [ 'a bad GET', get('/poll?x=250&y=a') ],
    [ 'a bad JSON', post('{"x":250,"y":[]}') ]
);

for (@polls) {
    my ($name, @request) = @$_;

    is_deeply(calls($n, @request), $plain, "$name: not one call more");
}

# a batch may take its buffers, but its lines take nothing

my $line = '{"x":250,"y":3,"player":"\u0061"}' . "\n";
my ($short, $long) = map { calls(5, batch($line x $_)) } 4000, 40000;

# how many of its buffers are on their way at once is the client's doing

for (0 .. $#$long) {
    cmp_ok($long->[$_] - $short->[$_], '<', 100,
           'a batch of 36,000 lines more: no call for a line');
}

# the counter counts: an answer larger than a pool's block, an object that
# nginx must put together, and all that the module could call is counted

my $large = calls($n, get('/stats'));

cmp_ok($large->[0], '>', $plain->[0] + $n - 1, 'what takes memory is seen');
is($large->[0] - $large->[1], $plain->[0] - $plain->[1], 'and given back');

my @imports = map { /\bU (\w+)/ ? $1 : () }
              `nm -D --undefined-only $Trove::Nginx::MODULE`;
my @exports = map { /\bT (\w+)/ ? $1 : () } `nm -D --defined-only $shim`;
my %counted = map { $_ => 1 } @exports,
              qw(mi_process_info mi_stats_print_out mi_version snprintf);

cmp_ok(@imports, '>', 20, 'the module needs others');
is_deeply([ grep { /^mi_|alloc$|memalign|^free$|dup$|printf$|map$|brk$/
                   && !/^(?:ngx_|yajl_)/ && !$counted{$_} } @imports ], [],
          'and no allocator among them that is not counted');

done_testing;
