package Bench::Script;

# The script that decides a trove's writes in Redis, driven by redis-benchmark,
# for a copy of a trove that nobody follows: so many claims in each call, by
# players that are new.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(sum0);

use Bench::Machine;
use Bench::Programs;
use Trove::Nginx;


our @EXPORT = qw($SITE spent main_thread command twin evaluate benchmark);

# Arguments of a program have no zero bytes: an id, and a place on earth, whose
# numbers have none

our $SITE = { id => 0x01010102, x => 0.1234567890123, y => -84.9876543210987 };

my $LEVEL = 1.2345678901234;
my $PLAYERS = 2_000_000_000;            # who claims is any of so many
my $PIPELINE = 2;                       # calls under way, as those of nginx
my $CLIENTS = 8;


# CPU that all threads of a process have taken, or its first one, in ns

sub spent {
    my $pid = shift;

    return sum0(map { taken($_) } glob "/proc/$pid/task/*/schedstat");
}


sub main_thread { return taken("/proc/$_[0]/task/$_[0]/schedstat") }

sub taken { return (split ' ', slurp($_[0]))[0] // 0 }


sub command {
    my ($socket, @command) = @_;

    open my $f, '-|', 'redis-cli', '-s', $socket, @command
        or die "redis-cli: $!\n";
    local $/;

    my $said = <$f> // '';

    close $f or die "redis-cli @command: $said\n";
    return $said =~ s/\n\z//r;
}


# Copies a trove of nginx() that has players and claims for so many, and returns
# the script for it, with what a call has before its ops: redis-benchmark cannot
# send them.  They are constants, for the session is none.

sub twin {
    my ($socket, $trove, $name, %capacity) = @_;
    my $file = "$DIR/trove_redis.lua";
    my $instance = command($socket, 'HGET', "trove:{$trove}", 'instance');

    for my $part ('', ':rewards') {
        my $copied = command($socket, 'COPY', "trove:{$trove}$part",
                             "trove:{$name}$part");

        $copied eq '1' or die "redis does not copy the trove: $copied\n";
    }

    system("$Trove::Nginx::ROOT/src/store/build", $file) == 0
        or die "the script is not built\n";

    # as nginx() configures the trove: range, max_speed, rate, burst

    my $range = sin(50 / (2 * 6371008.8)) ** 2;
    my $call = pack 'a32Cd<Cd<', $instance, 0, 0, 0, 0;
    my $rules = pack 'Cd<d<Cd<d<L<4C', 1, $range, 40, 0, 100_000, 20,
                     @capacity{qw(rewards players claims)}, 65536, 0;
    my $text = slurp($file);

    $text =~ s/\A#!lua\n\K/sprintf 'ARGV[1] = %s; ARGV[2] = %s;',
                               quoted($call), quoted($rules)/e
        or die "the script begins otherwise\n";

    my $sha = command($socket, 'SCRIPT', 'LOAD', $text);

    $sha =~ /^[0-9a-f]{40}$/ or die "redis does not load the script: $sha\n";

    return { socket => $socket, sha => $sha, key => "trove:{$name}",
             done => 0 };
}


sub quoted {
    return '"' . join('', map { sprintf '\\%03d', $_ } unpack 'C*', $_[0])
           . '"';
}


# So many claims in calls of so many ops: claims a second by the clock, and
# Redis' CPU for each in us

sub evaluate {
    my ($twin, $pid, $claims, $ops) = @_;
    my $op = pack 'a1L<d<d<d<Ca*', 'c', $SITE->{id}, $LEVEL, $SITE->{x},
                  $SITE->{y}, 1, '__rand_int__';
    my $calls = int($claims / $ops);
    my $before = spent($pid);
    my $rate = benchmark($twin->{socket}, $calls, 'EVALSHA', $twin->{sha}, 1,
                         $twin->{key}, 'ARGV1', 'ARGV2', ($op) x $ops);
    my $cpu = spent($pid) - $before;

    $twin->{done} += $calls * $ops;

    return { rate => $rate * $ops, cpu => $cpu / ($calls * $ops) / 1000,
             lines => $calls * $ops };
}


# Commands a second

sub benchmark {
    my ($socket, $n, @command) = @_;

    open my $f, '-|', 'taskset', '-c', $CLIENT, 'redis-benchmark', '-s',
         $socket, '-c', $CLIENTS, '-P', $PIPELINE, '-n', $n, '-r', $PLAYERS,
         '--csv', @command or die "redis-benchmark: $!\n";
    local $/;

    my $said = <$f> // '';

    close $f or die "redis-benchmark has failed: $said\n";

    my ($rate) = $said =~ /"([\d.]+)"(?:,"[\d.]+"){6}\s*\z/
        or die "redis-benchmark says: $said\n";

    return $rate;
}


1;
