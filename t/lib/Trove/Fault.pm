package Trove::Fault;

# The points in a build with TROVE_FAULT_POINTS at which a process sends itself
# a signal: whoever of nginx's processes comes there at the right time, and
# only he.  The list of them is the program's own (see src/core/trove_fault.h),
# thus none can be forgotten.
#
#   my $fault = Trove::Fault->new;
#   my $t = Trove::Nginx->start(env => $fault->env, ...);
#
#   $fault->spare($t->master);
#   $fault->arm($_, 3, 'KILL') for $fault->points;
#   $fault->victim(7);              # who came to point 7 as the third
#
# Points are numbers.  Several may have one name, each is one of its own.

use strict;
use warnings;

use Config;
use File::Temp;
use List::Util qw(shuffle);
use Time::HiRes qw(sleep time);

use Trove::Nginx;


use constant {
    HEAD => 16, SPARED => 8,
    POINT => 96, NAME => 64, MET => 64, LEFT => 72, SIGNAL => 80, VICTIM => 88
};

# What has workers come to a point that requests alone seldom lead to

our %LEADS = (
    'stats claim'     => \&another_worker,
    'stats release'   => sub { $_[1]->hup },
    'snapshot'        => \&many_changes,
    'redo: forgotten' => \&lost_race,
    'recover: idle'   => sub { $_[0]->death_at('own: owned') },
    'recover: freed'  => sub { $_[0]->death_at('own: owned') },
    'recover: claim'  => sub { $_[0]->death_at('claim: decided') },
    'recover: spare'  => sub { $_[0]->death_at('player: indexed') },
    'given back'      => sub { $_[0]->death_at('flush: committed') },
    (map { ("board: $_" => sub { $_[0]->death_at('board: noted') }) }
         'rebuild', 'rebuilt', 'row free', 'row indexed'),
);

# The parts of all points: each is of one, that of boards, that of queues or
# that of the rest

my $BOARDS = qr/^(?:board|tree): /;
my $QUEUES = qr/^(?:mark|overflow|elect): |^flush: marks$/;

# Of copies: none of these workers has one

my $ELSEWHERE = qr/^replica: /;

my %NUMBER;

@NUMBER{ split ' ', $Config{sig_name} } = split ' ', $Config{sig_num};


sub new {
    my $class = shift;
    my $dir = File::Temp->newdir('trove-fault-XXXXXX', TMPDIR => 1);

    open my $f, '+>', "$dir/points" or die "points: $!\n";
    binmode $f;

    return bless { dir => $dir, file => $f }, $class;
}


sub env { return { TROVE_FAULT_FILE => "$_[0]{dir}/points" } }


sub word {
    my ($self, $at, $value) = @_;

    sysseek $self->{file}, $at, 0 or die "seek: $!\n";

    if (defined $value) {
        syswrite($self->{file}, pack 'Q<', $value) == 8 or die "write: $!\n";
        return;
    }

    sysread($self->{file}, my $bytes, 8) == 8 or return 0;

    return unpack 'Q<', $bytes;
}


sub of { return $_[0]->word(HEAD + $_[1] * POINT + $_[2], $_[3]) }


sub points {
    my $self = shift;

    $self->{n} ||= $self->word(0)
        or die "nginx was not built with TROVE_FAULT_POINTS\n";

    return 0 .. $self->{n} - 1;
}


sub name {
    my ($self, $point) = @_;

    sysseek $self->{file}, HEAD + $point * POINT, 0 or die "seek: $!\n";
    sysread $self->{file}, my $name, NAME;

    return unpack 'Z*', $name;
}


# A process that nothing happens to

sub spare { $_[0]->word(SPARED, $_[1]) }


# How often it was come to, by anybody

sub met { return $_[0]->of($_[1], MET) }


# What happens to the nth to come from now on

sub arm {
    my ($self, $point, $nth, $signal) = @_;

    $self->of($point, LEFT, 0);
    $self->of($point, VICTIM, 0);
    $self->of($point, SIGNAL, $NUMBER{$signal});
    $self->of($point, LEFT, $nth);
}


sub disarm {
    my ($self, @points) = @_;

    $self->of($_, LEFT, 0) for @points ? @points : $self->points;
}


# The process that it has happened to, 0: not yet

sub victim { return $_[0]->of($_[1], VICTIM) }


sub of_boards {
    my $self = shift;

    return grep { $self->name($_) =~ $BOARDS } $self->points;
}


