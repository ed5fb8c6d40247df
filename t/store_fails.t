#!/usr/bin/perl

# A store that is held by another program, or has no room, or hangs: polls go
# on, writes are refused if they are to be durable and kept if not, counters
# tell, and all is well when the store is.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $t = Trove::Nginx->start(workers => 4, http => <<'HTTP',
    trove hunt {
        capacity rewards=1k players=1k;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit timeout=500ms;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    trove fast {
        capacity rewards=1k players=1k;
        store    sqlite:%%DIR%%/fast.db;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    server => play_endpoints('hunt') . <<'SERVER');
        location = /fast { trove_tap fast; }
SERVER

my $db = $t->dir . '/hunt.db';
my $c = $t->client;

sub of {
    my ($trove, $what) = @_;

    return $t->get_json('/stats')->{troves}{$trove}{"store_$what"};
}

sub tap { return $c->request(tap_of($_[0]))->{status} }
sub fast { return $c->request('POST', '/fast', {},
                              '{"player":"p"}')->{status} }

sub polls_well {
    my $slowest = 0;

    for (1 .. 100) {
        my $start = time;
        $t->get_json('/poll?x=0&y=0')->{version} // die 'no poll';
        my $took = time - $start;
        $slowest = $took if $took > $slowest;
    }

    return $slowest < 0.4;
}

is(tap('a'), 200, 'a write');


# Held: the first wait, the others are told at once

for my $trove (qw(hunt fast)) {
    my $holder = hold_store($t->dir . "/$trove.db");

    if ($trove eq 'hunt') {
        my $start = time;
        my $res = $c->request(tap_of('a'));

        is($res->{status}, 503, 'one that is not stored');
        is($res->{headers}{'retry-after'}, 1, 'is to come again');
        like($res->{json}{detail}, qr/^the store has not taken/, 'and why');
        cmp_ok(time - $start, '>', 0.4, 'after its time');

        $start = time;
        is(tap('a'), 503, 'the next one');
        cmp_ok(time - $start, '<', 0.4, 'at once');
        is($c->request(batch_of('/tap', { player => 'a' }))->{body},
           '{"error":"the store does not take writes at present","line":1}'
           . "\n", 'and lines');
        is($c->request('POST', '/rewards', {}, '{"id":1,"x":0,"y":0}')
             ->{status}, 503, 'and rewards');
        is($c->request('DELETE', '/rewards?id=1')->{status}, 503,
           'and removals');
        cmp_ok(of('hunt', 'ack_timeouts'), '>=', 1, 'waits counted');
        cmp_ok(of('hunt', 'refused'), '>=', 4, 'refusals counted');

    } else {
        is(fast(), 200, 'ack memory goes on');
    }

    ok(polls_well(), 'polls do');
    ok(wait_until { of($trove, 'busy') && of($trove, 'failing') },
       'the failure is counted');

    is(fast(), 200, 'ack memory goes on') if $trove eq 'fast';
    like(of($trove, 'lag'), qr/^\d+\.\d/, 'a lag');

    let_store_go($holder);
    ok(wait_until { !of($trove, 'failing') }, 'it is well again');
}

ok(wait_until { tap('a') == 200 }, 'writes are, too');
like($t->log, qr/the store of trove "hunt" fails \(busy\).*database is locked/,
     'said');
like($t->log, qr/the store of trove "hunt" takes writes again/, 'and so');


# No room: no file of a worker may grow

my ($before) = row($db, 'balance', "FROM players WHERE player='a'");

sub limit { system('prlimit', "--fsize=$_[0]:", '--pid', $_) for $t->workers }

limit(-s "$db-wal");
ok(wait_until { tap('a') == 503 }, 'no room');
ok(wait_until { of('hunt', 'io') + of('hunt', 'full') }, 'counted');
ok(polls_well(), 'polls go on');
is(fast(), 200, 'ack memory, too');
limit('unlimited');
ok(wait_until { tap('a') == 200 }, 'writes again');
cmp_ok((row($db, 'balance', "FROM players WHERE player='a'"))[0], '>', $before,
       'stored');


# An exit while it is held: nginx ends all the same, and nothing is lost.  A
# thread that still waits when the worker must end is left behind.

sub exit_held {
    my ($how, $end, $seconds) = @_;
    my $holder = hold_store($t->dir . '/fast.db');
    my $start;
    my $balance;

    $balance = $c->request('POST', '/fast', {}, '{"player":"p"}')
               ->{json}{balance} for 1 .. 3;

    $start = time;
    $end->();
    ok(wait_until { $t->ended }, "$how: it ends");
    cmp_ok(time - $start, '<', $seconds, 'in time');
    let_store_go($holder);

    $t->again;
    $c = $t->client;
    is($c->request('GET', '/fast?player=p')->{json}{balance}, $balance,
       'nothing was lost');
    is(fast(), 200, 'another write');
    is($c->request('GET', '/fast?player=p')->{json}{balance}, $balance + 1,
       'is one more');
    ok(wait_until { (row($t->dir . '/fast.db', 'balance', 'FROM players'))[0]
                    == $balance + 1 }, 'all of it is stored');
}

exit_held('QUIT', sub { $t->signal('QUIT') }, 12);
exit_held('TERM', sub { $t->signal('TERM') }, 3);
like($t->log, qr{store of trove "fast" hangs, .* in "\S+/fast\.db-ledger"},
     'which is said');

done_testing();
