#!/usr/bin/perl

# A reward whose stock is gone is gone from the polls of all workers, of the
# one that granted the last of it at once; putting it again with more brings
# it back.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;


my $t = Trove::Nginx->start(workers => 4, listen => 'reuseport',
                            http => <<'HTTP',
    trove hunt { capacity players=100; %%SIMD%% }
HTTP
    server => play_endpoints('hunt'));


sub found {
    my ($c, $x) = @_;

    return $c->get("/poll?x=$x&y=0&r=0.5")->{json}{found};
}


$t->load('/rewards', '/poll?x=0&y=0',
         map { { id => $_, x => $_, y => 0, stock => 2 } } 1 .. 40) or die;

my $of = $t->clients;
my @c = values %$of;

is(scalar @c, 4, 'four workers');

my @late;

for my $reward (1 .. 40) {
    my ($first, $last) = @c[$reward % 4, ($reward + 1) % 4];

    $first->request(claim_of('a', $reward));
    push @late, "$reward is gone too early" if found($first, $reward) != 1;

    $last->request(claim_of('b', $reward));
    push @late, "$reward is seen by the last" if found($last, $reward) != 0;
}

is_deeply(\@late, [], 'who grants the last of a stock shows it no more');

for my $c (@c) {
    ok(wait_until { $c->get('/poll?x=20&y=0&r=100')->{json}{found} == 0 },
       'nor does any other worker');
}

# more of a stock

my $res = $t->post('/rewards', '{"id":7,"x":7,"y":0,"stock":3}');

$t->wait_version('/poll?x=0&y=0', $res->{json}{version});

is(found($_, 7), 1, 'more of it: it is seen again') for @c;

is($c[0]->request(claim_of('a', 7))->{json}{repeat}, JSON::PP::true,
   'who had it has it');
is($c[1]->request(claim_of('c', 7))->{status}, 200, 'who had not gets it');
is($c[2]->request(claim_of('d', 7))->{status}, 409, 'until it is gone');

# removed and put anew it is another one

$t->request('DELETE', '/rewards?id=8');
$t->post('/rewards', '{"id":8,"x":8,"y":0,"value":5}');

$res = $c[3]->request(claim_of('a', 8));

is_deeply([ @{ $res->{json} }{qw(value repeat)} ], [5, undef],
          'removed and put anew, it is another one');

# a new generation builds its views from what is left

ok($t->hup(gone => 1), 'a reload');
is($t->get_json('/poll?x=20&y=0&r=100')->{found}, 0, 'all is gone for it, too');

done_testing;
