#!/usr/bin/perl

# nginx as a single process, as its developers run it.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(main => 'master_process off;',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt { capacity rewards=60k; %%SIMD%% }
    client_max_body_size 10m;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER

is_deeply([ Trove::Nginx::children($t->master) ], [],
          'there is one process');

my $res = $t->post('/rewards', ndjson(
              map { { id => $_, x => $_ % 500, y => $_ / 500 } } 1 .. 50_000));

is($res->{json}{accepted}, 50_000, 'it takes rewards');
is($res->{headers}{'x-worker'}, $t->master, 'itself');

ok(wait_until { $t->get_json('/poll?x=250&y=50&r=1000')->{found} == 50_000 },
   'polls find them');
cmp_ok($t->get_json('/stats')->{troves}{hunt}{view_builds}, '>', 0,
       'a view was built by a thread');
is($t->get_json('/stats')->{troves}{hunt}{workers}[0]{pid}, $t->master,
   'it has its figures');
is(() = $t->get('/rewards')->{body} =~ /\n/g, 50_000, 'it exports');
cmp_ok($t->quit, '<', 5, 'it quits');

done_testing;
