#!/usr/bin/perl

# A process that was stopped while it wrote keeps a view from being built: the
# worker tries again once in an epoch, and not all the time.

use strict;
use warnings;
no warnings 'portable';

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


# as in src/core/trove_ledger.c

my $MAGIC = 'tvledger';
my $LOCK = 128;
my $ROW = 56;
my $WRITING = 1 << 63;

my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=50k; epoch 1h; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats write=on; }
END


# the ledger in a worker's memory: the file, and the ledger's place in it

sub ledger {
    my $pid = shift;

    open my $maps, '<', "/proc/$pid/maps" or return;
    open my $mem, '+<:raw', "/proc/$pid/mem" or return;

    for my $line (<$maps>) {
        my ($from, $to) = $line =~ /^(\w+)-(\w+) rw-s/ or next;

        for (my $at = hex $from; $at < hex $to; $at += 4096) {
            return ($mem, $at) if take($mem, $at, 8) eq $MAGIC;
        }
    }

    return;
}


sub take {
    my ($mem, $at, $n) = @_;

    sysseek $mem, $at, 0;
    sysread $mem, my ($bytes), $n;

    return $bytes // '';
}


sub put {
    my ($mem, $at, $number) = @_;

    sysseek $mem, $at, 0;

    return syswrite $mem, pack 'Q<', $number;
}


# seconds of the processor that a process has used

sub used {
    my $pid = shift;

    open my $f, '<', "/proc/$pid/stat" or return 0;
    my @fields = split ' ', <$f> =~ s/^.*\) //r;

    return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


my $clients = $t->clients;
my ($writer, $other) = sort { $a <=> $b } keys %$clients;
my ($mem, $at) = ledger($other);

plan skip_all => 'the memory of a worker cannot be written' if !$mem;

my $res = $clients->{$writer}->request('POST', '/rewards',
    { 'Content-Type' => 'application/x-ndjson' },
    join '', map { qq({"id":$_,"x":1,"y":1}\n) } 1 .. 10_000);

is($res->{json}{accepted}, 10_000, 'rewards, that one worker does not know of');

# by the hand of a process that lives: this one

my $row = unpack('Q<', take($mem, $at + 32, 8)) + 9000 * $ROW + $at;
my $version = unpack 'Q<', take($mem, $row, 8);

is($version, 9001, 'one of them is being written');
put($mem, $at + $LOCK, $$ << 32);
put($mem, $row, $version | $WRITING);

my $poll = '/poll?x=1&y=1';

$res = $clients->{$other}->get($poll)->{json};
is($res->{found}, 9000, 'it is asked for, and what comes before it is seen');

ok($t->wait_log(qr/\[error\] .* new view .* could not be built/),
   'a new view would have it, too');

my $before = used($other);

sleep 1;
cmp_ok(used($other) - $before, '<', 0.3, 'there is no hurry to build another');

is($clients->{$other}->get($poll)->{json}{found}, 9000, 'polls go on');

put($mem, $row, $version);
put($mem, $at + $LOCK, 0);

# the next epoch

$clients->{$other}->request('POST', '/stats?cycle=hunt');

ok(wait_until {
       $clients->{$other}->get($poll)->{json}{found} == 10_000
   }, 'it is written, and all are found');

done_testing;
