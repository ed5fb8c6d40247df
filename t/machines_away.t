#!/usr/bin/perl

# Machines that are away while others play and the log of Redis is cut: one
# whose connections are cut off, one whose nginx is stopped.  Back again they
# read all anew, what was removed meanwhile is gone, and they come to have the
# same as the others; so does one that joins late.  Who follows the log where it
# still leads on reads nothing anew.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Players;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $proxy = Trove::Proxy->start($redis->port);
my $near = $redis->url . ' timeout=400ms';
my $far = 'redis://127.0.0.1:' . $proxy->port . ' timeout=400ms';
my $all = Trove::Machines->start(3, url => [ $near, $near, $far ],
                                 trove => $Trove::Players::BOARDS);
my $players = Trove::Players->start($all, clients => 3, rewards => 3000);
my ($here, $stopped, $cut) = $all->machines;

sub log_of { return $redis->command(qw(HGET trove:{hunt} log)) }

# What will be removed while two are away

sub put {
    my ($what, $id) = @_;

    is($here->post('/rewards', qq({"id":$id,"x":50,"y":9000}))->{status}, 200,
       "$what: a reward");
    is($here->request(score_of('sums', "gone$id", 5))->{status}, 200,
       "$what: a score");
}

sub removed {
    my ($what, $id) = @_;

    is($here->request('DELETE', "/rewards?id=$id")->{status}, 200,
       "$what: the reward is removed");
    is($here->request('DELETE', "/board/sums?player=gone$id")->{status}, 200,
       "$what: so is the score");
}

sub play_on {
    my $log = log_of() + 30;

    ok(wait_until(sub { log_of() >= $log }), 'others play on');
}


# Away, and back to a log that leads on

put('away', 10_001);
ok(wait_until(sub { $cut->get('/rewards?id=10001')->{status} == 200 }),
   'which all have');

my $snapshots = $all->figure(2, 'store_snapshots');

$proxy->set(refuse => 1);
$proxy->cut;
play_on();
is($cut->get('/poll?x=50&y=9000')->{json}{found}, 1, 'polls go on');
$proxy->well;

my $log = log_of();

ok(wait_until(sub { $all->figure(2, 'store_position') >= $log }),
   'back again it follows');
is($all->figure(2, 'store_snapshots'), $snapshots, 'and reads nothing anew');


# Away, and the log is cut

$proxy->set(refuse => 1);
$proxy->cut;
$stopped->quit;
removed('away', 10_001);
play_on();
$redis->command(qw(XTRIM trove:{hunt}:log MAXLEN 5));
is($cut->get('/poll?x=50&y=9000')->{json}{found}, 1,
   'the one that is cut off has what it had');
play_on();
$proxy->well;
$stopped->again;
$log = log_of();

for my $i (1, 2) {
    my $t = $all->machine($i);

    ok(wait_until(sub {
           $all->figure($i, 'store_position') >= $log
           && $all->figure($i, 'store_connected')
       }), "machine $i follows again");
    ok(wait_until(sub { $t->get('/rewards?id=10001')->{status} == 404 }),
       'without what was removed');
    ok(wait_until(sub {
           $t->get('/board/sums?player=gone10001&around=0')->{status} == 404
       }), 'on the board, too');
    ok(wait_until(sub {
           !grep { $t->get('/poll?x=50&y=9000')->{json}{found} } 1 .. 20
       }), 'and of polls');
}

is($all->figure(2, 'store_snapshots'), $snapshots + 1, 'it was read anew');


# One that joins late, while it goes on

my $late = $all->add(url => $near, trove => $Trove::Players::BOARDS);

ok(wait_until(sub { $late->get('/poll?x=0&y=0')->{status} == 200 }),
   'one joins late');
put('late', 10_002);
ok(wait_until(sub { $late->get('/rewards?id=10002')->{status} == 200 }),
   'and follows');
removed('late', 10_002);
$players->well('then');
$players->finish->adds_up($redis, 'then');

done_testing;
