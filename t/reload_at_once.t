#!/usr/bin/perl

# Workers that start, at a reload or in place of one that was killed, answer
# at once and exactly: none of them builds a view before it accepts.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Nginx;


my $SANITIZED = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';
my $SIDE = $SANITIZED ? 200 : 550;
my $N = $SIDE * $SIDE;
my $ROUNDS = 4;

my $t = Trove::Nginx->start(workers => 2, http => <<"HTTP", server => <<'END');
    trove hunt { capacity rewards=${\ ($N + 100) }; radius 2 max=1000000;
                 limit 20 max=20; %%SIMD%% }
    client_max_body_size 0;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
END


# a lattice: whoever stands on a point of it has 12 neighbours within 2

sub rewards {
    my @ids = map { $_ * 7919 % $N } 0 .. $N - 1;

    return join '', map { sprintf qq({"id":%d,"x":%d,"y":%d}\n), $_ + 1,
                                  $_ % $SIDE, $_ / $SIDE } @ids;
}


sub around {
    my ($x, $y) = @_;
    my @near;

    for my $dy (-2 .. 2) {
        for my $dx (-2 .. 2) {
            push @near, [$dx * $dx + $dy * $dy,
                         ($y + $dy) * $SIDE + $x + $dx + 1]
                if $dx * $dx + $dy * $dy <= 4;
        }
    }

    return map { $_->[1] } sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] }
                           @near;
}


# polls until it is told to end; a connection may break, an answer not be wrong

sub polls {
    my $ends = shift;
    my (@wrong, %by);
    my ($n, $lost) = (0, 0);

    until ($ends->()) {
        my ($x, $y) = map { 2 + int rand($SIDE - 4) } 1 .. 2;
        my $res = eval { $t->get("/poll?x=$x&y=$y") };

        if (!$res || !$res->{status}) {
            $lost++;
            next;
        }

        $n++;
        $by{ $res->{headers}{'x-worker'} }++;

        push @wrong, "$x $y: $res->{status} $res->{body}"
            if $res->{status} != 200
               || $res->{json}{found} != 13
               || "@{ $res->{json}{rewards} }" ne join ' ', around($x, $y);
    }

    return { n => $n, lost => $lost, wrong => \@wrong, by => \%by };
}


# starts of workers so far, by where they had their view from

sub starts {
    my $log = $t->log;
    my $kept = () = $log =~ /view of trove "hunt" is the one kept/g;
    my $built = () = $log =~ /view of trove "hunt" was built at start/g;

    return "$kept kept, $built built";
}


sub stats { return $t->get_json('/stats')->{troves}{hunt} }


is(keys %{ $t->clients }, 2, 'all workers have started');
is(stats()->{snapshot_bytes}, 0, 'there is no snapshot of nothing');
is($t->post('/rewards', rewards(),
            { 'Content-Type' => 'application/x-ndjson' })->{json}{accepted},
   $N, 'rewards');

# it lacks as many as have room beside it

my $bytes;

ok(wait_until {
       my $s = stats();

       $bytes = $s->{snapshot_bytes};
       $s->{view_version} == $N && $bytes > 32 * $N;
   }, 'there is a snapshot of most of them');
cmp_ok($bytes, '<', 2 * 50 * $N, 'no larger than two views');
is(starts(), '0 kept, 0 built', 'the first workers had no rewards to see');

my $poller = Trove::Load->start(\&polls);
my $kept = 0;

for my $round (1 .. $ROUNDS) {
    my $write = sub {
        return $t->post('/rewards', qq({"id":${\ ($N + $round) },"x":$_[0],)
                                    . '"y":-500}')->{json}{version};
    };

    my $version = $write->(1000 * $round);

    ok($t->hup, 'a reload');

    my $res = $t->get_json('/poll?x=' . 1000 * $round . '&y=-500');

    cmp_ok($res->{version}, '>=', $version, 'is answered of the last write');
    is("@{ $res->{rewards} }", $N + $round, 'as it was made');
    is(starts(), ($kept += 2) . ' kept, 0 built', 'by views that were kept');

    $version = $write->(500);

    my ($worker) = $t->workers;

    $t->kill_worker($worker);
    ok($t->wait_log(qr/(?:view of trove "hunt".*?){${\ ++$kept }}/s),
       'one worker is killed');
    is(starts(), "$kept kept, 0 built", 'another takes its place');

    for my $c (values %{ $t->clients }) {
        $res = $c->get('/poll?x=500&y=-500')->{json};
        cmp_ok($res->{version}, '>=', $version, 'all know of the last write');
        is($res->{found}, $round, 'as it was made');
    }
}

my $polled = $poller->finish;

note "$polled->{n} polls, $polled->{lost} lost";

is_deeply($polled->{wrong}, [], 'every poll was answered exactly');
cmp_ok($polled->{n}, '>', 50, 'of many');
cmp_ok(keys %{ $polled->{by} }, '>', $ROUNDS, 'by many workers');

# nor does a whole other set of rewards leave old ones

my $moved = $t->post('/rewards',
                     join('', map { qq({"id":$_,"x":-7000,"y":$_}\n) } 1 .. $N),
                     { 'Content-Type' => 'application/x-ndjson' })
              ->{json}{version};

ok($t->hup(gone => 1), 'a reload when all rewards have moved');

# so many that a view catches up by and by, and says how far it is

for my $c (values %{ $t->clients }) {
    ok(wait_until { $c->get('/poll?x=50&y=50')->{json}{version} >= $moved },
       'a worker knows of it');
    is($c->get('/poll?x=50&y=50')->{json}{found}, 0, 'none is where it was');
    is($c->get('/poll?x=-7000&y=50')->{json}{found}, 5,
       'all are where they are');
}

is(starts(), ($kept += 2) . ' kept, 0 built', 'by views that were kept');

done_testing;
