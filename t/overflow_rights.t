#!/usr/bin/perl

# A user of Redis has the rights for queues that the README names; without one of
# them what it is for does not happen, and the log tells.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Overflow;
use Trove::Redis;


my $redis = Trove::Redis->start;

open my $f, '<', "$FindBin::Bin/../README.md" or die "README.md: $!\n";
my ($rule) = do { local $/; <$f> } =~ /^ +(ACL SETUSER queuer .*(?:\n +[+].*)*)/m;
close $f;

ok($rule, 'the README has the rights');
is($redis->command(split ' ', $rule), 'OK', 'which Redis takes');

my $url = 'redis://queuer:secret@127.0.0.1:' . $redis->port;
my $t = Trove::Nginx->start(overflow_conf(url => "$url timeout=400ms"));

ok(wait_until(sub { figure($t, 'overflow_up') }), 'the queues are looked after')
    or diag $t->log;
fill($t, rewards => 10);

my $id = 100;

sub put { return $t->post('/rewards', qq({"id":$id,"x":1,"y":1})) }

is(put()->{status}, 202, 'a write waits');

# all of a queue's life

sub lives {
    my $why = shift;

    $id++;

    my $ok = wait_until { put()->{status} == 202 };

    return ok($ok && wait_until(sub {
               $t->request('DELETE', "/rewards?id=$_") for 1 .. 400;
               !%{ waiting($t) };
           }), $why) || diag $t->log;
}

lives('and is carried out');
fill($t, rewards => 10);

for my $right (qw(xadd evalsha)) {
    my $log = length $t->log;
    my $is = $redis->command('XLEN', 'trove:{hunt}:overflow:rewards');
    my $denied = qr/\(denied\).*the user has not got .*rights/;

    $redis->command(qw(ACL SETUSER queuer), "-$right");
    ok(wait_until(sub { $id++; put()->{status} == 503
                        && substr($t->log, $log) =~ $denied }),
       "not without $right, and the log tells") or diag $t->log;
    is($redis->command('XLEN', 'trove:{hunt}:overflow:rewards'), $is,
       'and nothing is queued');
    $redis->command(qw(ACL SETUSER queuer), "+$right");
    ok(wait_until(sub { $id++; put()->{status} == 202 }), "with $right");
}

$redis->command(qw(ACL SETUSER queuer -xrange));
ok(wait_until(sub { !figure($t, 'overflow_up') }),
   'without xrange nothing is carried out');
$redis->command(qw(ACL SETUSER queuer +xrange));
ok(wait_until(sub { figure($t, 'overflow_up') }), 'with it what waits is');

done_testing();
