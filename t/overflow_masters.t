#!/usr/bin/perl

# A new binary beside the old one: of all workers of both masters one carries
# out what waits, whoever of them has queued it, and another one when it dies or
# its master ends; each once.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $ROWS = 3;

my $redis = Trove::Redis->start;
my $url = $redis->url;

my $t = Trove::Nginx->start(workers => 2, daemon => 1, http => <<"HTTP",
    trove hunt {
        capacity rewards=1;
        board    sums rows=$ROWS keep=sum;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit;
        overflow $url;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');

my (%score, @wrong);


sub stats { return $t->get_json('/stats')->{troves}{hunt} }
sub waiting { return stats()->{overflow}{'board:sums'}{pending} }


# By whichever master; the first so many are on the board

sub scores {
    my $status = shift;

    for my $player (@_) {
        for my $points (1 .. 20) {
            my $res = $t->request(score_of('sums', $player, $points));

            push @wrong, "$player: $res->{status}" if $res->{status} != $status;
            $score{$player} += $points;
        }
    }
}


sub drainer {
    my @pids = $t->log =~ /(\d+)#\d+: trove "hunt" looks after its queues/g;

    return $pids[-1] || 0;
}


sub makes_room {
    my ($gone, $new, $name) = @_;

    is($t->request('DELETE', "/board/sums?player=$gone")->{status}, 200,
       "$gone goes");
    delete $score{$gone};

    ok(wait_until { (my $e) = grep { $_->[1] eq $new }
                              @{ walk($t->client, 'sums', 100) };
                    $e && $e->[2] == 210 }, "$new comes $name");
}


sub one_looks_after {
    my ($was, $name) = @_;

    ok(wait_until { drainer() != $was }, $name)
        or diag $t->log;
}

one_looks_after(0, 'one looks after the queues');

scores(200, 'a' .. 'c');
scores(202, 'd');

my $was = drainer();
my $old = $t->usr2;

scores(202, 'e', 'f');
is(waiting(), 60, 'both masters queue');
is(drainer(), $was, 'and one looks after that');
is(() = $t->log =~ /trove "hunt" looks after its queues/g, 1, 'one alone');
makes_room('a', 'd', 'by a worker of the old master');

$t->expect(qr/worker process $was exited on signal 9/);
kill 'KILL', $was;
one_looks_after($was, 'and when that is dead another one');
makes_room('b', 'e', 'by that');

$t->quit(master => $old);
ok(wait_until { stats()->{overflow_up} == 1 },
   'one of the new master does when the old one has ended');
makes_room('c', 'f', 'then');

ok(wait_until { waiting() == 0 }, 'none is left');
is_deeply({ map { $_->[1] => $_->[2] } @{ walk($t->client, 'sums', 100) } },
          \%score, 'each was carried out once');
is_deeply(\@wrong, [], 'all were answered as they should be');

$t->quit;
unlink $t->dir . '/hunt.db-ledger';
$t->again;
is_deeply({ map { $_->[1] => $_->[2] } @{ walk($t->client, 'sums', 100) } },
          \%score, 'and is in the store');
ok(wait_until { stats()->{overflow_up} == 1 && waiting() == 0 },
   'which knows that none waits any more');

done_testing();
