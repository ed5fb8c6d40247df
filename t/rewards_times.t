#!/usr/bin/perl

# A reward is live from "starts" until before "expires", and while its stock
# lasts; time does that alone, no write is needed.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes ();

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { limit 10; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
SERVER


# time() itself may be a tick late

sub now { return int Time::HiRes::time() }


sub poll { return $t->get_json('/poll?x=0&y=0') }


# whether the reward is shown, and the second that this is the answer of

sub shown {
    my $id = shift;
    my ($before, $res, $after);

    do {
        $before = now();
        $res = poll();
        $after = now();
    } while ($before != $after);

    return (scalar(grep { $_ == $id } @{ $res->{rewards} }), $before);
}


my $now = now();
my ($starts, $expires) = ($now + 2, $now + 4);

my $res = $t->post('/rewards', ndjson(
    { id => 1, x => 0, y => 0, starts => $starts },
    { id => 2, x => 1, y => 0, expires => $starts },
    { id => 3, x => 2, y => 0, starts => $starts, expires => $expires },
    { id => 4, x => 3, y => 0, starts => $now - 100, expires => $now + 1000 },
    { id => 5, x => 4, y => 0, starts => $now - 100, expires => $now - 50 },
    { id => 6, x => 5, y => 0, starts => $now + 900, expires => $now + 1000 },
    { id => 7, x => 6, y => 0, stock => 0 },
    { id => 8, x => 7, y => 0, stock => 4294967295 },
    { id => 9, x => 8, y => 0, starts => 4294967294, expires => 4294967295 },
    { id => 10, x => 9, y => 0, expires => 4294967295 },
    { id => 11, x => 10, y => 0, starts => 1, expires => 4294967295 }));

is($res->{json}{accepted}, 11, 'rewards of all times');

my %live = (1 => [$starts, 1e10], 2 => [0, $starts], 3 => [$starts, $expires]);
my ($wrong, %seen) = (0);

# nginx's clock stands where the last turn of its event loop has set it: a
# poll is answered for the second before if that has just ended

wait_until {
    my $end = 1;

    for my $id (sort keys %live) {
        my ($is, $at) = shown($id);
        my ($from, $to) = @{ $live{$id} };

        $wrong++ if $is && ($at < $from || $at - 1 >= $to)
                    || !$is && $at - 1 >= $from && $at < $to;

        $seen{$id}{$is} = 1;
        $end &&= $at > $expires;
    }

    return $end;
} 30;

is($wrong, 0, 'each is shown in its time and not out of it');
is_deeply(\%seen, { 1 => { 0 => 1, 1 => 1 }, 2 => { 0 => 1, 1 => 1 },
                    3 => { 0 => 1, 1 => 1 } }, 'which all came and went');

$res = poll();

is_deeply($res->{rewards}, [1, 4, 8, 10, 11], 'the others are as they were');
is($res->{found}, 5, 'and counted alike');
is($res->{version}, 11, 'without a write');

# a write can do it as well

is($t->post('/rewards', '{"id":7,"x":6,"y":0,"stock":1}')->{status}, 200,
   'there is stock again');
is($t->post('/rewards', '{"id":8,"x":7,"y":0,"stock":0}')->{status}, 200,
   'and none any more');
is_deeply(poll()->{rewards}, [1, 4, 7, 10, 11], 'which is seen');

# what is not live is there all the same

is($t->get('/rewards?id=5')->{json}{expires}, $now - 50,
   'what is over can be read');
is(scalar @{ $t->get('/rewards')->{lines} }, 11, 'and is exported');

done_testing;
