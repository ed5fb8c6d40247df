#!/usr/bin/perl

# A reload keeps every reward, the version and the counters, whatever else of
# a trove it changes; troves can come and go.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


sub hunt {
    my $with = shift;

    return "trove hunt { capacity rewards=20k; $with %%SIMD%% }";
}


my $server = <<'SERVER';
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER

my $t = Trove::Nginx->start(workers => 2, http => hunt(''),
                            server => $server);


sub export { return $t->get('/rewards')->{body} }


sub stats { return $t->get_json('/stats')->{troves}{hunt} }


# counters of the stats by their name

sub counters {
    my $s = stats();
    my %of = map { $_ => $s->{$_} }
             qw(poll_scanned poll_found rewards_accepted rewards_rejected
                rewards_removed epoch_turns view_changes);

    for my $e (qw(poll rewards stats)) {
        my $requests = $s->{endpoints}{$e}{requests};

        $of{"$e $_"} = $requests->{$_} for keys %$requests;
        $of{"$e $_"} = $s->{latency}{$e}{$_} for qw(count sum max);
    }

    return \%of;
}


sub gone_back {
    my ($before, $after) = @_;

    return grep { $after->{$_} < $before->{$_} } keys %$before;
}


is($t->load('/rewards', '/poll?x=0&y=0',
            map { { id => $_ * 3, x => $_, y => $_ / 7, value => $_,
                    level => $_ % 5, stock => $_ } } 1 .. 5000)
     ->{json}{accepted}, 5000, 'rewards');

$t->request('DELETE', "/rewards?id=$_") for 3, 300, 15000;
$t->get("/poll?x=$_&y=" . $_ / 7 . '&r=50&level=4') for 1 .. 20;
$t->get('/poll?x=a');

my $before = export();
my $counters = counters();
my $polled = $t->get('/poll?x=50&y=7&r=60&level=9&detail=1')->{body};

like($polled, qr/^\{"version":5003,"found":\d+,"rewards":\[\{/,
     'are polled at a version');

for (1 .. 3) {
    ok($t->hup, 'a reload');
    is($t->get('/poll?x=50&y=7&r=60&level=9&detail=1')->{body}, $polled,
       'polls have the same answers');
    is(export(), $before, 'each reward is as it was');

    my $now = counters();

    is_deeply([ gone_back($counters, $now) ], [], 'no counter went back');
    is($now->{'poll 400'}, 1, 'nor is anything counted again');

    $counters = $now;
}

is($t->request('DELETE', '/rewards?id=6')->{json}{version}, 5004,
   'the next write has the next version');
is($t->post('/rewards', '{"id":6,"x":2,"y":0}')->{json}{version}, 5005,
   'and so on');

# what may be changed

my $within_7 = grep { ($_ - 1000)**2 + ($_ / 7 - 142)**2 <= 49 } 990 .. 1010;

$before = export();

for my $with ('radius 7 max=70; limit 5 max=9;', 'epoch 5ms;', 'epoch 1h;',
              'arena 64k;', 'arena 40m;', 'large_pages off;',
              $ENV{TROVE_TEST_SIMD} ? () : 'simd scalar;', '')
{
    $t->configure(http => hunt($with));

    ok($t->hup(gone => 1), "a reload with \"$with\"");
    is(export(), $before, 'keeps the rewards');

    my $poll = $t->get_json('/poll?x=1000&y=142&level=9');

    if ($with =~ /radius/) {
        is(@{ $poll->{rewards} }, 5, 'polls have the new limit');
        is($poll->{found}, $within_7, 'and the new radius');
        is($t->get('/poll?x=1&y=1&r=71')->{status}, 400, 'and its maximum');

    } else {
        is(@{ $poll->{rewards} }, 3, 'polls list as many as before');
        is($poll->{version}, 5005, 'of the same version');
    }
}

is(stats()->{arena_size}, 2 * 16 * 1048576, 'the arenas are as large again');
is(stats()->{workers_alive}, 2, 'no old worker is counted');

# more and fewer workers

for my $workers (4, 1) {
    $t->configure(workers => $workers);

    ok($t->hup(gone => 1), "a reload to $workers workers");
    is(export(), $before, 'keeps the rewards');
    is(stats()->{workers_alive}, $workers, 'they are counted');
}

# troves that come and go

my $more = <<'SERVER';
    location = /other         { trove_rewards other; }
    location = /other/poll    { trove_poll    other; }
SERVER

$t->configure(http => 'trove other { epoch 1s; %%SIMD%% }' . hunt(''),
              server => $server . $more);

ok($t->hup(gone => 1), 'a trove is added');
is(export(), $before, 'the other one keeps its rewards');
is($t->get('/other')->{body}, '', 'the new one is empty');
is($t->post('/other', '{"id":1,"x":1,"y":1}')->{json}{version}, 1,
   'and starts at version 1');
is($t->get_json('/other/poll?x=1&y=1')->{found}, 1, 'and is polled');
is(stats()->{rewards}, 4997, 'each has its figures');

$t->configure(http => hunt(''), server => $server);

ok($t->hup(gone => 1), 'it is removed');
is(export(), $before, 'the other one keeps its rewards');
is($t->get('/other')->{status}, 404, 'the one that is gone has none');
is_deeply([ keys %{ $t->get_json('/stats')->{troves} } ], ['hunt'],
          'nor figures');

$t->configure(http => 'trove other { capacity rewards=7; %%SIMD%% }'
                      . hunt(''), server => $server . $more);

ok($t->hup(gone => 1), 'it comes again, of another capacity');
is($t->get('/other')->{body}, '', 'and is empty');
is(export(), $before, 'the other one keeps its rewards');

is_deeply([ gone_back($counters, counters()) ], [],
          'after all that no counter went back');

done_testing;
