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

# a test sees when a rule is another one

for my $change ([ '_5m > 0.02', '_5m > 0.9' ], [ 'code=~"5.."', 'code=~".*"' ],
                [ '24 \* 3600', '48 * 3600' ], [ 'for: 2m', 'for: 20m' ])
{
    my ($from, $to) = @$change;
    my $changed = $rules;

    is($changed =~ s/\Q$from\E/$to/ || $changed =~ s/$from/$to/, 1,
       "$to for $from");
    $t->write_file('changed.yml', $changed);

    my ($well) = promtool('test', 'rules', $t->write_file('test.yml',
        $tested =~ s{ - \S+/trove\.yml}{ - changed.yml}r));

    ok(!$well, 'is found by the tests');
}

# names: of figures, of what is recorded, and of a directive

my %known = (%{ exported($t) }, trove_stats => 1,
             map { $_ => 1 } $rules =~ /- record: (\S+)/g);

is_deeply([ grep { !$known{$_} } $rules =~ /\b(trove[_:][\w:]*\w)/g ], [],
          'the rules are of figures that there are');

my $readme = contents("$Trove::Nginx::ROOT/README.md");

is_deeply([ grep { $readme !~ /`$_`/ } @alerts ], [],
          'and the README names each alert');

done_testing;
