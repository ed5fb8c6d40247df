package Bench::Programs;

# The programs of bench/ and others, which end when this does.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();

use Bench::Machine;
use Trove::Nginx;


our @EXPORT = qw($DIR lines_of each_line measure measure_beside stream start end
                 end_all);

our $DIR = "$Trove::Nginx::BUILD/bench";

my %pids;


# The lines that a program of bench/ prints, on the CPU of the load unless
# another is given

sub lines_of {
    my @lines;

    run(sub { push @lines, $_[0] }, @_);

    return @lines;
}


# Calls the sub with each line as it comes

sub run {
    my $sub = shift;

    finish($sub, begin(@_));
}


sub begin {
    my ($cpu, $program, @args) = @_;
    my $pid = open my $f, '-|', 'taskset', '-c', $cpu, "$DIR/$program", @args
        or die "$program: $!\n";

    $pids{$pid} = 1;

    return { file => $f, pid => $pid, program => $program };
}


sub finish {
    my ($sub, $run) = @_;
    my $f = $run->{file};

    while (my $line = <$f>) {
        $sub->($line);
    }

    close $f;
    delete $pids{$run->{pid}};

    die "$run->{program} has failed\n" if $?;
}


# The output of bench/load, each line as a hash; at once or as it comes

sub measure {
    return map { fields($_) } lines_of($CLIENT, 'load', @_);
}


# Several at the same time, each a list of arguments

sub measure_beside {
    my @runs = map { begin($CLIENT, 'load', @$_) } @_;
    my @lines;

    finish(sub { push @lines, fields($_[0]) }, $_) for @runs;

    return @lines;
}


sub each_line {
    my ($sub, @args) = @_;

    run(sub { $sub->(fields($_[0])) }, $CLIENT, 'load', @args);
}


sub fields {
    my ($what, @settings) = split ' ', shift;

    return { what => $what, map { split /=/, $_, 2 } @settings };
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
