#!/usr/bin/perl

# An epoch that needs more than the arena: polls are refused and counted until
# the epoch turns, and then answered again.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Poll;


my $locations = endpoints('hunt') . endpoints('batch', '/batch')
                . endpoints('short', '/short') . <<'SERVER';
        add_header X-Status $trove_status always;

        location = /turn { trove_stats write=on; }
SERVER

my $t = Trove::Nginx->start(http => <<'HTTP', server => $locations);
    trove hunt { arena 8k; epoch 1h; limit 3 max=64; %%SIMD%% }
    trove batch { arena 64k; epoch 1h; limit 3 max=64; %%SIMD%% }
    trove short { arena 8k; epoch 20ms; limit 3 max=64; %%SIMD%% }
HTTP

my $c = $t->client;
my $used_up = qr/^the arena of this epoch is used up$/;
my $wide = '{"x":0,"y":0,"limit":64}';

sub turn { $t->request('POST', "/turn?cycle=$_[0]") }
sub counted { return figure($t, $_[0], '/stats', 'arena_exhausted') }


sub exhaust {
    my $res;

    # 64 of them are of 32 bytes each

    for my $n (0 .. 4) {
        $res = $c->get('/poll?x=0&y=0&limit=64');
        return ($n, $res) if $res->{status} != 200;
    }
}

my ($n, $res) = exhaust();

is($n, 4, 'so many polls have room in an epoch, and no more');
is_problem($res, 503, $used_up, 'the next is refused');
like($res->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'and may be retried');
is($res->{headers}{'x-status'}, 'EXHAUSTED', 'and so says the variable');

is_problem($c->request('POST', '/poll', {}, $wide), 503, $used_up,
           'one in JSON is refused as well');
is_problem($c->get('/poll?x=%30&y=0&limit=64'), 503, $used_up,
           'and one in arguments');
is(counted('hunt'), 3, 'they are counted');

is_deeply($c->request(batch("$wide\nx\n$wide\n"))->{lines},
          [ map {; { error => 'the arena of this epoch is used up',
                     line => $_ } } 1 .. 3 ],
          'each line of a batch is refused in its place');
is(counted('hunt'), 6, 'and counted');

ok(answered($t->client, '/batch/poll?x=0&y=0'),
   'another trove has an arena of its own');

for my $round (1 .. 3) {
    turn('hunt');

    ($n, $res) = exhaust();

    is($n, 4, 'when the epoch has turned they have room again');
}

is(counted('hunt'), 9, 'the counter goes on');

like($t->get('/stats?format=prometheus')->{body},
     qr/^trove_arena_exhausted_total\{trove="hunt"\} 9$/m,
     'under the name that the contract gives it');

# an object that the arena cannot take harms nobody either

turn('hunt');

my $escaped = '"' . '\\u0061' x 8000 . '"';

is_problem($c->request('POST', '/poll', {}, qq({"x":0,"y":0,"a":$escaped})),
           503, $used_up, 'an object larger than the arena');
turn('hunt');
ok(answered($c), 'is gone with its epoch');

# a batch is no longer because its lines are many

my $lines = 20000;

$res = $c->request(batch("$wide\n" x $lines, '/batch/poll'));

is($res->{status}, 200, 'a batch of many times the arena in one epoch');
is(scalar(grep { $_ eq '{"found":0,"rewards":[]}' } @{ lines_of($res) }),
   $lines, 'is answered, line by line');
is(counted('batch'), 0, 'and not refused');

# nor because each comes in a turn of its own

my $slow = $t->client;
my $piece = "$wide\n";

$slow->send_request(batch(undef, '/batch/poll',
                          { 'Content-Length' => 300 * length $piece }));

my $had = grep { $slow->send($piece);
                 ($slow->take(qr/\}\n/) // '') =~ /"rewards":\[\]\}\n$/ }
          1 .. 300;

is($had, 300, 'line by line, each is answered');
is(counted('batch'), 0, 'from an arena that has no room for so many parsers');

# the epoch that turns by itself: pipelined polls fill it now and then

my $refused = wait_until {
    grep { $_->{status} == 503 }
         $c->pipeline((['GET', '/short/poll?x=0&y=0&limit=64']) x 64);
};

ok($refused, 'an epoch of 20 ms is used up');
ok(wait_until { answered($c, '/short/poll?x=0&y=0&limit=64') },
   'and turns by itself');
cmp_ok(counted('short'), '>=', $refused, 'counted');

done_testing;
