package Trove::Clock;

# A clock that stands still where a test sets it, for nginx and its workers;
# what is measured by CLOCK_MONOTONIC goes on.
#
#   my $clock = Trove::Clock->new('2024-02-29 23:59:59');
#   Trove::Nginx->start(env => $clock->env, ...);
#   $clock->set('2024-03-01 00:00:00');          # UTC

use strict;
use warnings;

use File::Temp qw(tempdir);
use Time::Local qw(timegm);


my ($LIB) = glob '/usr/lib/*/faketime/libfaketime.so.1';


# What the library leaves of processes that end without its knowledge; nginx
# has ended by then if this is used before Trove::Nginx

END {
    for my $file (glob '/dev/shm/faketime_shm_* /dev/shm/sem.faketime_sem_*') {
        unlink $file if $file =~ /_(\d+)$/ && !-e "/proc/$1";
    }
}


sub new {
    my ($class, $time) = @_;
    my $dir = tempdir('trove-clock-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { dir => $dir, file => "$dir/time" }, $class;

    $LIB or die "there is no libfaketime\n";
    chmod 0755, $dir;
    $self->set($time);

    return $self;
}


# It looks at the file each time that it is asked.  For stat() it would take a
# semaphore, which a process that is killed keeps from all others.

sub env {
    my $self = shift;

    return { LD_PRELOAD => $LIB, TZ => 'UTC', FAKETIME_NO_CACHE => 1,
             FAKETIME_TIMESTAMP_FILE => $self->{file},
             FAKETIME_DONT_FAKE_MONOTONIC => 1, DONT_FAKE_MONOTONIC => 1,
             NO_FAKE_STAT => 1 };
}


# Never half written

sub set {
    my ($self, $time) = @_;

    open my $f, '>', "$self->{file}.new" or die "clock: $!\n";
    print $f "$time\n";
    close $f or die "clock: $!\n";
    rename "$self->{file}.new", $self->{file} or die "clock: $!\n";
}


# Unix seconds of such a time

sub unix {
    my ($year, $month, $day, $hour, $min, $sec)
        = $_[-1] =~ /^(\d+)-(\d+)-(\d+)(?: (\d+):(\d+):(\d+))?$/
        or die "not a time: $_[-1]\n";

    return timegm($sec // 0, $min // 0, $hour // 0, $day, $month - 1, $year);
}


1;
