#!/usr/bin/perl

# A worker is stopped (SIGSTOP) at each store of every critical sequence, which
# is no death: nobody may do its work.  The others answer, polls as ever, and
# what they cannot have now with 503 and Retry-After.  Then it goes on or is
# killed, and everything adds up.

use strict;
use warnings;

use FindBin;
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/../lib";
use Trove::Crowd;
use Trove::Fault;
use Trove::Nginx;
use Trove::Play;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $fault = Trove::Fault->new;
my $t = Trove::Nginx->start(workers => 4, env => $fault->env,
    http => Trove::Crowd::conf('hunt', 'store sqlite:%%DIR%%/hunt.db;'),
    server => play_endpoints('hunt'));

my (%stopped, @wrong, $n);


# What a client is told by the others.  All is asked for at once.

sub asked_of_others {
    my $name = shift;
    my %may = (poll => 200, put => '200 503', claim => '200 503',
               tap => '200 503');
    my %request = (
        poll  => [ 'GET', '/poll?x=5000&y=5000&r=10' ],
        put   => [ batch_of('/rewards', { id => 21_001, x => 1, y => 1 }) ],
        claim => [ claim_of('other' . ++$n, 21_000) ],
        tap   => [ tap_of('other', seq => $n) ],
    );
    my %client = map { $_ => $t->client } keys %request;
    my $start = time;

    local $Trove::Client::TIMEOUT = 15;

    $client{$_}->send_request(@{ $request{$_} }) for keys %request;

    for (sort keys %request) {
        my $res = eval { $client{$_}->response };
        my $status = $res ? $res->{status} : $@ || 'gone';

        push @wrong, "$name: $_: $status" if $may{$_} !~ /\b\Q$status\E\b/;
        push @wrong, "$name: $_: when to come back?"
            if $status eq '503' && !$res->{headers}{'retry-after'};
    }

    return (time - $start, \%request);
}


sub stop_at {
    my $point = shift;
    my $name = $fault->name($point);
    my $pid = $fault->stop_at($t, $point, 1 + int rand 3) or return;
    my ($took, $request) = asked_of_others($name);

    $stopped{$point} = $pid;
    note sprintf '%s: the others took %.3f s', $name, $took;
    kill rand() < 0.7 ? 'CONT' : 'KILL', $pid;

    # what was put off can be had now, once

    for (qw(put claim tap)) {
        my $c;
        my ($res) = persist($t, \$c, @{ $request->{$_} });

        push @wrong, "$name: then $_: $res->{status} $res->{body}"
            if $res->{status} != 200
               || $_ eq 'tap' && $res->{json}{balance} != 1000 * $n;
    }
}


sub left { return grep { !$stopped{$_} } $fault->of_the_rest }


$t->expect(qr/worker process \d+ exited on signal 9\b/);
$fault->spare($t->master);

is($t->post('/rewards', '{"id":21000,"x":1,"y":1,"stock":1000}')->{status},
   200, 'a reward for all');

my $crowd = Trove::Crowd->start($t, $SEED, @Trove::Crowd::PLAY);
my $end = time + 180;

while (left() && time < $end) {
    stop_at($_) for shuffle(left());
}

is_deeply([ map { $fault->name($_) } left() ], [],
          'a worker was stopped at each point');
is_deeply(\@wrong, [], 'the others went on, and nothing was done twice');

$fault->disarm;
$crowd->finish;
$crowd->{balances}{other} = 1000 * $n;
$crowd->adds_up($fault, $t->dir . '/hunt.db', 100);

done_testing;
