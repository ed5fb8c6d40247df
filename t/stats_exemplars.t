#!/usr/bin/perl

# In OpenMetrics a bucket names a request that it has counted, by the id that
# its line in the access log has, too; one a second at most, and no other text
# has any.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt { %%SIMD%% }
    log_format id '$request_id $request_method $uri $trove_time';
HTTP
    access_log %%DIR%%/access.log id;

    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; access_log off; }
SERVER

my $start = time;
my $clients = $t->clients;


# { endpoint => [ { le, ns, id, time } ] }

sub exemplars {
    my $body = $t->get('/stats',
                       { Accept => 'application/openmetrics-text' })->{body};
    my %of;

    for (grep { / # / } split /\n/, $body) {
        my ($endpoint, $le, $count, $id, $s, $time) =
            /^trove_request_duration_seconds_bucket
              \{trove="hunt",endpoint="(\w+)",le="([^"]+)"\}\ (\d+)
              \ \#\ \{request_id="([0-9a-f]{32})"\}\ (\S+)\ (\S+)$/x
            or fail("an exemplar: $_"), next;

        push @{ $of{$endpoint} }, { le => $le, count => $count, id => $id,
                                    s => $s, time => $time };
    }

    return \%of;
}


sub logged {
    my %line = map { /^(\w+) (.*)$/ ? ($1, $2) : () }
               split /\n/, $t->read_file('access.log');

    return \%line;
}


is_deeply([ keys %{ exemplars() } ], [], 'none before there were requests');

for my $c (values %$clients) {
    $c->get('/poll?x=1&y=1') for 1 .. 50;
    $c->request('POST', '/rewards', { 'Content-Type' => 'application/json' },
                '{"id":1,"x":1,"y":1}');
}

my $of = exemplars();
my $log = logged();

is_deeply([ sort grep { !/stats/ } keys %$of ], [qw(poll rewards)],
          'each endpoint that was asked has some');

for my $endpoint (qw(poll rewards)) {
    my $last = 0;

    for my $e (@{ $of->{$endpoint} }) {
        my $line = $log->{ $e->{id} } // '';
        my ($seconds) = $line =~ m{^\w+ /$endpoint (\S+)$};

        ok(defined $seconds, "$endpoint up to $e->{le}: is in the log")
            or next;
        is(sprintf('%.6f', $seconds), sprintf('%.6f', int($e->{s} * 1e6)
                                                      / 1e6),
           'with its duration');

        my $above = $e->{le} eq '+Inf' ? 9**9 : $e->{le};

        ok($e->{s} <= $above && $e->{s} > $last, 'which is of its bucket');
        cmp_ok($e->{count}, '>', 0, 'that has counted it');
        ok($e->{time} > $start - 0.1 && $e->{time} < time + 0.1,
           'and its time');

        $last = $e->{le};
    }
}

unlike($t->get('/stats?format=prometheus')->{body}, qr/ # /,
       'the older format has none');

# within a second the same, which later another takes the place of

$of = exemplars()->{poll};
ok(@$of, 'there are some');

ok(wait_until {
       $_->get('/poll?x=1&y=1') for values %$clients;

       my %now = map { $_->{le} => $_ } @{ exemplars()->{poll} };

       grep { $now{ $_->{le} }{time} - $_->{time} >= 0.99
              && $now{ $_->{le} }{id} ne $_->{id} } @$of
   }, 'another one a second later');

# a death and a reload take none away

$of = exemplars()->{poll};
$t->kill_worker($_) for $t->workers;
ok($t->hup(gone => 1), 'a death and a reload');

my %now = map { $_->{le} => $_ } @{ exemplars()->{poll} };

is(scalar(grep { !$now{ $_->{le} } } @$of), 0, 'leave exemplars');
is($t->get_json('/stats')->{troves}{hunt}{worker_deaths}, 2,
   'the deaths are counted');

done_testing;
