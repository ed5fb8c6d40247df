#!/usr/bin/perl

# A worker is killed at each store to a board and to the order of its rows, and
# stopped at some of them: the others go on, no score is lost or counted twice,
# and the ranks are those of the scores.

use strict;
use warnings;

use FindBin;
use List::Util qw(shuffle);
use Test::More;

use lib "$FindBin::Bin/../lib";
use Trove::Board;
use Trove::Crowd;
use Trove::Fault;
use Trove::Nginx;
use Trove::Play;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }

$Trove::Client::TIMEOUT = 10;


my $fault = Trove::Fault->new;
my $t = Trove::Nginx->start(workers => 4,
    env => $fault->env,
    http => Trove::Crowd::conf('hunt', 'store sqlite:%%DIR%%/hunt.db;',
                               Trove::Crowd::boards()),
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');

my @wrong;


# What the others are answered while one of them stands still

sub asked_of_others {
    my $name = shift;
    my @c = map { $t->client } 1, 2;

    local $Trove::Client::TIMEOUT = 15;

    $c[0]->send_request('GET', '/poll?x=5000&y=5000&r=10');
    $c[1]->send_request(score_of('sums', 'other', 0));

    for my $may ('200', '200 503') {
        my $res = eval { (shift @c)->response };
        my $status = $res ? $res->{status} : $@ || 'gone';

        push @wrong, "$name: $status" if $may !~ /\b\Q$status\E\b/;
        push @wrong, "$name: when to come back?"
            if $status eq '503' && !$res->{headers}{'retry-after'};
    }
}


$t->expect(qr/worker process \d+ exited on signal 9\b/);
$fault->spare($t->master);

my $crowd = Trove::Crowd->start($t, $SEED, @Trove::Crowd::BOARDS);

is_deeply([ $fault->kill_at_each($t, 180, $fault->of_boards) ], [],
          'a worker died at each point');

$fault->disarm;

for my $point ((shuffle($fault->of_boards))[0 .. 11]) {
    my $pid = $fault->stop_at($t, $point, 1 + int rand 3) or next;

    asked_of_others($fault->name($point));
    kill rand() < 0.7 ? 'CONT' : 'KILL', $pid;
}

is_deeply(\@wrong, [], 'the others answer while one stands still');

$fault->disarm;
$crowd->finish;
$crowd->{earned} = 1;
$crowd->{scores}{other} = 0;

my $c;

is((persist($t, \$c, score_of('sums', 'other', 0)))[0]->{status}, 200,
   'and then all do');

cmp_ok($crowd->{slowest}, '<', 30, 'nobody waited for the dead');
$crowd->adds_up($fault, $t->dir . '/hunt.db', 100);

done_testing;