sub of_queues {
    my $self = shift;

    return grep { $self->name($_) =~ $QUEUES } $self->points;
}


sub of_the_rest {
    my $self = shift;

    return grep { $self->name($_) !~ /$BOARDS|$QUEUES|$ELSEWHERE/ }
           $self->points;
}


# Has a worker die at each of these points, and again later in what it does;
# the names of those that nobody came to within seconds.  The ones that are not
# reached stay armed meanwhile: the deaths of others lead to them.

sub kill_at_each {
    my ($self, $t, $seconds, @points) = @_;
    my $end = time + $seconds;
    my %dead;
    my $left = sub { grep { !($dead{$_} ||= $self->victim($_)) } @points };

    while ($left->() && time < $end) {
        $self->kill_at($t, $_, 1 + int rand 3) for shuffle($left->());
    }

    $self->kill_at($t, $_, 1 + int rand 20) for shuffle(keys %dead);

    return map { $self->name($_) } $left->();
}


# Whoever is the nth to come there, if one comes soon

sub kill_at {
    my ($self, $t, $point, $nth) = @_;

    $self->arm($point, $nth, 'KILL');
    $self->lead($t, $point);

    wait_until { $self->victim($point) } 0.3;
    wait_until { $t->workers == $t->{workers} }
        or die "the dead are not replaced\n";
}


# The process that was stopped at a point, if one came there soon

sub stop_at {
    my ($self, $t, $point, $nth) = @_;

    $self->arm($point, $nth, 'STOP');
    $self->lead($t, $point);

    return $self->stopped($point, 0.3);
}


# Whoever is stopped at a point within seconds, and is for sure

sub stopped {
    my ($self, $point, $seconds) = @_;

    wait_until { $self->victim($point) } $seconds;
    $self->disarm($point);
    wait_until { $self->victim($point) } 0.02;

    my $pid = $self->victim($point) or return 0;

    wait_until { Trove::Nginx::stat_of($pid)->{state} eq 'T' }
        or die "$pid does not stop\n";

    return $pid;
}


# Has workers come to a point that is armed, beside what clients do

sub lead {
    my ($self, $t, $point) = @_;
    my $lead = $LEADS{ $self->name($point) } or return;

    $self->of($point, LEFT, 1) if !$self->victim($point);
    $lead->($self, $t);
}


sub named {
    my ($self, $name) = @_;
    my @named = grep { $self->name($_) eq $name } $self->points;

    die "no point is called \"$name\"\n" if !@named;

    return @named;
}


sub another_worker {
    my ($self, $t) = @_;
    my @workers = $t->workers;

    kill 'KILL', $workers[rand @workers];
}


sub death_at {
    my ($self, $name) = @_;
    my ($at) = $self->named($name);

    $self->arm($at, 1, 'KILL');
    wait_until { $self->victim($at) } 2;

    # else somebody would die later, whom others count on

    $self->disarm($at);
}


# So many that only new views catch up.  Who is asked may be the victim.

sub many_changes {
    my ($self, $t) = @_;
    my $c = $self->{client} = $t->client;

    $c->send_request('POST', '/rewards',
                     { 'Content-Type' => 'application/x-ndjson' },
                     ndjson(map { { id => 40_000 + $_, x => 9000, y => 9000 } }
                            1 .. 9000));
}


# A claim that takes so long that others of the same reward come before it

sub lost_race {
    my $self = shift;
    my ($filled) = $self->named('claim: filled');

    $self->arm($filled, 1, 'STOP');

    my $pid = $self->stopped($filled, 2);

    sleep 0.1;
    kill 'CONT', $pid if $pid;
}


# What a program says of the ledger in a file that no nginx has: "sane, ..."

sub ledger {
    my ($self, $file) = @_;
    my $program = "$self->{dir}/ledger_sane";
    my $src = "$Trove::Nginx::ROOT/src";

    if (!-e $program) {
        system('cc', '-std=gnu11', '-D_GNU_SOURCE', "-I$src/core", '-o',
               $program, "$Trove::Nginx::ROOT/t/lib/ledger_sane.c",
               glob("$Trove::Nginx::BUILD/fault/addon/{core,store}/*.o"),
               qw(-lyajl -lmimalloc -lsqlite3 -lhiredis -lm -lpthread))
               == 0
            or die "cc failed\n";
    }

    open my $f, '-|', $program, $file or die "$program: $!\n";
    local $/;

    return <$f> // '';
}


1;
