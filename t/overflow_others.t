#!/usr/bin/perl

# Who had room before there was none goes on at once, however many have got
# some since, and however many still wait.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my ($THERE, $MORE) = (100, 2000);

my $redis = Trove::Redis->start(append => 1);
my $url = $redis->url;
my %conf = (workers => 1, http => <<"HTTP", server => play_endpoints('hunt'));
    trove hunt {
        capacity players=$THERE;
        coin     one value=1 weight=1;
        store    sqlite:hunt.db;
        overflow $url;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP

my $t = Trove::Nginx->start(%conf);

sub pending {
    return $t->get_json('/stats')->{troves}{hunt}{overflow}{players}{pending};
}

sub looked_after {
    ok(wait_until { $t->get_json('/stats')->{troves}{hunt}{overflow_up} == 1 },
       'the queues are looked after');
}

# Of those who tap so many have to wait

sub wait_of {
    my @who = @_;
    my $lines = $t->request(batch_of('/tap', map { { player => $_ } } @who))
                ->{lines};

    return scalar grep { $_->{queued} } @$lines;
}

looked_after();
is(wait_of(map { "there$_" } 1 .. $THERE), 0, 'so many players have room');
is(wait_of(map { "p$_" } 1 .. $MORE), $MORE, 'others have not');
is(wait_of(map { "there$_" } 1 .. $THERE), 0, 'who is there goes on');

$t->quit;
$conf{http} =~ s/players=\d+/players=@{[ $THERE + $MORE \/ 2 ]}/;
$t->configure(http => $conf{http});
$t->again;

looked_after();
ok(wait_until { pending() == $MORE / 2 }, 'half of the others have room');
cmp_ok(wait_of(map { "there$_" } 1 .. $THERE), '<', $THERE / 5,
       'who was there goes on still');
cmp_ok(wait_of(map { "p$_" } 1 .. $THERE), '<', $THERE / 5,
       'so do those who have come since');

$t->quit;

done_testing();
