#!/usr/bin/perl

# With a store everything outlives nginx: rewards, stocks, balances, and the
# answers that are repeated.  From the ledger's file, from the store alone, and
# whoever of the two was lost.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $t = Trove::Nginx->start(workers => 4, http => <<'HTTP',
    trove hunt {
        capacity rewards=1k players=1k claims=4k;
        store    sqlite:%%DIR%%/hunt.db;
        coin     one value=7 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my $db = $t->dir . '/hunt.db';

sub has {
    my ($rewards, $players, $claims, $how, $what) = @_;

    my $n = "$rewards rewards, $players players and $claims claims";

    return qr/"hunt" has $n, $how "\Q$what\E" in \d+ ms/;
}

like($t->log, has(0, 0, 0, 'loaded from', $db), 'an empty one is made');

$t->load('/rewards', '/poll?x=0&y=0',
         { id => 1, x => 1, y => 2, stock => 2, value => 50 },
         { id => 2, x => 3, y => 4, stock => 1, value => 5 });

my $c = $t->client;

is($c->request(claim_of('ann', 1))->{json}{balance}, 50, 'a claim');
is($c->request(tap_of('ann', seq => 3))->{json}{balance}, 57, 'a tap');
is($c->request(claim_of('bob', 2))->{json}{balance}, 5, 'another claim');
is($c->request('DELETE', '/rewards?id=2')->{status}, 200, 'a removal');

wait_until { (row($db, 'count(*)', 'FROM rewards'))[0] == 1 };

is_deeply([ sql($db, 'SELECT id, x, y, value, stock, taken FROM rewards') ],
          [ { id => 1, x => 1, y => 2, value => 50, stock => 2, taken => 1 } ],
          'rewards in the store');
is_deeply([ sql($db, 'SELECT player, balance FROM players ORDER BY player') ],
          [ { player => 'ann', balance => 57 },
            { player => 'bob', balance => 5 } ], 'players in the store');
is_deeply([ sql($db, 'SELECT player, reward, value FROM claims
                      ORDER BY player') ],
          [ { player => 'ann', reward => 1, value => 50 },
            { player => 'bob', reward => 2, value => 5 } ],
          'claims in the store');


# What must be there after every kind of end

sub all_there {
    my $how = shift;

    my $c = $t->client;

    is($t->get_json('/poll?x=1&y=2&r=1')->{found}, 1, "$how: a poll");
    is($t->get('/rewards?id=2')->{status}, 404, 'what was removed is');
    is_deeply($c->request(claim_of('ann', 1))->{json},
              { reward => 1, value => 50, balance => 50,
                repeat => JSON::PP::true }, 'a claim is repeated');
    is_deeply($c->request(tap_of('ann', seq => 3))->{json},
              { coin => 'one', value => 7, balance => 57,
                repeat => JSON::PP::true }, 'a tap is repeated');
    is($t->get_json('/tap?player=bob')->{balance}, 5, 'a balance');
}

all_there('at once');

my $log = length $t->log;
$t->quit;
ok(!-e "$db-wal", 'the store was closed');
$t->again;

like(substr($t->log, $log), has(1, 2, 2, 'kept in', "$db-ledger"),
     'the ledger was kept');
all_there('quit');

$t->kill_all;
$t->again;
all_there('kill -9');

$t->quit;
unlink "$db-ledger";
$log = length $t->log;
$t->again;
like(substr($t->log, $log), has(1, 2, 2, 'loaded from', $db),
     'the ledger was filled');
all_there('from the store');

$t->kill_all;
unlink map { "$db$_" } '', '-wal', '-shm';
$t->again;
all_there('from the ledger');
ok(wait_until { -s $db && (row($db, 'count(*)', 'FROM claims'))[0] == 2 },
   'the store was made anew');
is((row($db, 'balance', "FROM players WHERE player='ann'"))[0], 57, 'of all');


# The boot it was of is not this one

$t->quit;

open my $f, '+<', "$db-ledger" or die $!;
my $head = do { local $/ = \4096; <$f> };
$head =~ s/([0-9a-f]{8})-/xxxxxxxx-/ or die 'no boot';
seek $f, 0, 0;
print $f $head;
close $f;

$log = length $t->log;
$t->again;
like(substr($t->log, $log), qr{loaded from}, 'a ledger of another boot');
all_there('other boot');


# Another version laid it out: what was quit well is in the store, what was
# killed may not be

sub other_version {
    open my $f, '+<', "$db-ledger" or die $!;
    seek $f, 4096 + 8, 0;
    print $f pack 'L', 9999;
    close $f;
}

$t->quit;
other_version();
$log = length $t->log;
$t->again;
like(substr($t->log, $log), qr{loaded from}, 'a ledger of another version');
all_there('another version');

$t->kill_all;
system('cp', "$db-ledger", "$db-before");
other_version();
ok(scalar $t->check, 'a test does not look so far');
$t->expect(qr/\[emerg\].* is of another version/);
$t->{leaks} = 0;
eval { $t->again };
like($t->log, qr{"\Q$db-ledger\E" is of another version of the module},
     'one that was killed');
delete $t->{leaks};
rename "$db-before", "$db-ledger";


# Another capacity goes through the store

$t->kill_all;
$t->configure(http => $t->{arg}{http}
                      =~ s/rewards=1k players=1k/rewards=2k players=3k/r);
$log = length $t->log;
$t->again;
like(substr($t->log, $log), qr{loaded from}, 'another capacity');
all_there('larger');
is($t->get_json('/stats')->{troves}{hunt}{players_capacity}, 3000, 'it is');

done_testing();
