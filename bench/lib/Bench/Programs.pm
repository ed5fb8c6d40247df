package Bench::Programs;

# The programs of bench/ and others, which end when this does.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();

use Bench::Machine;
use Trove::Nginx;


our @EXPORT = qw($DIR lines_of measure stream start end end_all);

our $DIR = "$Trove::Nginx::BUILD/bench";

my %pids;


# The lines that a program of bench/ prints, on the CPU of the load unless
# another is given

sub lines_of {
    my ($cpu, $program, @args) = @_;
    my $pid = open my $f, '-|', 'taskset', '-c', $cpu, "$DIR/$program", @args
        or die "$program: $!\n";

    $pids{$pid} = 1;

    my @lines = <$f>;

    close $f;
    delete $pids{$pid};

    die "$program has failed\n" if $?;

    return @lines;
}


# The output of bench/load, each line as a hash

sub measure {
    return map {
        my ($what, @settings) = split ' ', $_;
        { what => $what, map { split /=/, $_, 2 } @settings };
    } lines_of($CLIENT, 'load', @_);
}


sub stream {
    my %s = @_;

    return join ',', map { "$_=$s{$_}" } sort keys %s;
}


sub start {
    my ($cpu, @command) = @_;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        alarm 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$DIR/started";
        open STDERR, '>&', \*STDOUT;
        exec 'taskset', '-c', $cpu, @command or POSIX::_exit(127);
    }

    $pids{$pid} = 1;

    return $pid;
}


sub end {
    my $pid = shift;

    kill 'TERM', $pid;
    wait_until { waitpid($pid, POSIX::WNOHANG()) != 0 } 10
        or kill 'KILL', $pid;
    delete $pids{$pid};
}


sub end_all { end($_) for keys %pids }


1;
