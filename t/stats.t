#!/usr/bin/perl

# Stats come as JSON, or as the text of Prometheus or OpenMetrics, as "format"
# or Accept say; what they are of is the same.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { capacity rewards=77; epoch 1h; %%SIMD%% }
    trove a.b-c { }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
    location = /hidden  { trove_stats; allow 127.0.0.2; deny all; }
    location = /shown   { trove_stats; allow 127.0.0.1; deny all; }
SERVER

my $text = 'text/plain; version=0.0.4; charset=utf-8';
my $open = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
my $prometheus = 'application/openmetrics-text;version=1.0.0;q=0.75,'
                 . 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

for my $case ([ '', undef, 'application/json' ],
              [ '', '*/*', 'application/json' ],
              [ '', 'application/json', 'application/json' ],
              [ '', 'text/html,application/xml;q=0.9',
                'text/html; charset=utf-8' ],
              [ '', 'text/plain', 'application/json' ],
              [ '', 'text/plain;version=0.0.4', $text ],
              [ '', 'text/plain; version=0.0.4', $text ],
              [ '', $prometheus, $open ],
              [ '', 'application/openmetrics-text', $open ],
              [ '', 'application/openmetrics-text;version=9.0.0,'
                    . 'text/plain;version=0.0.4;q=0.1', $text ],
              [ '', 'application/openmetrics-text;q=0.2,'
                    . 'text/plain;version=0.0.4;q=0.3', $text ],
              [ '', 'text/plain;version=0.0.4;q=0,application/json;q=0.1',
                'application/json' ],
              [ '?format=html', '*/*', 'text/html; charset=utf-8' ],
              [ '?format=json', 'text/html', 'application/json' ],
              [ '?format=json', $prometheus, 'application/json' ],
              [ '?format=prometheus', 'application/json', $text ],
              [ '?a=b&format=prometheus', undef, $text ])
{
    my ($args, $accept, $type) = @$case;
    my $res = $t->get("/stats$args", { Accept => $accept });

    is($res->{status}, 200, "$args " . ($accept // 'no Accept'));
    is($res->{headers}{'content-type'}, $type, "is $type");
    is($res->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');
    ok($res->{json}, 'which it is') if $type =~ /json/;
    like($res->{body}, qr/^# TYPE trove_requests_total counter$/m,
         'which it is') if $type eq $text;
    like($res->{body}, qr/^# TYPE trove_requests counter\n.*^# EOF\n\z/ms,
         'which it is') if $type eq $open;
}

for my $format ('xml', 'JSON', 'json,prometheus', '', '%6Ason') {
    my $res = $t->get("/stats?format=$format");

    is($res->{status}, 400, "format=$format is not known");
    like($res->{json}{detail}, qr/^format: /, 'and named');
}

my $res = $t->request('HEAD', '/stats');

is($res->{status}, 200, 'HEAD is answered');
cmp_ok($res->{headers}{'content-length'}, '>', 500, 'with a length');

for my $method (qw(POST PUT DELETE)) {
    $res = $t->request($method, '/stats?cycle=hunt');

    is($res->{status}, 405, "$method is not allowed");
    is($res->{headers}{allow}, 'GET, HEAD', 'and says what is');
}

is($t->get('/hidden')->{status}, 403, 'deny hides them');
is($t->get('/shown')->{status}, 200, 'allow shows them');

# the same figures in all formats

$t->post('/rewards', qq({"id":$_,"x":$_,"y":0,"stock":1})) for 1 .. 7;
$t->request('DELETE', '/rewards?id=3');
$t->get('/poll?x=0&y=0&r=5') for 1 .. 9;
$t->get('/poll?x=0&y=q');

my $json = $t->get_json('/stats')->{troves}{hunt};
my %value = map { /^(\w+\{.*?\}) (\S+)$/ ? ($1, $2) : () }
            split /\n/, $t->get('/stats?format=prometheus')->{body};
my %openly = map { /^(\w+\{.*?\}) (\S+?)(?: # .*)?$/ ? ($1, $2) : () }
             split /\n/, $t->get('/stats', { Accept => $prometheus })->{body};
my $own = qr/stats|resident|_duration_seconds|epoch_turn/;

is_deeply([ sort keys %value ], [ sort keys %openly ],
          'both texts have the same series');
is_deeply({ map { $_ => $value{$_} } grep { !/$own/ } keys %value },
          { map { $_ => $openly{$_} } grep { !/$own/ } keys %openly },
          'of the same values');

my %figures = (
    'trove_rewards{trove="hunt"}' => 6,
    'trove_rewards_capacity{trove="hunt"}' => 77,
    'trove_rewards_capacity{trove="a.b-c"}' => 100000,
    'trove_ledger_version{trove="hunt"}' => 8,
    'trove_rewards_written_total{trove="hunt",result="accepted"}' => 7,
    'trove_rewards_written_total{trove="hunt",result="removed"}' => 1,
    'trove_requests_total{trove="hunt",endpoint="poll",code="200"}' => 9,
    'trove_requests_total{trove="hunt",endpoint="poll",code="400"}' => 1,
    'trove_requests_total{trove="hunt",endpoint="rewards",code="200"}' => 8,
    'trove_requests_total{trove="hunt",endpoint="poll",code="503"}' => 0,
    'trove_poll_found_total{trove="hunt"}' => 36,
    'trove_arena_bytes{trove="hunt",state="size"}' => 16777216,
    'trove_workers{trove="hunt"}' => 1,
    'trove_request_duration_seconds_count{trove="hunt",endpoint="poll"}'
        => 10,
    'trove_request_duration_seconds_bucket{trove="hunt",endpoint="poll",'
        . 'le="+Inf"}' => 10,
    'trove_requests_total{trove="a.b-c",endpoint="poll",code="200"}' => 0,
);

is($value{$_}, $figures{$_}, $_) for sort keys %figures;

is_deeply([ @$json{qw(rewards rewards_capacity ledger_version
                      rewards_accepted rewards_removed poll_found
                      arena_size workers_alive)} ],
          [ 6, 77, 8, 7, 1, 36, 16777216, 1 ], 'and of JSON');
is_deeply($json->{endpoints}{poll}{requests}, { 200 => 9, 400 => 1 },
          'the requests, too');

# coins, once there are some

$t->configure(http => $t->{arg}{http} . <<'HTTP');
    trove coined { coin gold value=1 weight=1; coin a.b-c_9 value=2 weight=0; }
HTTP
ok($t->hup(gone => 1), 'coins by a reload');

is_deeply($t->get_json('/stats')->{troves}{coined}{coins},
          { 'gold' => 0, 'a.b-c_9' => 0 }, 'in JSON');
is_deeply([ $t->get('/stats?format=prometheus')->{body}
            =~ /^(trove_coins_total\{.*)$/mg ],
          [ 'trove_coins_total{trove="coined",coin="gold"} 0',
            'trove_coins_total{trove="coined",coin="a.b-c_9"} 0' ],
          'and in the text');

my %labels = map { $_ => 1 } map { /(\w+)="/g } keys %value;

is_deeply([ sort keys %labels ],
          [qw(code endpoint le name nginx reason result rule simd state table to
              trove version worker)], 'labels are these');

# quantiles

my $latency = $json->{latency}{poll};

is($latency->{count}, 10, 'latencies of all polls');
cmp_ok($latency->{p50}, '>', 0, 'the median is something');

for my $pair ([qw(p50 p90)], [qw(p90 p99)], [qw(p99 p999)], [qw(p999 max)],
              [qw(max sum)])
{
    cmp_ok($latency->{ $pair->[0] }, '<=', $latency->{ $pair->[1] },
           "$pair->[0] is no more than $pair->[1]");
}

# a bucket holds what the ones before it do

my @buckets = map { $value{$_} } sort { bound($a) <=> bound($b) }
              grep { /^trove_request_duration_seconds_bucket.*hunt.*poll/ }
              keys %value;

is(scalar(grep { $buckets[$_] < $buckets[$_ - 1] } 1 .. $#buckets), 0,
   'buckets add up');
cmp_ok(scalar @buckets, '>', 10, 'and are many');

done_testing;


sub bound {
    my ($le) = $_[0] =~ /le="([^"]+)"/;

    return $le eq '+Inf' ? 9**9 : $le;
}
