#!/usr/bin/perl

# A process is stopped in the middle of a write: the others answer all the
# same, what they cannot do now with 503, and when it goes on nothing is lost.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Held;
use Trove::Nginx;


my $N = 2000;
my %NDJSON = ('Content-Type' => 'application/x-ndjson');

my $t = Trove::Nginx->start(
    workers => 2, http => <<'HTTP', server => <<'SERVER');
    trove hunt { radius 100 max=100000; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER


sub rewards {
    my ($value) = @_;

    return join '', map {
        sprintf qq({"id":%d,"x":%d,"y":0,"value":%d}\n), $_, $_, $value
    } 1 .. $N;
}


sub stats { return $t->get_json('/stats')->{troves}{hunt} }


my $res = $t->post('/rewards', rewards(1), \%NDJSON);

is($res->{json}{accepted}, $N, 'rewards are taken');

my $version = $res->{json}{version};

$t->wait_version('/poll?x=0&y=0', $version);

my $held = Trove::Held->new($t, 0);

is($t->get_json('/poll?x=0&y=0&r=100000')->{found}, $N, 'polls go on');

$res = $t->post('/rewards', '{"id":1,"x":1,"y":0,"value":9}');

is($res->{status}, 503, 'a write does not wait for long');
is($res->{headers}{'retry-after'}, 1, 'and may be tried again');

is($t->request('DELETE', '/rewards?id=5', {}, '')->{status}, 503,
   'nor does a removal');
is($t->get('/rewards?id=1')->{status}, 503,
   'what is being written cannot be read');
is($t->get('/rewards?id=2')->{json}{value}, 1, 'but all else');

$res = $t->post('/rewards', rewards(2), \%NDJSON);

is($res->{status}, 503, 'a batch does not wait for each line');
is($res->{json}{accepted}, 0, 'of which none is taken');
is($res->{json}{rejected}, $N, 'and all are refused');

is($t->get_json('/poll?x=0&y=0&r=100000')->{found}, $N, 'polls still go on');
cmp_ok(stats()->{ledger_busy}, '>', $N, 'it is counted');

# an export does not leave out what it cannot read now

my $export = $t->client;

$export->send("GET /rewards HTTP/1.1\r\nHost: a\r\n\r\n");
sleep 0.2;
is(stats()->{ledger_version}, $version, 'nothing has changed');

$held->release;

my @lines = split /\n/, $export->response->{body};

is(scalar @lines, $N, 'an export waits for it, and is whole');
is(scalar(grep { /"value":1,/ } @lines), $N, 'and as it was');

$res = $t->post('/rewards', rewards(3), \%NDJSON);

is($res->{json}{accepted}, $N, 'then all can be written again');
is($t->get('/rewards?id=1')->{json}{value}, 3, 'and read');
$t->wait_version('/poll?x=0&y=0', $res->{json}{version});

# a writer that never goes on

$held = Trove::Held->new($t, 0);

$res = $t->client->get('/rewards');
ok(!$res || $res->{truncated}, 'an export that cannot be whole is cut off');

$held->release;

is($t->get('/rewards?id=1')->{json}{value}, 3, 'nothing was lost');

$t->stop;

done_testing();
