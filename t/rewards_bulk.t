#!/usr/bin/perl

# A bulk load stalls no poll, whichever worker is asked: each is answered
# while views are built anew, and when they are, all workers find everything.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Nginx;


my $SANITIZED = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';
my $N = $SANITIZED ? 50_000 : 300_000;

my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        capacity rewards=300k;
        radius   100 max=1000000;
        %%SIMD%%
    }
    client_max_body_size 0;
    keepalive_requests 1000000;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER


# all rewards, one at each point of a grid, in no order

sub rewards {
    my $value = shift;
    my @lines;

    for my $i (1 .. $N) {
        my $id = $i * 7919 % $N + 1;

        push @lines, sprintf qq({"id":%d,"x":%d,"y":%d,"value":%d}\n),
                             $id, $id % 1000, int($id / 1000), $value;
    }

    return @lines;
}


# polls all workers in turn until it is ended, and says how that was

sub polls {
    my $ends = shift;
    my %did = (polls => 0, failed => 0, back => 0, slowest => 0);
    my ($of, %version) = $t->clients;

    until ($ends->()) {
        for my $pid (keys %$of) {
            my $start = time;
            my $x = int rand 1000;
            my $res = $of->{$pid}->get("/poll?x=$x&y=10&r=3");
            my $took = time - $start;

            $did{polls}++;
            $did{failed}++ if $res->{status} != 200
                              || $res->{json}{found} > 29
                              || @{ $res->{json}{rewards} } > 3;
            $did{back}++ if $res->{json}{version} < ($version{$pid} // 0);
            $did{slowest} = $took if $took > $did{slowest};

            $version{$pid} = $res->{json}{version};
        }
    }

    return \%did;
}


sub stats { return $t->get_json('/stats')->{troves}{hunt} }


sub load {
    my ($how, $body) = @_;
    my $load = Trove::Load->start(\&polls);
    my $res = $t->post('/rewards', $body,
                       { 'Content-Type' => 'application/x-ndjson' });

    is($res->{status}, 200, "$how: it is taken");
    is_deeply($res->{json}{errors}, [], 'without an error');
    is($res->{json}{accepted}, $N, 'all of it');

    $t->wait_version('/poll?x=0&y=0', $res->{json}{version});

    my $did = $load->finish;

    note "$did->{polls} polls, the slowest took $did->{slowest} s";

    cmp_ok($did->{polls}, '>', 10, 'polls were answered meanwhile');
    is($did->{failed}, 0, 'as they should be');
    is($did->{back}, 0, 'never with less than before');
    cmp_ok($did->{slowest}, '<', $SANITIZED ? 5 : 1, 'and at once');

    found_by_all($res->{json}{version});
}


sub found_by_all {
    my $version = shift;
    my $of = $t->clients;

    for my $pid (keys %$of) {
        my $all = $of->{$pid}->get('/poll?x=500&y=150&r=1000000')->{json};

        is_deeply([ @$all{qw(found version)} ], [$N, $version],
                  'a worker finds everything');

        my $wrong = 0;

        for (1 .. 300) {
            my $id = 1 + int rand $N;
            my ($x, $y) = ($id % 1000, int $id / 1000);
            my $res = $of->{$pid}->get("/poll?x=$x&y=$y&r=0.4")->{json};

            $wrong++ if "$res->{found} @{ $res->{rewards} }" ne "1 $id";
        }

        is($wrong, 0, 'and each where it is');
    }
}


my %before = map { $_ => $t->resident($_) } keys %{ $t->clients };

load('at once', join '', rewards(1));

my $stats = stats();

cmp_ok($stats->{view_builds}, '>=', 2, 'the views were built anew');
is($stats->{view_build_failures}, 0, 'each time');
is($stats->{rewards}, $N, 'the ledger has them');

my @lines = rewards(2);

load('in chunks', [ map { join '', splice @lines, 0, 997 } 0 .. $N / 997 ]);

# the ledger is shared and mapped once; a view may be there twice

for my $pid (keys %before) {
    my $grown = $t->resident($pid) - $before{$pid};
    my $most = $N * (64 + 2 * 48 * 1.5) + 8e6;

    SKIP: {
        skip 'AddressSanitizer keeps what was freed', 1 if $SANITIZED;
        cmp_ok($grown, '<', $most, "$pid has grown by no more than that");
    }
}

my %loaded = map { $_ => $t->resident($_) } keys %before;

@lines = rewards(3);
load('in large chunks', [ map { join '', splice @lines, 0, 10007 }
                          0 .. $N / 10007 ]);

SKIP: {
    skip 'AddressSanitizer keeps what was freed', 2 if $SANITIZED;

    cmp_ok($t->resident($_) - $loaded{$_}, '<', $N * 48, "$_ grows no more")
        for keys %loaded;
}

done_testing;
