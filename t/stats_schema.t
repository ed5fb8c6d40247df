#!/usr/bin/perl

# The statistics as JSON are what conf/monitor/stats.schema.json says: of any
# configuration, before and after all kinds of requests.  A figure that the
# schema lacks is named.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Monitor;
use Trove::Nginx;
use Trove::Redis;


sub is_valid {
    my ($t, $name) = @_;
    my $res = $t->get('/stats');

    is($res->{status}, 200, "$name: statistics");
    is(validate($t->write_file('stats.json', $res->{body})), '',
       "$name: as the schema says")
        or diag('what is new in trove_stats.h or trove_stats_json.c must be '
                . 'added to conf/monitor/stats.schema.json');

    return $res->{json};
}


my $none = Trove::Nginx->start(server => <<'SERVER');
    location = /stats { trove_stats; }
SERVER

is_deeply(is_valid($none, 'no trove')->{troves}, {}, 'there is none');
$none->stop;

my $url = Trove::Redis->start->url;
my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
    http => <<'HTTP' =~ s/%%REDIS%%/$url/r, server => <<'SERVER');
    keepalive_requests 1000000;

    trove hunt {
        capacity  rewards=50 players=20 claims=30;
        arena     8k;
        epoch     20ms;
        space     earth;
        claim     range=50 max_speed=40;
        tap       rate=1r/s burst=2;
        coin      gold value=1 weight=1;
        coin      a.b-c_9 value=2 weight=7;
        board     weekly rows=10 reset=weekly;
        board     Best_of-all rows=1;
        store     sqlite:%%DIR%%/hunt.db;
        ack       commit;
        %%SIMD%%
    }

    trove plain       { %%SIMD%% }
    trove full        { capacity rewards=1; board b-_9 rows=1;
                        overflow redis://127.0.0.1:1 max=7; }
    trove A.b-c_9     { large_pages off; %%SIMD%%
                        capacity rewards=1; board few_9-X rows=1;
                        overflow %%REDIS%%; }
    trove __proto__   { capacity players=5; coin constructor value=1 weight=1; }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /claim   { trove_claim   hunt; }
    location = /tap     { trove_tap     hunt; }
    location /board/    { trove_board   hunt; }
    location = /odd     { trove_tap     __proto__; }
    location = /more    { trove_rewards A.b-c_9; }
    location = /stats   { trove_stats write=on; }
SERVER

is_deeply([ sort keys %{ is_valid($t, 'several')->{troves} } ],
          [qw(A.b-c_9 __proto__ full hunt plain)], 'they are there');


sub requests {
    for my $c (values %{ $t->clients }) {
        my $batch = { 'Content-Type' => 'application/x-ndjson' };

        $c->request('POST', '/rewards', $batch,
                    ndjson(map { { id => $_, x => $_ / 1e5, y => 0 } }
                           1 .. 60));
        $c->get('/poll?x=0&y=0&r=500&detail=1') for 1 .. 300;
        $c->get('/poll?x=q');
        $c->request('POST', '/poll', $batch, qq({"x":0,"y":0}\n{"x":1}\n));

        for my $i (1 .. 30) {
            my $id = 1 + $i % 50;

            $c->request('POST', '/claim', {}, qq({"player":"p$i","reward":$id,)
                        . '"x":0,"y":0}');
            $c->request('POST', '/tap', {}, '{"player":"p' . $i % 3 . '"}');
            $c->request('POST', "/board/$_", {},
                        '{"player":"p' . $i % 9 . qq(","score":$i}))
                for qw(weekly Best_of-all nosuch);
        }

        $c->request('POST', '/odd', {}, '{"player":"p"}');
        $c->request('POST', '/more', {}, qq({"id":$_,"x":0,"y":0})) for 1 .. 9;
        $c->request('DELETE', '/rewards?id=7');
        $c->request('PUT', '/claim', {}, '{}');
        $c->request('POST', '/stats?cycle=hunt', {}, '');
    }
}


requests();

my $troves = is_valid($t, 'after requests')->{troves};
my $hunt = $troves->{hunt};
my $queues = $troves->{'A.b-c_9'}{overflow};

is_deeply([ sort keys %$queues ], [qw(board:few_9-X players rewards)],
          'there are queues');
cmp_ok($queues->{rewards}{pending}, '>', 0, 'and something waits');

for my $figure (qw(poll_found rewards_full claims_granted taps_granted
                   taps_limited board_improved board_full store_commits))
{
    cmp_ok($hunt->{$figure}, '>', 0, "there was $figure");
}

is_deeply([ sort keys %{ $t->get_json('/stats')->{troves}{full}{overflow} } ],
          [qw(board:b-_9 players rewards)], 'and queues');
ok(@{ $hunt->{latency}{poll}{buckets} } > 2, 'and durations');
is($hunt->{boards}{weekly}{rows}, 9, 'and boards');

$t->configure(http => $t->{arg}{http} =~ s/coin      gold.*\n//r
                      . '    trove late { coin x value=1 weight=1; }');
ok($t->hup(gone => 1), 'a reload');
$t->kill_worker(($t->workers)[0]);
requests();
is_valid($t, 'after a reload and a death');
$t->stop;

# what a figure is, and not only that it is there

my $schema = Trove::Monitor::schema()->{'$defs'};
my %kind = (COUNTER => 'counter', SPAN => 'seconds');
my $list = Trove::Monitor::slurp("$Trove::Nginx::ROOT/src/core/trove_stats.h")
           =~ s/\\\n//gr;
my %of;

while ($list =~ /\bX\(([A-Z]+), (\w+), "trove_/g) {
    my ($where, $what) = ($1 eq 'PROCESS' ? 'worker' : 'trove',
                          $kind{$1} // 'gauge');

    is($schema->{$where}{properties}{$2}{'$ref'}, "#/\$defs/$what",
       "$2 is a $what of the schema");
    $of{$where}++;
}

cmp_ok($of{trove}, '>', 50, 'these are many');
cmp_ok($of{worker}, '>', 2, 'and some of workers');

# a figure that is not in the schema would be named

my $file = "$Trove::Nginx::BUILD/monitor.$$.json";

open my $f, '>', $file or die "$file: $!\n";
print $f encode_json({ schema => 1, nosuch => 1 });
close $f;

like(validate($file), qr{^/: "nosuch" is not in stats\.schema\.json$}m,
     'what is not in it is named');
like(validate($file), qr{^/: "troves" is required by stats\.schema\.json$}m,
     'and what is not there');
unlink $file;

done_testing;
