#!/usr/bin/perl

# Queues and a store: a power cut, after which the ledger comes from the store
# alone, carries out again what the last epoch had, and nothing else; so does a
# larger capacity, which takes what waits.  Sums tell whether each score was
# counted once.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Overflow;
use Trove::Play;
use Trove::Redis;


my $ROUNDS = 6;

my $redis = Trove::Redis->start(append => 1);
my %arg = (url => $redis->url, store => 'sqlite:%%DIR%%/hunt.db',
           rewards => 20, players => 20, rows => 20, trove => 'ack commit;');
my $t = Trove::Nginx->start(overflow_conf(%arg));

ok(wait_until(sub { figure($t, 'overflow_up') }), 'the queues are looked after');
fill($t, rewards => 20, players => 20, rows => 20);

my $load = Trove::Overflow->start($t, clients => 3);
my ($id, %of) = (0);


# All of nginx is killed while some of what waits is carried out, and the ledger
# is gone

for (1 .. $ROUNDS) {
    sleep 0.4;
    $load->finish;

    for my $what (1 .. 3) {
        $id++;
        ask($t, \%of, 'DELETE', "/rewards?id=$id");
        ask($t, \%of, 'DELETE', "/board/sums?player=f$id");
    }

    sleep rand 0.05;
    $t->kill_all;
    unlink $t->dir . '/hunt.db-ledger';
    $t->again;
    %of = ();
    $load->goes_on;
}

$load->finish;

ok(%{ waiting($t) }, 'and some still waits');

# what waits goes to a larger ledger, with all that there was

$t->quit;
$t->configure(overflow_conf(%arg, rewards => 100_000, players => 1000,
                            rows => 1000));
$t->again;
like($t->log, qr/the ledger has room for 100000 rewards, 1000 players/,
     'more room');
empty_queues($t, 'with more room');
$load->adds_up('with more room');
is(figure($t, "overflow_$_"), 0, "none of it is $_") for qw(lost invalid);
ok(wait_until(sub { !grep { $redis->command('XLEN', $_) }
                    @{ $redis->command('KEYS', 'trove:{hunt}:overflow:[rpb]*') }
                  }), 'Redis has forgotten it')
    or diag explain $redis->command('KEYS', '*');

done_testing();
