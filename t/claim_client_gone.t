#!/usr/bin/perl

# A client that is gone before the answer: what it asked for is done once, and
# asked again it is told.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;


my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP',
    trove hunt {
        capacity players=10k claims=100k;
        coin gold value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my $N = 2000;

$t->load('/rewards', '/poll?x=0&y=0',
         map { { id => $_, x => 0, y => 0, value => 1 } } 1 .. $N) or die;


# Sends it and does not wait

sub leave {
    my ($how, @request) = @_;
    my $c = $t->client;

    $c->send_request(@request);
    $c->$how;
}


sub figure { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }


# single ones

for my $i (1 .. 20) {
    leave($i % 2 ? 'close' : 'abort', claim_of('a', $i));
    leave($i % 2 ? 'close' : 'abort', tap_of('b', seq => $i));
}

my $sum = 0;

for my $i (1 .. 20) {
    my $res = $t->request(claim_of('a', $i));

    $sum = $res->{json}{balance} if $res->{json}{balance} > $sum;
}

is($sum, 20, 'each claim was granted once');

my $tap = $t->request(tap_of('b', seq => 21));

is($tap->{json}{balance}, figure('taps_granted'), 'and each tap that came');

# a batch, left at some line; sent again it goes to the end

my @lines = map { { player => 'c', reward => $_ } } 21 .. $N;

leave($_ % 2 ? 'close' : 'abort', batch_of('/claim', @lines)) for 1 .. 6;

my $c = $t->client(rcvbuf => 1024);

$c->send_request(batch_of('/claim', @lines));
$c->take(qr/\n\{[^\n]*\n/);
$c->abort;

my $res = $t->request(batch_of('/claim', @lines));
my @bad = grep { $_->{error} || $_->{value} != 1 } @{ $res->{lines} };

is_deeply(\@bad, [], 'what a batch has asked for is granted once');
is(@{ $res->{lines} }, $N - 20, 'all of it');
is($t->get_json('/tap?player=c')->{balance}, $N - 20, 'and no more');

# half a batch

$c = $t->client;
$c->send("POST /claim HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n"
         . "Content-Type: application/x-ndjson\r\n\r\n"
         . '{"player":"d","reward":1}' . "\n" . '{"player":"d","rew');
$c->abort;

is(figure('claims'), $N, 'half a line is nothing');
ok(wait_until { figure('endpoints')->{claim}{requests}{499} },
   'and who is gone is counted');

done_testing;
