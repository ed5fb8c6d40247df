#!/usr/bin/perl

# A start says how much memory a trove takes, has it, or fails and names the
# bytes.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


sub meminfo {
    my $name = shift;

    open my $f, '<', '/proc/meminfo' or die "/proc/meminfo: $!\n";

    return map { /^$name:\s+(\d+) kB/ ? $1 * 1024 : () } <$f>;
}


my $t = Trove::Nginx->start(workers => 3, http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=500k; arena 3m; %%SIMD%% }
HTTP
    location = /stats { trove_stats; }
END

my ($all, $ledger, $arenas, $views, $kept) = $t->log =~ /\[notice\] .*
    trove\ "hunt"\ takes\ (\d+)\ bytes:\ ledger\ (\d+),
    \ arenas\ of\ 3\ workers\ (\d+),\ their\ views\ up\ to\ (\d+)\ when\ full,
    \ one\ kept\ for\ those\ that\ start\ (\d+),/x;

ok($all, 'the memory is told at start');
is($all, $ledger + $arenas + $views + $kept, 'in all its parts');
is($kept * 3, $views, 'one view more than there are workers');
is($arenas, 3 * 3 * 1048576, 'the arenas of all workers');
my $queues = 1048576;               # who waits in which queue

cmp_ok($ledger - $queues, '<=', 64 * 500_000 + 65536,
       'the ledger, 64 bytes a reward');
cmp_ok($views, '<=', 3 * 48 * 500_000 + 1048576, 'and the views, 48');

my $stats;

ok(wait_until {
       $stats = $t->get_json('/stats')->{troves}{hunt};
       $stats->{arena_size} == $arenas
   }, 'which are the arenas that there are');
cmp_ok(abs($stats->{ledger_bytes} - $ledger), '<', 65536, 'and the ledger');

# it is there, not only promised: the master has faulted it in

cmp_ok($t->resident($t->master), '>', $ledger, 'the ledger is in memory');

for my $pid ($t->workers) {
    cmp_ok($t->resident($pid), '>', 3 * 1048576, 'and so are the arenas');
}

$t->stop;

# players and claims

$t = Trove::Nginx->start(http => <<'HTTP', server => '');
    trove hunt { capacity rewards=500k players=100k claims=300k; %%SIMD%% }
HTTP

my ($with) = $t->log =~ /trove "hunt" takes \d+ bytes: ledger (\d+),/;

cmp_ok($with, '<=', $ledger + 128 * 100_000 + 56 * 300_000 + 65536,
       'players take 128 bytes, claims 56');
like($t->log, qr/room for 500000 rewards, 100000 players and 300000 claims/,
     'and how many there is room for is told, too');
cmp_ok($t->resident($t->master), '>', $with, 'all of it is in memory');

$t->stop;

# boards, of which one has two periods

$t = Trove::Nginx->start(http => <<'HTTP', server => '');
    trove hunt {
        capacity rewards=500k;
        board one rows=100k row=256;
        board two rows=50k row=1k reset=daily;
        %%SIMD%%
    }
HTTP

($with) = $t->log =~ /trove "hunt" takes \d+ bytes: ledger (\d+),/;

cmp_ok($with, '>=', $ledger + 256 * 100_000 + 2 * 1024 * 50_000,
       'boards take the bytes of their rows');
cmp_ok($with, '<=', $ledger + (256 + 90) * 100_000 + 2 * (1024 + 90) * 50_000
       + 65536, 'and 90 more for each');
like($t->log, qr/and the boards for 150000 rows$/m, 'how many is told');
cmp_ok($t->resident($t->master), '>', $with, 'they are in memory');

$t->stop;

# what is not to be had

my $said = Trove::Nginx->refused(http => 'trove hunt { arena 100000g; }');

like($said, qr/\[emerg\] .*trove "hunt" needs \d{15} bytes at start/,
     'an arena that nobody has, by its bytes');

$said = Trove::Nginx->refused(workers => 4,
                              http => 'trove hunt { arena 4294967296g; }');

like($said, qr/\[emerg\] .*trove "hunt" needs \d{18,} bytes at start/,
     'and one of which the workers have 2^64 together');

my ($total, $available) = (meminfo('MemTotal'), meminfo('MemAvailable'));

# above what is free, and above all there is, of which no mapping is to be had

for my $bytes ($available + 2**29, $total * 1.02) {
    my $most = int($bytes / (($ledger - $queues) / 500_000));

    next if $most > 2147483647;

    $said = Trove::Nginx->refused(http =>
                                  "trove hunt { capacity rewards=$most; }");

    like($said, qr/\[emerg\] .*trove "hunt" needs \d{9,} bytes at start,/,
         'a capacity that is too large, by its bytes');

    $most = int($bytes / 123);
    $said = Trove::Nginx->refused(http => "trove hunt { capacity rewards=1
                                           players=$most claims=1; }");

    like($said, qr/\[emerg\] .*trove "hunt" needs \d{9,} bytes at start,/,
         'and one of players');
}

# troves that only together are too much

my $arena = sprintf '%dm', $available * 0.6 / 1048576;

$said = Trove::Nginx->refused(http => "trove one { arena $arena; }
                                       trove two { arena $arena; }");

like($said, qr/\[emerg\] .*trove "two" needs \d+ bytes at start/,
     'two troves of which each could be');

# large pages that there are none of: transparent ones are forbidden to all
# processes from here on

SKIP: {
    my $prctl = { x86_64 => 157, aarch64 => 167 }->{ (POSIX::uname())[4] };

    skip 'there are reserved ones', 2
        if grep { $_ } map { /(\d+)/ } meminfo('HugePages_Free');
    skip 'transparent ones cannot be forbidden', 2
        if !$prctl || syscall($prctl, 41, 1, 0, 0, 0) != 0;

    $said = Trove::Nginx->refused(http => 'trove hunt { large_pages on; }');

    like($said, qr/\[emerg\] .*16777216 bytes.* to be had from large pages/,
         'large pages that there are none of');

    $t = Trove::Nginx->start(http => 'trove hunt { large_pages auto; }',
                             server => 'location = /stats { trove_stats; }');

    is($t->get_json('/stats')->{troves}{hunt}{large_pages}, 0,
       'if they need not be, it does without, and says so');
}

done_testing;
