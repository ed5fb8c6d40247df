#!/usr/bin/perl

# All workers agree: at the same version the same poll has the same answer to
# the byte, whichever worker wrote and in whatever state its view is.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        capacity rewards=30k;
        space    earth;
        radius   100000 max=30000000;
        limit    10 max=100;
        %%SIMD%%
    }
    client_max_body_size 10m;
    keepalive_requests 1000000;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER

my $of = $t->clients;
my @pids = sort { $a <=> $b } keys %$of;


sub degrees { return sprintf '%.*f', int rand 9, rand(2 * $_[0]) - $_[0] }


sub reward {
    return { id => 1 + int rand 30_000, x => degrees(180) + 0,
             y => degrees(90) + 0, value => int rand 1000,
             level => int rand 10, stock => int rand 3 };
}


sub post {
    my ($pid, $path, $body) = @_;

    return $of->{$pid}->request('POST', $path,
                                { 'Content-Type' => 'application/x-ndjson' },
                                $body);
}


sub query {
    return sprintf '{"x":%s,"y":%s,"r":%d,"level":%d,"limit":%d,"detail":%d}',
                   degrees(180), degrees(90), 1 + rand 10 ** (1 + rand 6.4),
                   rand 10, 1 + rand 100, rand 2;
}


is(scalar @pids, 4, 'there are four workers');

# a view built, one patched a little, and one that is worn out

for my $round (map { ($_, 1, 2, 30) } 5000, 1, 20_000, 1) {
    my $pid = $pids[rand @pids];
    my $res = post($pid, '/rewards', ndjson(map { reward() } 1 .. $round));
    my $version = $res->{json}{version};

    for (1 .. rand 5) {
        my $id = 1 + int rand 30_000;

        $res = $of->{ $pids[rand @pids] }
                  ->request('DELETE', "/rewards?id=$id");

        $version = $res->{json}{version} // $version;
    }

    # to wait is to poll; one worker in four is not asked, and was idle

    my $polls = join "\n", map { query() } 1 .. 100;
    my %answers;

    for my $asked (@pids) {
        my $got;

        ok(wait_until {
               $got = $of->{$asked}->get('/poll?x=0&y=0')->{json}{version};
               $got == $version
           }, 'a worker comes to the version') or diag "$got for $version";

        $answers{ post($asked, '/poll', $polls)->{body} }++;
    }

    is(keys %answers, 1, 'all workers answer alike');
    is((() = (keys %answers)[0] =~ /"version":$version,/g), 100,
       'a hundred polls of that version')
        or diag grep { !/"version":$version,/ } map { "$_\n" }
                split /\n/, (keys %answers)[0];
}

# and so do exports, and a worker that is new

my %exports = map { $_->get('/rewards')->{body} => 1 } values %$of;

is(keys %exports, 1, 'all export alike');

my $polls = join "\n", map { query() } 1 .. 200;
my $before = post($pids[0], '/poll', $polls)->{body};

$t->kill_worker($pids[0]);
$of = $t->clients;

my ($new) = grep { $_ != $pids[1] && $_ != $pids[2] && $_ != $pids[3] }
            keys %$of;

isnt($new, $pids[0], 'a worker died and another took its place');
is(post($new, '/poll', $polls)->{body}, $before, 'which answers alike');

done_testing;
