#!/usr/bin/perl

# The configuration and the rules for Prometheus are what its tools take them
# for; each alert fires when it should and does not when it should not; and all
# of them are of figures that there are.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Prometheus;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') ne 'dynamic') {
    plan skip_all => 'the same for each way to build';
}

my $conf = "$Trove::Nginx::ROOT/conf";
my $tests = "$Trove::Nginx::ROOT/t/lib/rules_test.yml";
my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=10; %%SIMD%% }
HTTP
    location = /stats { trove_stats; }
END


sub contents {
    open my $f, '<', $_[0] or die "$_[0]: $!\n";
    local $/;

    return scalar <$f>;
}


for my $case ([ 'check', 'config', "$conf/prometheus.yml" ],
              [ 'check', 'rules', glob("$conf/rules/*.yml") ],
              [ 'test', 'rules', $tests ])
{
    my ($well, $said) = promtool(@$case);

    ok($well, "promtool @$case[0, 1]") or diag $said;
}

my $rules = join '', map { contents($_) } glob "$conf/rules/*.yml";
my @alerts = $rules =~ /^ *- alert: (\w+)$/mg;
my $tested = contents($tests);

cmp_ok(scalar @alerts, '>', 10, 'there are alerts');
is_deeply([ grep { $tested !~ /alertname="$_", instance="bad"/ } @alerts ], [],
          'and each one is tested');
unlike($tested, qr/instance="good"\}'\n +value:/, 'which no good one sees');

# the tests see when a rule is another one

my ($head, @parts) = split /^(?=  - name: )/m,
                     $tested =~ s{ - \S+/trove\.yml}{ - changed.yml}r;


# by those of the tests that are of an alert

sub found {
    my ($changed, $alert, $name) = @_;

    $t->write_file('changed.yml', $changed);

    my ($well) = promtool('test', 'rules', $t->write_file('test.yml',
        join '', $head, grep { /"$alert"/ } @parts));

    ok(!$well, "$name is found by the tests");
}


for my $change ([ Errors => 'code=~"5.."', 'code=~".*"' ],
                [ CapacityRunsOut => '24 * 3600', '48 * 3600' ],
                [ CapacityRunsOut =>
                  ' and delta(trove:capacity_used:ratio[30m]) > 0', '' ],
                [ MemoryGrows =>
                  ' and (trove_process_resident_bytes offset 2h) > 0', '' ],
                [ WorkerDied => ' max without (trove)', ' sum by (trove)' ],
                [ ViewBehind => ' offset 1m', '' ],
                [ OverflowFills => ' (trove_overflow_max > 0)',
                  ' (10 * trove_overflow_max)' ],
                [ OverflowDown => ' and trove_overflow_max > 0', '' ],
                [ Down => '{job="trove"}', '' ])
{
    my ($alert, $from, $to) = @$change;
    my $is = join '\s+', map { quotemeta } split / /, $from, -1;

    is((my $changed = $rules) =~ s/$is/$to/, 1, "there is$from");
    found($changed, "Trove$alert", "Trove$alert: '$to' instead");
}

# and each limit and each patience of an alert: half of it, and twice

my %rule = $rules =~ /^ *- alert: (\w+)\n(.*?)(?=^ *- alert|\z)/msg;
my %number = (twice => 2, half => 0.5);

for my $alert (@alerts) {
    my ($for) = $rule{$alert} =~ /\bfor: (\d+)[mh]$/m;
    my ($limit) = $rule{$alert} =~ /^ *expr: (?:[^:]|:\w)*?> ([1-9.e\d]+)$/ms;

    ($limit) = $rule{$alert} =~ /< (300)$/m if !$limit;
    $limit = undef if $rule{$alert} =~ /^ *expr: .*\[\d+m\]\)+ > 0$/ms;

    for my $by (sort keys %number) {
        my $changed;

        if ($for) {
            my $other = $rule{$alert} =~ s/\bfor: (\d+)([mh])$/
                'for: ' . $1 * $number{$by} * ($2 eq 'h' ? 3600 : 60) . 's'/mer;

            ($changed = $rules) =~ s/\Q$rule{$alert}\E/$other/;
            found($changed, $alert, "$alert: $by the time");
        }

        if ($limit) {
            my $other = $limit * $number{$by};
            my $text = $rule{$alert} =~ s/([<>]) \Q$limit\E$/$1 $other/mr;

            isnt($text, $rule{$alert}, "$alert has its limit");
            ($changed = $rules) =~ s/\Q$rule{$alert}\E/$text/;
            found($changed, $alert, "$alert: $by of $limit");
        }
    }
}

# the page and the monitor say the same of the same figures

my %limit = (lag => '_5m > ', errors => 'ratio_rate5m > ',
             behind => 'trove_store_lag_seconds > ',
             log => 'trove_store_log_bytes > ',
             used => 'capacity_used:ratio > ', growth => '\* 3600 > ',
             filled => 'overflow_used:ratio > ', waits => 'oldest_seconds > ');
my $seen = 0;

for my $file (qw(src/page/health.js conf/monitor/src/health.ts)) {
    my ($list) = contents("$Trove::Nginx::ROOT/$file")
                 =~ /^(?:export )?const LIMITS = \{\n(.*?)^\};/ms;

    while ($list =~ /^ +(\w+): ([\d.e]+),/mg) {
        my ($name, $is) = ($1, $2);
        my ($ours) = $rules =~ /$limit{$name}([\d.e]+)$/m;

        is($ours // 'none', $is, "$file: $name");
        $seen++;
    }
}

is($seen, 14, 'all of them');

my ($fullest) = contents("$conf/grafana.json")
                =~ /"title": "Fullest".*?"color": "red",\s*"value": ([\d.]+)/s;

like($rules, qr/$limit{used}\Q$fullest\E$/m, 'so does the dashboard');

# names: of figures, of what is recorded, and of a directive

my %known = (%{ exported($t) }, trove_stats => 1,
             map { $_ => 1 } $rules =~ /- record: (\S+)/g);

is_deeply([ grep { !$known{$_} } $rules =~ /\b(trove[_:][\w:]*\w)/g ], [],
          'the rules are of figures that there are');

my $readme = contents("$Trove::Nginx::ROOT/README.md");

is_deeply([ grep { $readme !~ /`$_`/ } @alerts ], [],
          'and the README names each alert');

done_testing;
