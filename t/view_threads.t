#!/usr/bin/perl

# Views are built in threads that end with them: however many were built, a
# worker has no more threads and no more memory than after the first ones.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $SANITIZED = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    keepalive_requests 1000000;
    trove hunt  { capacity rewards=20k; epoch 2ms; %%SIMD%% }
    trove other { capacity rewards=20k; epoch 2ms; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /hunt    { trove_rewards hunt; }
    location = /other   { trove_rewards other; }
    location = /stats   { trove_stats; }
SERVER

my ($pid) = $t->workers;
my $c = $t->client;


sub threads { return scalar(() = glob "/proc/$pid/task/*") }


sub builds { return $c->get('/stats')->{json}{troves}{$_[0]}{view_builds} }


sub anonymous {
    open my $f, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!\n";

    return (map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$f>)[0];
}


# moves all rewards of both, until that has worn out their views

my $moves = 0;

sub move {
    my ($trove, $until) = @_;

    return wait_until {
        $moves++;
        $c->request('POST', "/$trove",
                    { 'Content-Type' => 'application/x-ndjson' },
                    join '', map { sprintf qq({"id":%d,"x":%d,"y":%d}\n), $_,
                                           ($_ + $moves * 77) % 997, $moves }
                             1 .. 6000);
        $c->get('/poll?x=1&y=1');
        builds($trove) >= $until;
    } 60;
}


is(threads(), 1, 'a worker begins with no thread but its own');

ok(move($_, 6), "the views of $_ are built") for 'hunt', 'other';
ok(wait_until { $c->get('/poll?x=1&y=1'); threads() == 1 },
   'their threads have ended');

my $before = anonymous();

ok(move($_, 40), "and again, of $_") for 'hunt', 'other';
ok(wait_until { $c->get('/poll?x=1&y=1'); threads() == 1 },
   'all of them have');

SKIP: {
    skip 'AddressSanitizer has memory of its own', 1 if $SANITIZED;

    # What changes have left unsorted is given back, too.  A thread that left
    # anything would leave 64 KB of it, and there were dozens.

    ok(wait_until {
           $c->get('/poll?x=1&y=1');
           anonymous() < $before + 1024
       }, 'and left nothing behind')
        or diag "$before KB, then " . anonymous();
}

done_testing;
