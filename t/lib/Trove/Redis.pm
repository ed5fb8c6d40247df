package Trove::Redis;

# A redis-server of a test's own, in a folder of its own, on a port of
# 127.0.0.1 and a socket: ended, and its folder removed, with the test.
#
#   my $redis = Trove::Redis->start(port => 1, conf => [...], files => 0);
#
#   conf     lines of its configuration besides those that are always there
#   append   1: with an append-only file, each write on the disk (as the
#            README advises); 0 (default): nothing outlives it
#   cluster  1: cluster-enabled

use strict;
use warnings;

use Fcntl qw(:flock);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More ();

use Trove::Nginx;


my @running;


sub start {
    my ($class, %arg) = @_;
    my $self = $class->new(%arg);

    $self->launch;

    return $self;
}


sub new {
    my ($class, %arg) = @_;
    my $dir = tempdir('trove-redis-XXXXXX', TMPDIR => 1);
    my $self = bless { dir => $dir, port => Trove::Nginx::free_port(),
                       password => '' }, $class;

    $self->{lock} = Trove::Nginx::hold($dir);

    chmod 0755, $dir;
    $self->configure(%arg);

    push @running, $self;

    return $self;
}


sub configure {
    my ($self, %arg) = @_;
    my $append = $arg{append} ? 'yes' : 'no';
    my $cluster = $arg{cluster} ? "cluster-enabled yes\n" : '';
    my $more = join '', map { "$_\n" } @{ $arg{conf} || [] };

    open my $f, '>', "$self->{dir}/redis.conf" or die "redis.conf: $!\n";
    print $f <<"END" . $cluster . $more;
bind 127.0.0.1
port $self->{port}
unixsocket $self->{dir}/redis.sock
unixsocketperm 777
dir $self->{dir}
logfile $self->{dir}/redis.log
daemonize no
save ""
appendonly $append
appendfsync always
repl-diskless-sync-delay 0
END
    close $f;
}


# Until it answers; ready => 0: until it is a process

sub launch {
    my ($self, %arg) = @_;

    $self->{pid} = fork // die "fork: $!\n";

    if ($self->{pid} == 0) {
        alarm 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE ALRM);
        Trove::Nginx::end_with_parent();
        close $self->{lock};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/stdout";
        open STDERR, '>&', \*STDOUT;
        exec 'redis-server', "$self->{dir}/redis.conf" or POSIX::_exit(127);
    }

    return if defined $arg{ready} && !$arg{ready};

    wait_until { $self->said('PING') =~ /PONG|NOAUTH|LOADING/ }
        or die "redis-server does not answer:\n" . $self->log;
}


sub port { return $_[0]{port} }
sub pid { return $_[0]{pid} }
sub dir { return $_[0]{dir} }
sub socket { return "$_[0]{dir}/redis.sock" }

# What it is by "store"

sub url {
    my ($self, $rest) = @_;

    return "redis://127.0.0.1:$self->{port}" . ($rest // '/0');
}


# For command(), once a password has been set

sub password { $_[0]{password} = $_[1] }


sub cli {
    my ($self, @more) = @_;
    my @auth = $self->{password} eq '' ? ()
             : ('-a', $self->{password}, '--no-auth-warning');

    return ('redis-cli', '-s', $self->socket, @auth, @more);
}


# The reply as a value of Perl's, or death with the error

sub command {
    my ($self, @command) = @_;

    open my $f, '-|', $self->cli('--json', @command) or die "redis-cli: $!\n";
    local $/;

    my $text = <$f> // '';

    close $f;

    my $reply = eval { JSON::PP->new->allow_nonref->decode($text) };

    $@ and die "redis: $text\n";

    return $reply;
}


# The reply as text, errors as well

sub said {
    my ($self, @command) = @_;
    my $command = join ' ', map { "'$_'" } $self->cli(@command);

    return `$command 2>&1`;
}


sub info {
    my ($self, $section, $field) = @_;

    return $self->said('INFO', $section) =~ /^$field:(.*?)\r?$/m ? $1 : undef;
}


sub log {
    my $self = shift;

    open my $f, '<', "$self->{dir}/redis.log" or return '';
    local $/;

    return scalar(<$f>) // '';
}


sub signal {
    my ($self, $sig) = @_;

    kill $sig, $self->{pid};
}


# Ends it by that signal, and waits for that

sub stop {
    my ($self, $sig) = @_;

    return if !$self->{pid};

    # a process that is stopped does not end by a SIGTERM

    kill $sig || 'KILL', $self->{pid};
    kill 'CONT', $self->{pid};
    waitpid $self->{pid}, 0;

    delete $self->{pid};
}


sub again {
    my ($self, %arg) = @_;

    $self->stop;
    $self->launch(%arg);
}


# nginx may need it until it has ended

push @Trove::Nginx::LAST, sub {
    for my $redis (@running) {
        $redis->stop;

        if ($ENV{TROVE_TEST_KEEP} || Trove::Nginx::failed()) {
            unlink "$redis->{dir}/.lock";
            Test::More::diag("kept: $redis->{dir}");
        } else {
            remove_tree($redis->{dir});
        }
    }
};


1;
