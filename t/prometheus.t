#!/usr/bin/perl

# A Prometheus with the configuration and the rules of conf/ reads a server
# under load: what it counts is exactly what was answered, over a reload and the
# death of a worker; no rule and no panel of the dashboard fails.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Nginx;
use Trove::Prometheus;
use Trove::Redis;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') eq 'scalar') {
    plan skip_all => 'the same module as of dynamic';
}

my $redis = Trove::Redis->start;
my $t = Trove::Nginx->start(workers => 2, http => <<"HTTP", server => <<'END');
    trove hunt {
        capacity rewards=1000 players=1000 claims=1000;
        store    sqlite:%%DIR%%/hunt.db;
        coin     gold value=5 weight=1;
        board    best rows=100;
        %%SIMD%%
    }
    trove other { overflow ${\ $redis->url }; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /claim   { trove_claim   hunt; }
    location = /tap     { trove_tap     hunt; }
    location /board/    { trove_board   hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /other   { trove_poll    other; }
    location = /stats   { trove_stats; }
END

my $p = Trove::Prometheus->start($t);
my $json = { 'Content-Type' => 'application/json' };
my $run = 0;
my %want;


# Requests of all kinds until it ends, on connections that nginx may close: how
# many were answered, { "trove endpoint code" => n }

sub load {
    my $nth = ++$run;

    return Trove::Load->start(sub {
        my $ends = shift;
        my ($c, $i, %did) = (undef, 0);

        until ($ends->()) {
            my $id = 1 + ++$i % 100;
            my $who = qq("player":"p$id");

            for my $request ([ 'other poll', 'GET', '/other?x=1&y=1' ],
                             [ 'hunt poll', 'GET', '/poll?x=1&y=1' ],
                             [ 'hunt poll', 'GET', '/poll?x=q&y=1' ],
                             [ 'hunt rewards', 'POST', '/rewards',
                               $json, qq({"id":$id,"x":$id,"y":1}) ],
                             [ 'hunt claim', 'POST', '/claim',
                               $json, qq({$who,"reward":$id}) ],
                             [ 'hunt claim', 'POST', '/claim',
                               $json, qq({$who,"reward":9999}) ],
                             [ 'hunt tap', 'POST', '/tap', $json, "{$who}" ],
                             [ 'hunt board', 'POST', '/board/best', $json,
                               qq({$who,"score":$i$nth}) ])
            {
                my ($of, @request) = @$request;
                my $res = eval {
                    $c ||= $t->client;
                    $c->request(@request);
                };

                # a connection that was closed before it was read from

                if (!$res) {
                    undef $c;
                    next;
                }

                $did{"$of $res->{status}"}++;
                undef $c if ($res->{headers}{connection} // '') eq 'close';
            }
        }

        return \%did;
    });
}


sub finish {
    my $did = shift->finish;

    $want{$_} += $did->{$_} for keys %$did;
}


# What Prometheus has counted, when it has read the last of it

sub counted {
    my $expr = shift;
    my $samples = $p->query($expr) or die $p->error;

    return { map { join(' ', @$_{qw(trove endpoint)}, $_->{code} // ())
                   => $_->{''} + 0 }
             grep { $_->{''} != 0 && $_->{endpoint} ne 'stats' } @$samples };
}


sub compare {
    my $when = shift;
    my (%sums, $got);

    for my $of (keys %want) {
        $sums{ $of =~ s/ \d+$//r } += $want{$of};
    }

    wait_until {
        $got = counted('trove_requests_total');
        join(',', map { "$_=$got->{$_}" } sort keys %$got)
        eq join(',', map { "$_=$want{$_}" } sort keys %want)
    } 10;

    is_deeply($got, \%want, "$when: requests");
    is_deeply(counted('trove_request_duration_seconds_count'), \%sums,
              'durations');
    is_deeply(counted('trove_request_duration_seconds_bucket{le="+Inf"}'),
              \%sums, 'buckets');
}


# Waits until Prometheus has seen more of each kind of request

sub seen {
    my $before = counted('trove_requests_total');

    ok((wait_until {
           my $now = counted('trove_requests_total');

           keys %$now >= 8
           && !grep { $now->{$_} < ($before->{$_} // 0) + 20 } keys %$now;
       } 60), 'Prometheus sees them');
}


my $load = load();

seen();
finish($load);
compare('under load');
is(scalar keys %want, 8, 'of many kinds');

$load = load();
seen();
ok($t->hup(gone => 1), 'a reload');
seen();
finish($load);
compare('over it');

$t->kill_worker(($t->workers)[0]);
$load = load();
seen();
finish($load);
compare('over the death of a worker');

my $types = exported($t);
my @counters = grep { $types->{$_} ne 'gauge' } sort keys %$types;

is_deeply([ grep { $p->query("max(resets(${_}[10m]))")->[0]{''} } @counters ],
          [], 'no counter went back');

# what was granted is what there is

is($p->query('trove_claims_total{trove="hunt",result="granted"}')->[0]{''},
   100, 'a claim each of a hundred');
is($p->query('sum(trove_coins_total)')->[0]{''}, $want{'hunt tap 200'},
   'a coin each of the taps');

# exemplars

my $found = $p->api('query_exemplars', start => time - 300, end => time + 60,
                    query => 'trove_request_duration_seconds_bucket');
my @exemplars = map { my $s = $_->{seriesLabels};
                      map { { %$s, id => $_->{labels}{request_id} } }
                      @{ $_->{exemplars} } } @{ $found || [] };

cmp_ok(scalar @exemplars, '>', 10, 'there are exemplars');
is_deeply([ grep { $_->{id} !~ /^[0-9a-f]{32}$/ } @exemplars ], [],
          'each with an id');

# the death is what all rules are evaluated over

my ($alert, $rules);

ok(wait_until {
       $rules = $p->api('rules');
       my @all = map { @{ $_->{rules} } } @{ $rules->{groups} };

       ($alert) = map { @{ $_->{alerts} } }
                  grep { $_->{name} eq 'TroveWorkerDied' } @all;

       $alert && !grep { $_->{health} ne 'ok' } @all
   }, 'all rules are well');

is($alert->{state}, 'firing', 'and one tells of the death');
is($alert->{annotations}{summary},
   'a worker of 127.0.0.1:' . $t->port . ' died', 'in words');
is(scalar @{ (grep { $_->{name} eq 'TroveWorkerDied' }
              map { @{ $_->{rules} } } @{ $rules->{groups} })[0]{alerts} }, 1,
   'once, of two troves');

for my $record (qw(trove:requests:rate1m trove:request_errors:ratio_rate5m
                   trove:request_duration_seconds:p99_5m
                   trove:epoch_lag_seconds:p99_5m trove:capacity_used:ratio))
{
    ok(scalar @{ $p->query($record) || [] }, "$record is recorded");
}

# the dashboard: each expression has an answer

open my $f, '<', "$Trove::Nginx::ROOT/conf/grafana.json" or die "$!\n";
my $board = JSON::PP->new->decode(do { local $/; <$f> });

for my $panel (grep { $_->{targets} } @{ $board->{panels} }) {
    for my $target (@{ $panel->{targets} }) {
        my $expr = $target->{expr} =~ s/\$__rate_interval/1m/gr
                                   =~ s/\$(?:instance|trove)/.*/gr;
        my $samples = $p->query($expr);

        ok($samples && @$samples, "$panel->{title}: $target->{legendFormat}")
            or diag "$expr\n", $p->error;
    }
}

# and nothing was wrong on the way

my ($target) = @{ $p->api('targets')->{activeTargets} };

is($target->{health}, 'up', 'the target is up');
is($target->{lastError}, '', 'without an error');
is($p->log, '', 'Prometheus has nothing to complain about');

done_testing;
