#!/usr/bin/perl

# Boards in a store: what was answered outlives nginx, however it ends; a
# period that ended while it was down is the one before; boards that change
# with a restart; and what an operator sees.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Clock;
use Trove::Nginx;
use Trove::Store;


my $DATA = "\x{1f3c6} it's";
my $clock = Trove::Clock->new('2025-11-21 12:00:00');
my $t = Trove::Nginx->start(workers => 2, env => $clock->env, http => <<'HTTP',
    trove hunt {
        capacity rewards=100 players=100;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit;
        board    ever rows=100 order=asc ties=shared;
        board    day  rows=100 reset=daily keep=sum;
        %%SIMD%%
    }
HTTP
    server => <<'SERVER');
    location /board/   { trove_board hunt; }
    location = /stats  { trove_stats; }
SERVER

my $db = $t->dir . '/hunt.db';
my $http = $t->{arg}{http};

sub score { return $t->client->request(score_of(@_)) }
sub rows { return rows_of($t->client->get("/board/$_[0]?top=100")) }
sub before { return rows_of($t->client->get("/board/$_[0]?period=-1")) }

is(score('ever', 'ann', 5, data => $DATA)->{json}{rank}, 1,
   'a score');
is(score('ever', 'bob', 5)->{json}{rank}, 1, 'and another');
is(score('day', 'ann', 3, seq => 7)->{json}{score}, 3, 'a sum');
is(score('day', 'bob', 9)->{json}{rank}, 1, 'and another');
is(score('day', 'cat', 1)->{status}, 200, 'one who will go');
is($t->client->request('DELETE', '/board/day?player=cat')->{status}, 200,
   'goes');

# each is in the database when it is answered

is_deeply([ sql($db, 'SELECT rank, player, score, data FROM boards
                      WHERE board = \'ever\' ORDER BY player') ],
          [ { rank => 1, player => 'ann', score => 5,
              data => $DATA },
            { rank => 1, player => 'bob', score => 5, data => undef } ],
          'an operator sees a board');
is_deeply([ sql($db, 'SELECT reset, begins, rank, player, score FROM boards
                      WHERE board = \'day\' ORDER BY rank') ],
          [ { reset => 'daily', begins => '2025-11-21', rank => 1,
              player => 'bob', score => 9 },
            { reset => 'daily', begins => '2025-11-21', rank => 2,
              player => 'ann', score => 3 } ],
          'and one that is reset');
is(counters($t)->{scores}, 6, 'the rows are counted');


# What must be there after every kind of end

sub all_there {
    my $how = shift;

    is_deeply(rows('ever'), [ [ 1, 'ann', 5, $DATA ], [ 1, 'bob', 5 ] ],
              "$how: a board");
    is_deeply(rows('day'), [ [ 1, 'bob', 9 ], [ 2, 'ann', 3 ] ],
              'one that is reset');

    my $res = score('day', 'ann', 3, seq => 7);
    ok($res->{json}{repeat}, 'a seq is known');
    is($res->{json}{score}, 3, 'nothing is added twice');
}

all_there('at once');

$t->kill_all;
$t->again;
all_there('kill -9');

$t->quit;
unlink "$db-ledger";
$t->again;
like($t->log, qr{"hunt" has .* and 4 rows of boards, loaded from "\Q$db\E"},
     'the ledger was lost');
all_there('from the store');

$t->kill_all;
unlink map { "$db$_" } '', '-wal', '-shm';
$t->again;
all_there('from the ledger');
ok(wait_until { -s $db && (row($db, 'count(*)', 'FROM boards'))[0] == 4 },
   'the store was made anew');


# Other boards: through the store

sub with {
    my ($how, $from, $to) = @_;

    $t->quit;
    $t->configure(http => $http =~ s/\Q$from\E/$to/r);
    ok($t->again, $how);
}

with('more rows', 'ever rows=100', 'ever rows=200 row=1k');
all_there('more rows');
is($t->get_json('/stats')->{troves}{hunt}{boards}{ever}{rows_capacity}, 200,
   'it has room for them');

with('one board less', 'board    day  rows=100 reset=daily keep=sum;', '');
is($t->get('/board/day')->{status}, 404, 'it is gone');
is((row($db, 'count(*)', 'FROM boards'))[0], 4, 'but not what it holds');

with('all of them', '', '');
all_there('it comes back');

$t->quit;
$t->configure(http => $http =~ s/ever rows=100/ever rows=1/r);
$t->expect(qr/"hunt" cannot have the store/);
$t->{leaks} = 0;                     # what is refused frees nothing
ok(!eval { $t->again; 1 }, 'too few rows are refused');
like($t->log, qr/2 rows of board "ever", which has no room for them/,
     'naming the board');
delete $t->{leaks};
$t->configure(http => $http);
$t->again;
all_there('as it was');


# A period that ends while nginx is down, with the ledger and without

$t->kill_all;
$clock->set('2025-11-22 08:00:00');
$t->again;
is_deeply(rows('day'), [], 'a new day');
is_deeply(before('day'), [ [ 1, 'bob', 9 ], [ 2, 'ann', 3 ] ],
          'and the one before');

$t->quit;
unlink "$db-ledger";
$t->again;
is_deeply(rows('day'), [], 'without the ledger as well');
is_deeply(before('day'), [ [ 1, 'bob', 9 ], [ 2, 'ann', 3 ] ],
          'and the one before');
is(score('day', 'dan', 4, seq => 1)->{json}{rank}, 1, 'a score of that day');
is((row($db, 'count(*)', 'FROM boards WHERE begins = \'2025-11-21\''))[0], 2,
   'the store has both');

$t->quit;
unlink "$db-ledger";
$clock->set('2025-11-25 00:00:00');
$t->again;
is_deeply([ rows('day'), before('day') ], [ [], [] ], 'days go by');
is(score('day', 'eve', 2)->{json}{rank}, 1, 'and one goes on');
ok(wait_until { (row($db, 'count(*)', 'FROM boards
                                       WHERE reset = \'daily\''))[0] == 1 },
   'what nobody can see is not kept');
is_deeply(rows('ever'), [ [ 1, 'ann', 5, $DATA ], [ 1, 'bob', 5 ] ],
          'what has no end is');

done_testing();
