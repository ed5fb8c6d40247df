#!/usr/bin/perl

# A trove that is full answers 507 to a new reward, evicts none, and takes
# another one when one was removed.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { capacity rewards=100; limit 3 max=1000; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER


sub reward { return qq({"id":$_[0],"x":$_[0],"y":0}) }


sub ids {
    return [ sort { $a <=> $b }
             map { $_->{id} } @{ $t->get('/rewards')->{lines} } ];
}


sub polled {
    return [ sort { $a <=> $b }
             @{ $t->get_json('/poll?x=0&y=0&r=5000&limit=1000')->{rewards} } ];
}


my $res = $t->post('/rewards', join "\n", map { reward($_) } 1 .. 95);

is($res->{json}{version}, 95, 'a trove of 100 has 95 rewards');

$res = $t->post('/rewards', join "\n", map { reward($_) } 91 .. 110);

is($res->{status}, 507, 'a batch that does not fit');
is($res->{headers}{'content-type'}, 'application/problem+json',
   'is a problem');
is($res->{json}{title}, 'Insufficient Storage', 'of space');
like($res->{json}{detail}, qr/no room for 10 of/, 'for ten of its rewards');
is_deeply([ @{ $res->{json} }{qw(status accepted rejected version)} ],
          [507, 10, 10, 105], 'the others are in');
is_deeply([ map { $_->{line} } @{ $res->{json}{errors} } ], [11 .. 20],
          'each is told');
is_deeply(ids(), [1 .. 100], 'none was evicted');
is_deeply(polled(), [1 .. 100], 'nor do polls miss one');

$res = $t->post('/rewards', reward(111));

is($res->{status}, 507, 'a single one that does not fit');
is($res->{headers}{'content-type'}, 'application/problem+json',
   'is a problem, too');
is_deeply([ @{ $res->{json} }{qw(status title)} ],
          [507, 'Insufficient Storage'], 'the same');

$res = $t->post('/rewards', '{"id":50,"x":50,"y":0,"value":5}');

is($res->{status}, 200, 'one that is there already can be replaced');
is($res->{json}{version}, 106, 'and no version was lost');

# the place of one that was removed is free again

for my $id (7, 100, 50, 1) {
    is($t->request('DELETE', "/rewards?id=$id")->{status}, 200,
       "$id is removed");
}

$res = $t->post('/rewards', join "\n", map { reward($_) } 201 .. 205);

is($res->{status}, 507, 'five more do not fit');
is($res->{json}{accepted}, 4, 'four do');

my @all = grep { !/^(?:7|100|50|1)$/ } 1 .. 100;

push @all, 201 .. 204;

is_deeply(ids(), \@all, 'they have taken the places');
is_deeply(polled(), \@all, 'polls know it');

# for as often as one likes

for my $id (301 .. 400) {
    my $old = shift @all;

    push @all, $id;
    $t->request('DELETE', "/rewards?id=$old")->{status} == 200 or last;
    $t->post('/rewards', reward($id))->{status} == 200 or last;
}

is_deeply(ids(), [301 .. 400], 'a hundred times');
is_deeply(polled(), [301 .. 400], 'polls know it');

my $stats = $t->get_json('/stats')->{troves}{hunt};

is_deeply([ @$stats{qw(rewards rewards_capacity rewards_full)} ],
          [100, 100, 12], 'all that was refused is counted');

done_testing;
