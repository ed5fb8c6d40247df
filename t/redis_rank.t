#!/usr/bin/perl

# A row is removed by somebody else before the rank that it has is looked for:
# its writer is told to ask again, and not that he has a rank that is none.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $proxy = Trove::Proxy->start($redis->port);
my $url = 'redis://127.0.0.1:' . $proxy->port;
my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<"HTTP",
    trove hunt {
        capacity rewards=100;
        store    $url timeout=3s;
        board    high rows=10;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . "location /board/ { trove_board hunt; }\n");

ok($t->wait_ok('/poll?x=0&y=0'), 'it is loaded');

sub entries { return $redis->command(qw(XLEN trove:{hunt}:log)) }

my %clients = %{ $t->clients };
my ($score, $between) = (0, 0);


# One of them follows Redis, for both: it has to go on

for my $writer (sort keys %clients) {
    my ($other) = grep { $_ != $writer } keys %clients;
    my $c = $clients{$writer};

    ok(wait_until(sub {
           $_->request(score_of('high', 'anna', 1))->{status} == 200
       }), 'a worker takes writes') for values %clients;

    $proxy->set(replies => 1);

    my $entries = entries();

    $c->send_request(score_of('high', 'ben', ++$score));
    wait_until { entries() > $entries };

    kill 'STOP', $writer;
    $proxy->set(replies => 0);

    my $removed = $clients{$other}->request('DELETE', '/board/high?player=ben');

    kill 'CONT', $writer;

    my $res = $c->response;

    ok($res->{status} == 503 || ($res->{json}{rank} // 0) > 0,
       'a rank is one') or diag "$res->{status} $res->{body}";
    $between++ if $removed->{status} == 200 && $res->{status} == 503;
}

is($between, 1, 'and removed in between there is none');

done_testing();
