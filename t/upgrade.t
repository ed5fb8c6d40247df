#!/usr/bin/perl

# USR2 starts another master beside the old one, WINCH ends the old workers:
# both serve meanwhile, each from a ledger of its own, and either can be the
# one that stays.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(daemon => 1, workers => 2,
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt { capacity rewards=50k; %%SIMD%% }
    client_max_body_size 10m;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
SERVER

my $all = '/poll?x=0&y=0&r=5000';
my $old = $t->master;


sub finds {
    my ($n, $name, $c) = @_;

    $c ||= $t;

    ok(wait_until { $c->get($all)->{json}{found} == $n }, $name);
}


sub load {
    my @rewards = map { { id => $_, x => $_ % 99, y => 0 } } 1 .. shift;

    return $t->post('/rewards', ndjson(@rewards))->{json}{accepted};
}


is(load(30_000), 30_000, 'rewards are loaded');

my $kept = $t->client;

finds(30_000, 'and found', $kept);

# the new one is beside the old one, whose connections go on

is($t->usr2, $old, 'USR2: another master');

my $new = $t->master;

finds(30_000, 'a connection stays where it is', $kept);

kill 'WINCH', $old;
$kept->close;

ok(wait_until { !$t->workers(master => $old, all => 1) },
   'WINCH: the old workers end');
finds(0, 'the new ones begin with nothing');
is(load(10), 10, 'and take rewards');

# back to the old one

kill 'HUP', $old;

ok(wait_until { $t->workers(master => $old) == 2 },
   'HUP: the old master has workers again');
cmp_ok($t->quit, '<', 5, 'the new one quits');

$t->{master} = $old;

finds(30_000, 'what the old one had is still there');
is(load(30_001), 30_001, 'it takes more');

# and forth

$t->usr2;
isnt($t->master, $new, 'USR2 again');
cmp_ok($t->quit(master => $old), '<', 5, 'the old one quits');
is(load(7), 7, 'the new one takes rewards');
finds(7, 'and finds them');

done_testing;
