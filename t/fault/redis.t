#!/usr/bin/perl

# A worker is stopped (SIGSTOP) while it sends a call to Redis, until the call
# is overdue: it goes on with another connection.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/../lib";
use Trove::Fault;
use Trove::Machines;
use Trove::Nginx;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $fault = Trove::Fault->new;
my $t = Trove::Nginx->start(
    machine_conf(url => $redis->url . ' timeout=200ms', workers => 1),
    env => $fault->env);

$t->wait_ok('/poll?x=0&y=0');

sub tap { return $t->request('POST', '/tap', {}, '{"player":"p"}') }

ok(wait_until(sub { tap()->{status} == 200 }), 'a tap');


my ($point) = $fault->named('replica: call sent');
my $c = $t->client;

$fault->arm($point, 1, 'STOP');
$c->send_request('POST', '/tap', {}, '{"player":"p"}');

my $worker = $fault->stopped($point, 30);

isnt($worker, 0, 'the worker is stopped within a call');
sleep 0.3;
kill 'CONT', $worker;

is(eval { $c->response->{status} }, 503, 'the call is overdue');
ok(wait_until(sub { (eval { tap()->{status} } // 0) == 200 }),
   'the next is not');
is_deeply([ $t->workers ], [ $worker ], 'the same worker does it');

done_testing;
