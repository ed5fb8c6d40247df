#!/usr/bin/perl

# The store's writer is stopped: nobody can take over from one that lives, but
# the others tell it, refuse what is to be durable at once, and go on with all
# else; nothing is lost when it goes on, or is killed.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


my $t = Trove::Nginx->start(workers => 3, listen => 'reuseport',
                            http => <<'HTTP',
    trove hunt {
        capacity rewards=1k players=1k;
        store    sqlite:%%DIR%%/hunt.db;
        ack      commit timeout=2s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    server => play_endpoints('hunt'));

my $db = $t->dir . '/hunt.db';
my $taps = 0;


sub writer {
    return grep {
        my $pid = $_;
        grep { (readlink $_ // '') eq "$db-wal" } glob "/proc/$pid/fd/*";
    } $t->workers;
}

sub tap {
    my $status = $_[0]->request(tap_of('a'))->{status};

    $taps++ if $status == 200;

    return $status;
}

sub of { return $_[0]->get('/stats')->{json}{troves}{hunt}{"store_$_[1]"} }


for my $end ('CONT', 'KILL') {
    my $c = $t->clients;

    is(tap($_), 200, 'a write') for values %$c;

    my ($writer) = wait_until { (writer())[0] };
    my ($one, $two) = map { $c->{$_} } grep { $_ != $writer } keys %$c;
    my $hangs = of($one, 'hangs');
    my $log = length $t->log;

    kill 'STOP', $writer;

    # it was carried out, and may be asked for again with a seq

    my $start = time;
    is(tap($one), 503, 'one waits in vain');
    $taps++;
    cmp_ok(time - $start, '>', 1.8, 'for its time');

    $start = time;
    is(tap($two), 503, 'others are told');
    cmp_ok(time - $start, '<', 1, 'at once');

    is($one->get('/poll?x=0&y=0')->{status}, 200, 'polls go on');
    is(of($one, 'failing'), 1, 'it is shown');
    is(of($one, 'hangs'), $hangs + 1, 'counted once');
    cmp_ok(of($one, 'lag'), '>', 1.7, 'and for how long');

    my @said = substr($t->log, $log) =~ /\[error\].*/g;

    is(@said, 1, 'said once');
    like($said[0],
         qr/"hunt" has taken nothing for 2000 ms: process $writer, which/,
         'with who it is');

    if ($end eq 'CONT') {
        kill 'CONT', $writer;

    } else {
        $t->kill_worker($writer);
    }

    ok(wait_until { of($one, 'failing') == 0 }, "SIG$end: it is well again");
    is(tap($one), 200, 'writes are');
    ok(wait_until { substr($t->log, $log) =~ /hunt" takes writes again/ },
       'which is said');
    is((row($db, 'balance', 'FROM players'))[0], $taps, 'nothing was lost');
}

done_testing();
