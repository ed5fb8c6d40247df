#!/usr/bin/perl

# Prometheus' own tools find nothing wrong with the stats in their formats.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'END');
    trove hunt { %%SIMD%% }
    trove other-one.2 { %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
END

$t->post('/rewards', '{"id":1,"x":1,"y":1}');
$t->get('/poll?x=1&y=1') for 1 .. 20;


sub tool {
    my ($format, @command) = @_;
    my $path = $format eq 'prometheus' ? '/stats?format=prometheus' : '/stats';
    my $res = $t->get($path, { Accept => 'application/openmetrics-text' });
    my $file = $t->write_file("$format.txt", $res->{body});
    my $said = `@command <$file 2>&1`;

    is($?, 0, "@command[0 .. 1] of $format") or diag $said;
    is($said, '', 'has nothing to say');

    # that it can say something

    $t->write_file("$format.txt", $res->{body} =~ s/\d+$/x/mr);
    `@command <$file 2>&1`;
    isnt($?, 0, 'but would have');
}


SKIP: {
    skip 'no promtool', 3 if `promtool --version 2>&1` !~ /version/;

    tool('prometheus', 'promtool', 'check', 'metrics');
}

my $python = <<'END';
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
assert len(list(text_string_to_metric_families(sys.stdin.read()))) > 20
END

SKIP: {
    skip 'no prometheus_client', 3
        if system("python3 -c 'import prometheus_client' 2>/dev/null") != 0;

    my $script = $t->write_file('openmetrics.py', $python);

    tool('openmetrics', 'python3', $script);
}

done_testing;
