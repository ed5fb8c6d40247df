#!/usr/bin/perl

# POST of "cycle" turns a trove's epoch at once, where "write=on" allows it.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt  { epoch 1h; arena 8k; %%SIMD%% }
    trove other { epoch 1h; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats write=on; }
    location = /off     { trove_stats write=off; }
    location = /plain   { trove_stats; }
SERVER

my $of = $t->clients;
my ($one, $two) = map { $of->{$_} } sort keys %$of;


sub turns {
    return join ' ', map { $_->{epoch_turns} }
           @{ $one->get('/stats')->{json}{troves} }{qw(hunt other)};
}


sub cycle { return $_[0]->request('POST', "/stats?cycle=$_[1]", {}, '') }


is(turns(), '0 0', 'no epoch has turned');

my $res = cycle($one, 'hunt');

is($res->{status}, 200, 'one is turned');
is_deeply($res->{json}, { cycled => 'hunt',
                          worker => $res->{headers}{'x-worker'} + 0 },
          'in the worker that answers');
is(turns(), '1 0', 'once, of this trove only');
is(cycle($one, 'other')->{json}{cycled}, 'other', 'another one');
is(turns(), '1 1', 'is turned, too');
is(cycle($one, 'hunt&a=b')->{status}, 200, 'other arguments do not matter');

# what a turn does: the arena can be used again

my $poll = '/poll?x=%31&y=%32&player=%61';
my $n = 0;

$n++ while $n < 200 && $one->get($poll)->{status} == 200;

is($one->get($poll)->{status}, 503, "an arena is used up after $n polls");
is($one->get($poll)->{headers}{'retry-after'}, 1, 'for a while');
is($two->get($poll)->{status}, 200, 'in this worker only');

cycle($two, 'hunt');
is($one->get($poll)->{status}, 503, 'a turn in another one does not help');

cycle($one, 'hunt');
is($one->get($poll)->{status}, 200, 'one in this does');

# and what others wrote is seen

$two->get('/poll?x=1&y=1');
is($one->request('POST', '/rewards', {}, '{"id":1,"x":1,"y":1}')
       ->{json}{version}, 1, 'a write');
is($two->get('/poll?x=1&y=1')->{json}{version}, 0,
   'is not seen before the epoch turns');
cycle($two, 'hunt');
is($two->get('/poll?x=1&y=1')->{json}{version}, 1, 'and then it is');

# what is wrong

for my $case ([404, 'cycle=none'], [404, 'cycle='], [404, 'cycle=hunt%00'],
              [404, 'cycle=HUNT'], [400, 'cycles=hunt'], [400, ''])
{
    my ($status, $args) = @$case;

    $res = $one->request('POST', "/stats?$args", {}, '');

    is($res->{status}, $status, "POST ?$args: $status");
    like($res->{json}{detail}, qr/^cycle: /, 'and named');
}

my $turns = turns();

for my $path ('/off', '/plain') {
    $res = $one->request('POST', "$path?cycle=hunt", {}, '');

    is($res->{status}, 405, "$path does not allow it");
    is($res->{headers}{allow}, 'GET, HEAD', 'and says what it allows');
    like($res->{json}{detail}, qr/"write=on"/, 'and what it lacks');
}

is($one->get('/stats?cycle=hunt')->{status}, 200, 'GET does not turn');
is($one->request('DELETE', '/stats?cycle=hunt')->{headers}{allow},
   'GET, HEAD, POST', 'nor does DELETE');
is(turns(), $turns, 'no epoch has turned');

# a body is passed over

$res = $one->request('POST', '/stats?cycle=hunt',
                     { 'Content-Type' => 'application/x-ndjson' },
                     "{}\n" x 10_000);

is($res->{status}, 200, 'a body does not matter');
isnt(turns(), $turns, 'to a turn');
is($one->get('/poll?x=1&y=1')->{status}, 200, 'nor to what comes after it');

done_testing;
