#!/usr/bin/perl

# A worker for which nothing happens does nothing: its epoch does not turn.
# What another one writes wakes it, and its view is there before it is asked.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


# requests of stats are on the record of the first trove, and keep that awake

my $t = Trove::Nginx->start(workers => 3, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove clock { epoch 5ms;  %%SIMD%% }
    trove hunt  { epoch 20ms; %%SIMD%% }
    trove still { epoch 20ms; %%SIMD%% }
    keepalive_requests 1000000;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER

my $of = $t->clients;
my ($writer, $asked, $idle) = sort { $a <=> $b } keys %$of;


sub stats { return $of->{$asked}->get('/stats')->{json}{troves} }


# waits until the trove "clock" has turned so often, and returns how often the
# others did meanwhile

sub turns_in {
    my $n = shift;
    my $before = stats();
    my $after;

    wait_until {
        $after = stats();
        $after->{clock}{epoch_turns} >= $before->{clock}{epoch_turns} + $n
    } or die "the clock stands still\n";

    return join ' ', map { $after->{$_}{epoch_turns}
                           - $before->{$_}{epoch_turns} } qw(hunt still);
}


is(turns_in(60), '0 0', 'without requests no epoch turns');

# one write, and each worker turns once or twice

my $version = $of->{$writer}->request('POST', '/rewards', {},
                                      '{"id":1,"x":1,"y":1}')->{json}{version};

is($version, 1, 'a write in one worker');
ok(wait_until { stats()->{hunt}{view_version} == 1 },
   'all views come to it, of workers that were not asked, too');

# the timers end within some epochs

ok(wait_until { turns_in(20) eq '0 0' }, 'then they stand still again');

my $turns = stats()->{hunt}{epoch_turns};

cmp_ok($turns, '>=', 3, 'each has turned');
cmp_ok($turns, '<=', 9, 'and not for long');
is(stats()->{still}{epoch_turns}, 0, 'those of another trove have not');

# without a poll there was no reason to look: none did

is(stats()->{hunt}{latency}{poll}{count}, 0, 'no poll was needed');
is($of->{$idle}->get('/poll?x=1&y=1')->{json}{version}, 1,
   'the first one shows it');

# a thousand writes one after another

for my $id (1 .. 1000) {
    $of->{$writer}->request('POST', '/rewards', {},
                            qq({"id":$id,"x":1,"y":1}))->{status} == 200
        or die "not written\n";
}

ok(wait_until { stats()->{hunt}{view_version} == 1001 },
   'after a thousand writes all views are there');
is($of->{$idle}->get('/poll?x=1&y=1')->{json}{found}, 1000,
   'with all rewards');
ok(wait_until { turns_in(20) eq '0 0' }, 'and the workers are still');

# after a reload the new ones are woken by the same

ok($t->hup(gone => 1), 'a reload');

$of = $t->clients;
($writer, $asked, $idle) = sort { $a <=> $b } keys %$of;

ok(wait_until { turns_in(20) eq '0 0' }, 'its workers are still');

$of->{$idle}->request('DELETE', '/rewards?id=1');

ok(wait_until { stats()->{hunt}{view_version} == 1002 },
   'and are woken by a write');

# a worker that is killed does not take that with it

$t->kill_worker($writer);
$of->{$idle}->request('DELETE', '/rewards?id=2');

ok(wait_until { stats()->{hunt}{workers_alive} == 3
                && stats()->{hunt}{view_version} == 1003 },
   'nor is the one that takes another\'s place left out');

$t->stop;

# who is woken looks at once: an epoch after the write, and not another one
# after that, all know of it

$t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                         http => <<'HTTP', server => <<'SERVER');
    trove clock { %%SIMD%% }
    trove hunt  { epoch 1h; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats write=on; }
SERVER

$of = $t->clients;
($asked, $idle) = sort keys %$of;

is($of->{$asked}->request('POST', '/rewards', {}, '{"id":1,"x":1,"y":1}')
       ->{json}{version}, 1, 'a write');
is(stats()->{hunt}{view_version}, 0, 'is not known to all yet');
is($of->{$asked}->request('POST', '/stats?cycle=hunt', {}, '')->{status}, 200,
   'the epoch turns where it was made');
ok(wait_until { stats()->{hunt}{view_version} == 1 }, 'now it is');
is($of->{$idle}->get('/poll?x=1&y=1')->{json}{found}, 1, 'and shown');

done_testing;
