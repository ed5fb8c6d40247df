#!/usr/bin/perl

# What was asked for when nobody knew yet whether anything waits is not
# overtaken by what comes when it has been answered, though another write has
# made the same reward meanwhile, when it was known that nothing waits.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $url = $redis->url;

$redis->signal('STOP');

my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<"HTTP", server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=10;
        overflow $url timeout=20s;
        %%SIMD%%
    }
HTTP

my $clients = $t->clients;


# The drainer has one more thread

sub threads {
    my @threads = glob "/proc/$_[0]/task/*";

    return scalar @threads;
}

sub put {
    my ($c, $value) = @_;

    $c->send_request(POST => '/rewards', {},
                     "{\"id\":1,\"x\":1,\"y\":1,\"value\":$value}");
}

sub stats { return $_[0]->get('/stats')->{json}{troves}{hunt} }


my ($other, $drainer);

wait_until {
    ($other, $drainer) = sort { threads($a) <=> threads($b) } keys %$clients;
    threads($other) < threads($drainer);
} or die "nobody looks after the queues\n";

my ($o, $d) = @$clients{$other, $drainer};
my $second;

wait_until {
    $second = $t->client;
    $second->get('/.ready')->{headers}{'x-worker'} == $other;
} or die "no other connection to that worker\n";

put($o, 1);
$second->get('/.ready');
kill 'STOP', $other;
$redis->signal('CONT');

ok(wait_until { stats($d)->{overflow_up} == 1 }, 'nothing waits');
put($d, 2);
is($d->response->{status}, 200, 'a reward is there at once');

kill 'STOP', $drainer;
kill 'CONT', $other;

is($o->response->{status}, 202, 'one that was put before waits');
put($o, 3);
is($o->response->{status}, 202, 'and what comes then, behind it');

kill 'CONT', $drainer;

ok(wait_until { stats($d)->{overflow}{rewards}{pending} == 0 },
   'they are carried out');
is($t->get_json('/rewards?id=1')->{value}, 3, 'the last one is last');

$t->quit;

done_testing();
