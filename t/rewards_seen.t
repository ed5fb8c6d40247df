#!/usr/bin/perl

# A write answers with the version that it made; every worker's polls show it
# at the latest an epoch later, and versions never go back.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $EPOCH = 0.5;

my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt { epoch 500ms; limit 10; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
SERVER

my $of = $t->clients;
my ($writer, @others) = sort keys %$of;


sub poll { return $of->{$_[0]}->get('/poll?x=0&y=0&r=10')->{json} }


sub write_one {
    my ($pid, $body) = @_;

    return $of->{$pid}->request('POST', '/rewards', {}, $body)->{json};
}


# workers that were idle look at the ledger at once

my $made = write_one($writer, '{"id":1,"x":1,"y":0}')->{version};

is($made, 1, 'a write makes a version');

for my $pid ($writer, @others) {
    is_deeply(poll($pid), { version => 1, found => 1, rewards => [1] },
              'a worker that was idle shows it');
}

# busy ones at the next turn of their epoch

my %last = map { $_ => 1 } keys %$of;
my ($late, $back, $early) = (0, 0, 0);

for my $id (2 .. 4) {
    poll($_) for keys %$of;

    $made = write_one($writer, qq({"id":$id,"x":1,"y":0}))->{version};

    my $start = time;

    is(poll($writer)->{version}, $made, 'the worker that wrote knows it');

    for my $pid (@others) {
        my $res;

        wait_until {
            $res = poll($pid);

            $back++ if $res->{version} < $last{$pid};
            $early++ if $res->{version} >= $made && $res->{found} != $id
                        || $res->{version} < $made && $res->{found} >= $id;

            $last{$pid} = $res->{version};

            return $res->{version} >= $made;
        } 5;

        is_deeply($res, { version => $made, found => $id,
                          rewards => [1 .. $id] },
                  'another one shows it');
    }

    $late++ if time - $start > $EPOCH + 2;
}

is($back, 0, 'versions never go back');
is($early, 0, 'a version is shown when its rewards are');
is($late, 0, 'within the epoch');

# removals and batches, written by all

for my $pid (keys %$of) {
    $made = write_one($pid, qq({"id":9$pid,"x":2,"y":0}))->{version};

    is($of->{$pid}->request('DELETE', "/rewards?id=9$pid")->{json}{version},
       $made + 1, 'versions rise one by one, whoever writes');
}

my $res = $of->{$others[0]}->request('POST', '/rewards',
              { 'Content-Type' => 'application/x-ndjson' },
              join "\n", map { qq({"id":$_,"x":3,"y":0}) } 1 .. 20);

is($res->{json}{version}, $made + 21, 'a batch has the version of its last');

for my $pid (keys %$of) {
    ok(wait_until { poll($pid)->{version} == $made + 21 },
       'and all come to it');
    is(poll($pid)->{found}, 20, 'and to its rewards');
}

done_testing;
