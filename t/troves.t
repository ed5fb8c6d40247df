#!/usr/bin/perl

# Troves share nothing: rewards, versions, arenas, epochs and figures are each
# one's own, wherever and in whatever order they are defined.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


# the servers come first, the blocks after them and from a file

my $t = Trove::Nginx->new(http => <<'HTTP', server => undef);
    server {
        listen 127.0.0.1:%%PORT%%;

        location = /stats            { trove_stats write=on; }
        location = /combat/poll      { trove_poll    combat; }
        location = /combat/rewards   { trove_rewards combat; }
        location = /economy/poll     { trove_poll    economy; }
        location = /economy/rewards  { trove_rewards economy; }
    }

    server {
        listen 127.0.0.1:%%PORT1%%;

        location /                   { trove_poll    movement; }
        location = /rewards          { trove_rewards movement; }
    }

    trove movement {
        include movement.conf;
        limit 2;
    }

    trove combat {
        arena 8k;
        epoch 1h;
        capacity rewards=3;
        %%SIMD%%
    }

    trove economy { %%SIMD%% }
HTTP

$t->write_file('movement.conf', "space earth;\ninclude more-*.conf;\n");
$t->write_file('more-1.conf', $t->expand("capacity rewards=10; %%SIMD%%\n"));
$t->launch;
$t->{master} = $t->{pid};
$t->wait_ready or die "nginx does not answer\n";


sub request {
    my ($trove, $method, $what, $body) = @_;
    my $moves = $trove eq 'movement';

    return $t->client(port => $t->port($moves ? 1 : ''))
             ->request($method, $moves ? "/$what" : "/$trove/$what",
                       { 'Content-Type' => 'application/x-ndjson' }, $body);
}


sub load {
    my ($trove, @rewards) = @_;

    return request($trove, 'POST', 'rewards', ndjson(@rewards));
}


sub poll {
    my ($trove, $args) = @_;

    return request($trove, 'GET', "poll?$args");
}


my $res = load('movement', map { { id => $_, x => 180, y => 0 } } 1 .. 5);

is($res->{json}{version}, 5, 'rewards in the first');

$res = load('combat', map { { id => $_, x => 1e6, y => 0 } } 1 .. 4);

is($res->{status}, 507, 'more than there is room for in the second');

$res = load('economy', { id => 1, x => 7, y => 7 });

is($res->{json}{version}, 1, 'and one in the third');

is_deeply(poll('movement', 'x=-180&y=0')->{json},
          { version => 5, found => 5, rewards => [1, 2] },
          'the first is on the earth, and lists two');
is_deeply(poll('combat', 'x=1000000&y=0')->{json},
          { version => 3, found => 3, rewards => [1, 2, 3] },
          'the second on the plane, and lists three');
is_deeply(poll('economy', 'x=7&y=7')->{json},
          { version => 1, found => 1, rewards => [1] }, 'as the third');
is(poll('movement', 'x=1000000&y=0')->{status}, 400,
   'what is out of the world for one');
is(poll('economy', 'x=1000000&y=0')->{status}, 200, 'is not for another');

is(request('combat', 'DELETE', 'rewards?id=1')->{json}{version}, 4,
   'removed from the second');
is(request($_, 'GET', 'rewards?id=1')->{status}, 200, "it is still in $_")
    for qw(movement economy);

# one uses its arena up, for an hour; the others do not notice

my $n = 0;

$n++ while $n < 100 && poll('combat', 'x=1&y=1&player=%61')->{status} == 200;

is(poll('combat', 'x=1&y=1&player=%61')->{status}, 503,
   "the second has used up its arena after $n polls");
is(poll('movement', 'x=1&y=1&player=%61')->{status}, 200,
   'the first has not');
is(poll('economy', 'x=1&y=1&player=%61')->{status}, 200, 'nor the third');

# figures

my $stats = request('combat/..', 'GET', 'stats')->{json}{troves};

is_deeply([ sort keys %$stats ], [qw(combat economy movement)],
          'each has figures');
is_deeply([ map { $stats->{$_}{rewards} } qw(movement combat economy) ],
          [5, 2, 1], 'of its rewards');
is_deeply([ map { $stats->{$_}{rewards_capacity} }
            qw(movement combat economy) ],
          [10, 3, 100_000], 'its capacity');
is_deeply([ map { $stats->{$_}{arena_size} } qw(movement combat economy) ],
          [16 * 1048576, 8192, 16 * 1048576], 'its arena');
is_deeply([ map { $stats->{$_}{endpoints}{poll}{requests} }
            qw(movement combat economy) ],
          [ { 200 => 2, 400 => 1 }, { 200 => 1 + $n, 503 => 2 },
            { 200 => 3 } ], 'and its requests');
is($stats->{economy}{arena_exhausted}, 0, 'no other arena was exhausted');

# a turn is the trove's that is turned, what shows all the first one's

$t->request('POST', "/stats?cycle=$_") for qw(economy movement economy none);

$stats = request('combat/..', 'GET', 'stats')->{json}{troves};

is_deeply([ map { $stats->{$_}{endpoints}{stats}{requests} }
            qw(movement combat economy) ],
          [ { 200 => 1 }, { 200 => 1, 404 => 1 }, { 200 => 2 } ],
          'requests for figures are counted for whom they name');

done_testing;
