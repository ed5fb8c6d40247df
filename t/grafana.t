#!/usr/bin/perl

# The dashboard: each expression is one that Prometheus parses, of figures that
# the module exports; its variables are there, and used; no panel is of a kind
# that Grafana gives up.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Prometheus;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') ne 'dynamic') {
    plan skip_all => 'the same for each way to build';
}

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=10; %%SIMD%% }
HTTP
    location = /stats { trove_stats; }
END

open my $f, '<', "$Trove::Nginx::ROOT/conf/grafana.json" or die "$!\n";
my $text = do { local $/; <$f> };
my $board = JSON::PP->new->decode($text);

# what Grafana itself gives a value

my %builtin = map { $_ => 1 } qw(__rate_interval __all);

my %variable = map { $_->{name} => $_ } @{ $board->{templating}{list} };

is_deeply([ sort keys %variable ], [qw(datasource instance trove)],
          'variables');

my %used = map { $_ => 1 } map { grep { defined } @$_ }
           [ $text =~ /\$\{?(\w+)/g ];

is_deeply([ grep { !$variable{$_} && !$builtin{$_} } sort keys %used ], [],
          'each that is used is there');
is_deeply([ grep { !$used{$_} } sort keys %variable ], [],
          'each that is there is used');

my @panels = map { $_, @{ $_->{panels} || [] } } @{ $board->{panels} };
my @drawn = grep { $_->{type} ne 'row' } @panels;
my %ids = map { $_->{id} => 1 } @panels;

is(scalar keys %ids, scalar @panels, 'each panel has an id of its own');
cmp_ok(scalar(grep { $_->{type} eq 'timeseries' } @drawn), '>', 20,
       'most are of time series');
is_deeply([ grep { !/^(?:timeseries|stat)$/ } map { $_->{type} } @drawn ], [],
          'none is of a kind that is given up');
is_deeply([ map { $_->{title} } grep { !$_->{fieldConfig}{defaults}{unit} }
            @drawn ], [], 'each has a unit');
is_deeply([ map { $_->{title} } grep { ($_->{datasource}{uid} // '')
                                       ne '${datasource}' }
            @drawn, map { @{ $_->{targets} } } @drawn ], [],
          'and the data source that is chosen');

# within the width, and none upon another

my %taken;

for my $p (@panels) {
    my $g = $p->{gridPos};

    for my $x ($g->{x} .. $g->{x} + $g->{w} - 1) {
        for my $y ($g->{y} .. $g->{y} + $g->{h} - 1) {
            $taken{"$x,$y"}++ == 0 && $x < 24
                or fail("$p->{title} is upon another");
        }
    }
}

# expressions, as Grafana would send them

my $known = exported($t);
my @exprs = ((map { $_->{expr} } grep { $_->{expr} }
              @{ $board->{annotations}{list} }),
             map { $_->{expr} } map { @{ $_->{targets} } } @drawn);
my @values = map { $variable{$_}{query}{query} } qw(instance trove);
my (%named, $rules);

for my $expr (@exprs) {
    my $sent = $expr =~ s/\$__rate_interval/1m/gr
                     =~ s/\$(?:instance|trove)/.*/gr;

    unlike($sent, qr/\$/, "of known variables: $expr");
    like($expr, qr/\{instance=~"\$instance"/, 'of the instance that is chosen');

    $rules .= "  - {record: 'r:" . ++$named{''} . "', expr: '$sent'}\n";
}

delete $named{''};

my ($well, $said) = promtool('check', 'rules', $t->write_file('exprs.yml',
    "groups:\n- name: dashboard\n  rules:\n$rules"));

ok($well, 'Prometheus parses each') or diag $said;
like($said, qr/: @{[ scalar @exprs ]} rules found/, 'and all of them');

($well) = promtool('check', 'rules', $t->write_file('exprs.yml',
    "groups:\n- name: dashboard\n  rules:\n$rules"
    . "  - {record: 'r:x', expr: 'sum(rate(trove_x[1m])'}\n"));
ok(!$well, 'and would tell');

my %of = map { $_ => 1 } map { /\b(trove_\w+)/g } @exprs, @values;

is_deeply([ grep { !$known->{$_} } sort keys %of ], [],
          'they are of figures that the module exports');

done_testing;
