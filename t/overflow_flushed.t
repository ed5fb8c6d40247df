#!/usr/bin/perl

# Redis loses all it had, and loses it again: whoever makes the queues anew,
# they are others than before, what was lost is counted, and what came since is
# carried out.

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
my $t = Trove::Nginx->start(workers => 1, http => <<"HTTP",
    trove hunt {
        capacity rewards=1;
        overflow $url;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my $id = 0;

sub put {
    return $t->post('/rewards', '{"id":' . ++$id . ',"x":1,"y":1}')->{status};
}

sub figures {
    my $s = $t->get_json('/stats')->{troves}{hunt};

    return "$s->{overflow}{rewards}{pending} wait, "
           . "$s->{overflow_lost} are lost";
}

sub becomes {
    my ($is, $name) = @_;

    wait_until { figures() eq $is };
    is(figures(), $is, $name);
}

ok(wait_until { $t->get_json('/stats')->{troves}{hunt}{overflow_up} == 1 },
   'the queues are looked after');
is(put(), 200, 'there is room for one');
is(put(), 202, 'and not for others') for 1 .. 5;
becomes('5 wait, 0 are lost', 'these wait');

for my $round (0 .. 3) {
    $redis->command('FLUSHALL');
    is(put(), 202, 'one more') for 1 .. 2;
    becomes('2 wait, ' . (5 + 2 * $round) . ' are lost', 'these are others');
}

is($t->request('DELETE', "/rewards?id=1")->{status}, 200, 'there is room');
becomes('1 wait, 11 are lost', 'for one of those that wait');
ok(wait_until { ($t->get_json('/poll?x=1&y=1')->{rewards}[0] // 0) == $id - 1 },
   'the next one');

$t->quit;

done_testing();
