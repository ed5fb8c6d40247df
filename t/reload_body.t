#!/usr/bin/perl

# A batch that is being received while nginx reloads is taken whole: the old
# worker stays until it has answered.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 2, http => <<'END', server => <<'END2');
client_max_body_size 64m;

trove hunt {
    capacity rewards=100k;
    arena 1m;
    space earth;
    %%SIMD%%
}
END
location = /rewards { trove_rewards hunt; }
END2

my $rewards = ndjson(map { { id => $_, x => $_ % 180, y => $_ % 90 } }
                     1 .. 50_000);
my $request = Trove::Client->format_request('POST', '/rewards',
    { 'Content-Type' => 'application/x-ndjson' }, $rewards);
my @answers;

for (1 .. 5) {
    my $c = $t->client;

    $c->send(substr $request, 0, 100_000);
    ok($t->hup, 'nginx reloads');
    $c->send(substr $request, 100_000);
    push @answers, scalar eval { $c->response->{json}{accepted} };
}

is_deeply(\@answers, [ (50_000) x 5 ], 'each batch was carried out');
ok($t->hup(gone => 1), 'and the old workers end');

done_testing;
