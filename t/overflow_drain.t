#!/usr/bin/perl

# What waits in queues is carried out when there is room, in order and once
# each, by one of all workers: whoever of them is replaced or killed, and
# whatever becomes of Redis; and what goes on is told, one line each.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


# By a user that may do what the README says, and nothing else

open my $f, '<', "$FindBin::Bin/../README.md" or die "README.md: $!\n";
my ($user) = do { local $/; <$f> }
           =~ /^ +ACL SETUSER (queuer .*(?:\n +[+].*)*)/m;
$user =~ s/\s+/ /g;

my $redis = Trove::Redis->start(append => 1, conf => [ "user $user" ]);
my $url = $redis->url =~ s{//}{//queuer:secret\@}r;

my $t = Trove::Nginx->start(workers => 3, http => <<"HTTP",
    trove hunt {
        capacity rewards=4 players=2;
        limit    100;
        coin     one value=1 weight=1;
        board    top rows=1 keep=sum;
        overflow $url max=1000 timeout=300ms;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');


sub put { return $t->post('/rewards', qq({"id":$_[0],"x":$_[0],"y":0})) }
sub gone { return $t->request('DELETE', "/rewards?id=$_[0]")->{status} }
sub score { return $t->post('/board/top', qq({"player":"$_[0]","score":1})) }
sub stats { return $t->get_json('/stats')->{troves}{hunt} }
sub told { my @n = $t->log =~ /$_[0]/g; return scalar @n }


sub rewards {
    return join ' ', sort { $a <=> $b }
                     @{ $t->get_json('/poll?x=0&y=0&r=1000')->{rewards} };
}


sub becomes {
    my ($what, $is, $name) = @_;
    my $now;

    wait_until { ($now = $what->()) eq $is };
    is($now, $is, $name);
}


# Its pid, by the line that it has told last

sub drainer {
    my @pids = $t->log =~ /(\d+)#\d+: trove "hunt" looks after its queues/g;

    return $pids[-1] || 0;
}


sub looked_after {
    my $name = shift;

    ok(wait_until { stats()->{overflow_up} == 1 && drainer() }, $name)
        or diag $t->log;
}

looked_after('the queues are looked after');
is(told(qr/looks after its queues, where 0 operations wait/), 1,
   'which is told');
is(stats()->{overflow_max}, 1000, 'so many may wait in each');

put($_)->{status} == 200 or die for 1 .. 4;
$t->request(tap_of($_))->{status} == 200 or die for qw(a b);
score('a')->{status} == 200 or die;

is(put($_)->{status}, 202, "reward $_ waits") for 5 .. 8;
is($t->request(tap_of($_))->{status}, 202, "the tap of $_ waits")
    for qw(c d c);
is(score('b')->{status}, 202, 'a score waits');

becomes(sub {
    my $o = stats()->{overflow};
    join ' ', map { "$_=$o->{$_}{pending}" } sort keys %$o;
}, 'board:top=1 players=3 rewards=4', 'so many in each queue');

becomes(sub { stats()->{overflow}{rewards}{oldest} > 0 ? 1 : 0 }, 1,
        'for some time');
is(stats()->{overflow_drained}, 0, 'there is no room for any');

is(gone(2), 200, 'a reward is removed');
becomes(\&rewards, '1 3 4 5', 'another one takes its place');
becomes(sub { stats()->{overflow_drained} }, 1, 'which is counted');
becomes(sub { $redis->command('XLEN', 'trove:{hunt}:overflow:rewards') }, 3,
        'and forgotten');

# other workers, and other processes

my $was = drainer();
my $slow = $t->clients->{$was};

$slow->send("POST /tap HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{");

ok($t->hup, 'a reload');
ok(wait_until { drainer() != $was }, 'has another worker look after them');
ok(Trove::Nginx::alive($was), 'though that one still has a request');
looked_after('which does');
ok($t->wait_log(qr/looks after its queues, where 7 operations wait/),
   'what waits does so still');
$slow->send('"player":"a"}');
is($slow->response->{status}, 200, 'which it ends');
is(gone(3), 200, 'there is room');
becomes(\&rewards, '1 4 5 6', 'and it is made use of');
becomes(sub { stats()->{overflow_drained} }, 2, 'and counted');

$was = drainer();
$t->kill_worker($was);
ok(wait_until { drainer() != $was }, 'the next one goes on after a death');
looked_after('and does');
gone(1);
becomes(\&rewards, '4 5 6 7', 'with what was next');
becomes(sub { stats()->{overflow_drained} }, 3, 'counted on');

# Redis goes and comes

$redis->stop;
becomes(sub { stats()->{overflow_up} }, 0, 'Redis is away');
gone(4);
ok($t->wait_log(qr/does not look after its queues \(away\), it is tried aga/),
   'which is told');
sleep 1;
is(told(qr/does not look after its queues \(away\)/), 1, 'once');
$redis->launch;
becomes(\&rewards, '5 6 7 8', 'it is back');
ok($t->wait_log(qr/looks after its queues again, where 5 operations wait/),
   'which is told');

# what cannot be carried out, is lost, or is of others

$redis->command('XADD', 'trove:{hunt}:overflow:rewards', '5-0', 'op', 'none');
$redis->command('HSET', 'trove:{hunt}:overflow', 'rewards', 5);
becomes(sub { stats()->{overflow_invalid} }, 1, 'what is no operation');
ok($t->wait_log(qr/1\ operations\ that\ waited\ .*
                   "trove:\{hunt\}:overflow:refused"/x),
   'is put aside, and told');
becomes(sub { $redis->command('XLEN', 'trove:{hunt}:overflow:refused') }, 1,
        'it is there');

$redis->command('HSET', 'trove:{hunt}:overflow', 'rewards', 8);
becomes(sub { stats()->{overflow_lost} }, 3, 'what was lost is counted');
ok($t->wait_log(qr/3 operations that waited .* are no longer there/),
   'and told');

$redis->command('FLUSHALL');
is(put(9)->{status}, 202, 'Redis has lost all, and a reward waits');
ok($t->wait_log(qr/the queues of trove "hunt" are others than before/),
   'which is told');
becomes(sub { stats()->{overflow_lost} }, 3 + 3 + 1,
        'with what had waited in the others');
becomes(sub { stats()->{overflow}{rewards}{pending} }, 1, 'that reward waits');
gone(5);
becomes(\&rewards, '6 7 8 9', 'until there is room');

# an end that Redis does not hold up

$redis->signal('STOP');
cmp_ok($t->quit, '<', 5, 'a Redis that hangs does not keep it from its end');
$redis->signal('CONT');

done_testing();
