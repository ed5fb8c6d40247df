#!/usr/bin/perl

# Prometheus' own tools find nothing wrong with the stats in their formats.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'END');
    trove hunt {
        capacity rewards=10 players=10;
        coin     a.b-c_9 value=1 weight=1;
        board    best rows=10 from=claims;
        store    sqlite:%%DIR%%/hunt.db;
        %%SIMD%%
    }
    trove other-one.2 { overflow redis://127.0.0.1:1; %%SIMD%% }
    trove __proto__ { board B_- rows=1 reset=daily; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /claim   { trove_claim   hunt; }
    location = /tap     { trove_tap     hunt; }
    location = /stats   { trove_stats; }
END

$t->post('/rewards', '{"id":1,"x":1,"y":1}');
$t->get('/poll?x=1&y=1') for 1 .. 20;

for my $player ('p', '\"\\\n{}#', "\xf0\x9f\xa6\x84") {
    $t->post('/claim', qq({"player":"$player","reward":1}));
    $t->post('/tap', qq({"player":"$player"}));
}


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


tool('prometheus', 'promtool', 'check', 'metrics');

my $python = <<'END';
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
assert len(families) > 50
assert len(set(f.name for f in families)) == len(families)
assert all(f.documentation and f.type != 'unknown' for f in families)
samples = [s for f in families for s in f.samples]
assert len(set((s.name, *sorted(s.labels.items())) for s in samples)) \
       == len(samples)
assert any(s.exemplar for s in samples)
END

# Debian's Python, whichever comes first in the path

tool('openmetrics', '/usr/bin/python3',
     $t->write_file('openmetrics.py', $python));

done_testing;
