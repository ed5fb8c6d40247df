#!/usr/bin/perl

# Ten rounds and more of what happens to the Redis that has the queues, to the
# ways to it, and to nginx, at random moments under load: killed and started
# again with its append-only file, stopped, slow, cut off, replies lost after
# the requests were delivered, workers killed, a reload.  Clients want more room
# than there is, some of which is made meanwhile, and all of it by another start
# at last: each write is carried out once, and in order.

use strict;
use warnings;

use FindBin;
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Overflow;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start(append => 1);
my $proxy = Trove::Proxy->start($redis->port, seed => $Trove::Overflow::SEED);
my %arg = (url => 'redis://127.0.0.1:' . $proxy->port . ' timeout=300ms',
           store => 'sqlite:%%DIR%%/hunt.db', rewards => 40, players => 40,
           rows => 40);
my $t = Trove::Nginx->start(overflow_conf(%arg));

ok(wait_until(sub { figure($t, 'overflow_up') }),
   'the queues are looked after');
fill($t, rewards => 40, players => 40, rows => 40);

my $load = Trove::Overflow->start($t);


# Each is an outage and how it ends

my %happens = (
    killed => sub {
        $redis->stop('KILL');
        sleep rand 0.3;
        $redis->launch;
    },
    stopped => sub {
        $redis->signal('STOP');
        sleep rand 0.8;
        $redis->signal('CONT');
    },
    slow => sub {
        $proxy->set(delay => 0.005 + rand 0.1);
        sleep 0.5;
        $proxy->set(delay => 0);
    },
    'too slow' => sub {
        $proxy->set(delay => 0.4);
        sleep 0.8;
        $proxy->set(delay => 0);
    },
    'cut off' => sub {
        $proxy->set(refuse => 1);
        $proxy->cut;
        sleep rand 0.6;
        $proxy->well;
    },
    held => sub {
        $proxy->set(held => 1);
        sleep rand 0.8;
        $proxy->set(held => 0);
    },
    mute => sub {
        $proxy->set(mute => 1);
        sleep 0.2 + rand 0.4;
        $proxy->well;
    },
    'replies lost' => sub {
        $proxy->set(lose => 0.1);
        sleep 0.5;
        $proxy->set(lose => 0);
    },
    'a worker killed' => sub {
        my @workers = $t->workers;

        $t->kill_worker($workers[rand @workers]);
    },
    reloaded => sub { $t->hup(gone => 1) },
);


my ($id, %of) = (0);

for my $round (shuffle((sort keys %happens), 'killed', 'replies lost',
                       'a worker killed'))
{
    note $round;

    for (1 .. 1 + int rand 3) {
        $id++;
        ask($t, \%of, 'DELETE', "/rewards?id=$id");
        ask($t, \%of, 'DELETE', "/board/sums?player=f$id");
        sleep rand 0.2;
    }

    $happens{$round}->();
}

$proxy->well;
ok(wait_until(sub { !figure($t, 'breaker_state') && figure($t, 'overflow_up')
                    && !figure($t, 'store_waiting') }),
   'in the end all is well');
$load->finish;

cmp_ok(figure($t, 'overflow_drained'), '>', 0, 'some of it was carried out');
is(figure($t, "overflow_$_"), 0, "none of it is $_") for qw(lost invalid full);

# all of them have room from the next start on

$t->quit;
$t->configure(overflow_conf(%arg, rewards => 100_000, players => 1000,
                            rows => 1000));
$t->again;
empty_queues($t, 'with more room');
$load->adds_up('with more room');

done_testing();
