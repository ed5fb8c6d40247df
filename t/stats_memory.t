#!/usr/bin/perl

# What the stats say of memory is what the kernel says: of the whole worker,
# and of what an arena, a view and a ledger add to it.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $SANITIZED = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';
my $N = $SANITIZED ? 20_000 : 200_000;
my $QUEUES = 2 * 524288;        # of which nothing is touched while none wait


sub start {
    my $arena = shift;

    return Trove::Nginx->start(http => <<"HTTP", server => <<'SERVER');
    trove hunt { capacity rewards=${\ $N }; arena $arena; %%SIMD%% }
    client_max_body_size 0;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats write=on; }
SERVER
}


sub stats { return $_[0]->get_json('/stats')->{troves}{hunt} }


# bytes of a worker by kind: RssAnon, RssFile, RssShmem

sub kernel {
    my $pid = shift;

    open my $f, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!\n";

    return map { /^(Rss\w+):\s+(\d+) kB/ ? ($1, $2 * 1024) : () } <$f>;
}


sub near {
    my ($got, $want, $what) = @_;

    cmp_ok(abs($got - $want), '<=', $want / 20, $what)
        or diag "got $got, wanted $want";
}


# a small one to compare with

my $small = start('1m');
my ($pid) = $small->workers;

$small->get('/poll?x=1&y=1');

my $stats = stats($small);
my %small = (kernel($pid), %$stats);

near($stats->{workers}[0]{resident}, $small->resident($pid),
     'the resident set is that of the worker');
is($stats->{workers}[0]{pid}, $pid, 'by its pid');

$small->stop;

# a large one

my $t = start('64m');

($pid) = $t->workers;

my $body = join '', map { my $id = $_ * 7919 % $N + 1;
                          sprintf qq({"id":%d,"x":%d,"y":%d}\n), $id,
                                  $id % 1000, $id / 1000 } 1 .. $N;

is($t->post('/rewards', $body, { 'Content-Type' => 'application/x-ndjson' })
     ->{json}{accepted}, $N, 'rewards');
ok(wait_until {
       $t->get_json('/poll?x=500&y=100&r=5000')->{found} == $N
   }, 'that are all found');

$t->raw("GET /rewards HTTP/1.0\r\n\r\n");

# views that are worn out are given back by a thread

my (%large, $ours);

SKIP: {
    skip 'AddressSanitizer has memory of its own', 2 if $SANITIZED;

    ok(wait_until {
           $t->get('/poll?x=1&y=1');
           %large = (kernel($pid), %{ $stats = stats($t) });
           $ours = $large{arena_size} + $large{view_bytes}
                   - $small{arena_size} - $small{view_bytes};

           abs($large{RssAnon} - $small{RssAnon} - $ours) < $ours / 20
       }, 'what it is larger by is the arena and the view')
        or diag "RssAnon $small{RssAnon} .. $large{RssAnon}, ours $ours";

    cmp_ok($large{view_bytes}, '<=', $N * 48 * 1.5 + 65536,
           'a view has no more than 48 bytes a reward, and room for changes');
}

%large = (kernel($pid), %{ $stats = stats($t) });

near($stats->{workers}[0]{resident}, $t->resident($pid),
     'the resident set is that of the worker, again');
cmp_ok($large{RssShmem}, '>', ($large{ledger_bytes} - $QUEUES) * 0.9,
       'all of the ledger was looked at');
cmp_ok($large{RssShmem}, '<', $large{ledger_bytes} + 2_000_000,
       'and little else is shared');
cmp_ok($large{ledger_bytes}, '<=', 64 * $N + $QUEUES + 65536,
       '64 bytes a reward');
is($large{arena_size}, 64 * 1048576, 'the arena is as large as configured');

# what an epoch uses of the arena, and the most that one did

my $peak = $large{arena_peak};

cmp_ok($peak, '>', 0, 'an epoch has used some of the arena');
cmp_ok($peak, '<=', $large{arena_size}, 'and not more than there is');

ok(wait_until {
       $t->get('/poll?x=%31&y=%32&player=%61');
       $t->post('/stats?cycle=hunt', '');
       stats($t)->{arena_used} > 0
   }, 'the last one has used some');
ok(wait_until { stats($t)->{arena_used} == 0 },
   'and none, when nothing happens');
cmp_ok(stats($t)->{arena_peak}, '>=', $peak, 'the peak stays');

# of the same arena, by the page

is($large{large_pages} % 2097152, 0, 'large pages are large');
cmp_ok($large{large_pages}, '<=', $large{arena_size} + $large{view_bytes},
       'and no more than all');

done_testing;
