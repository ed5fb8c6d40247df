package Trove::Nginx;

# Runs nginx with the module for a test, and sees that it ran cleanly: an
# alert, an emergency, a sanitizer's report, a worker that died or a master
# that does not end, that the test did not announce, fails the test.
#
#   TROVE_TEST_NGINX    the binary; default: Debian's
#   TROVE_TEST_MODULE   the module to load; empty: it is in the binary
#   TROVE_TEST_SIMD     what %%SIMD%% in a configuration forces
#
# In configurations %%DIR%% is the folder of this nginx, %%PORT%% a free port,
# %%PORT1%% .. %%PORT9%% more of them.
#
# The folder is kept if the test has failed by the time nginx is stopped, and
# is told; TROVE_TEST_KEEP keeps all.

use strict;
use warnings;

use Config;
use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Spec;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);

use Trove::Client;


our @EXPORT = qw(wait_until ndjson);

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');
our $BUILD = $ENV{TROVE_BUILD} || "$ROOT/.build";
our $NGINX = $ENV{TROVE_TEST_NGINX} || '/usr/sbin/nginx';
our $MODULE = $ENV{TROVE_TEST_MODULE}
              // "$BUILD/dynamic/ngx_http_trove_module.so";

# What a clean run has none of: nginx's worst, deaths, sanitizers

our $BAD = qr/
    \[(?:alert|emerg|crit)\]
    | worker\ process\ \d+\ exited\ with\ (?:fatal\ )?code\ [1-9]
    | ERROR:\ (?:Address|Leak|Memory|Thread)Sanitizer
    | :\d+:\d+:\ runtime\ error:
    | libc\ reported | \*\*\*\ .*\ detected\ \*\*\*
/x;

my $NEXT_PORT = 10000 + ($$ * 17) % 20000;
my $MAIN_PID = $$;

# What is done after all nginx have ended

our @LAST;

my $died = 0;
my (@made, @running, @failures, %ports);


# A test that hangs is a test that fails, and leaves nothing behind

@SIG{qw(INT TERM HUP PIPE)} = (sub { exit 1 }) x 4;
$SIG{ALRM} = sub { fault('the test takes too long'); exit 1 };
alarm($ENV{TROVE_TEST_SECONDS} || 300);

sweep();


# wait_until(sub, seconds): true as soon as the sub is; never a bare sleep

sub wait_until(&;$) {
    my ($true, $seconds) = @_;
    my $end = time + ($seconds || 20);

    for ( ;; ) {
        my $v = $true->();

        return $v if $v;
        return '' if time > $end;
        sleep 0.01;
    }
}


sub ndjson {
    my $json = JSON::PP->new->canonical;

    return join '', map { $json->encode($_) . "\n" } @_;
}


# A port that nothing listens on, and that no test beside this one takes: who
# has the UDP port of the number has the TCP port too

sub free_port {
    for (1 .. 1000) {
        my $port = 10000 + $NEXT_PORT++ % 20000;
        my %at = (LocalAddr => '127.0.0.1', LocalPort => $port);
        my $lock = IO::Socket::INET->new(Proto => 'udp', %at) or next;

        if (IO::Socket::INET->new(Proto => 'tcp', Listen => 1, ReuseAddr => 1,
                                  %at))
        {
            $ports{$port} = $lock;
            return $port;
        }
    }

    die "no free port\n";
}


# start(...): starts nginx and waits until it answers
#
#   http      directives of the http block: troves, servers of one's own
#   server    directives of a server that listens on %%PORT%%; it also says in
#             a header X-Worker which process answered.  Default: no server
#   main      more directives of the main context
#   events    more directives of the events block
#   connections   worker_connections, default 1024
#   conf      the whole configuration, instead of all these
#   workers   number of worker processes, default 1
#   listen    parameters of the listen directive: 'reuseport', 'http2'
#   level     of the error log, default notice
#   daemon    1: nginx becomes a daemon, as usr2() needs it
#   env       more environment, which the workers keep
#   wait      0: do not wait until it answers

sub start {
    my ($class, %arg) = @_;
    my $self = $class->new(%arg);

    $self->launch;

    if (!$self->{daemon}) {
        $self->{master} = $self->{pid};
    }

    if ($arg{wait} // 1) {
        $self->wait_ready or die "nginx does not answer\n";
    }

    return $self;
}


# The same without starting it

sub new {
    my ($class, %arg) = @_;
    my $dir = tempdir('trove-XXXXXX', TMPDIR => 1);
    my $self = bless { dir => $dir, expect => [], port => {}, daemon => 0 },
                     $class;

    push @made, $self;
    $self->{lock} = hold($self->{dir});

    # workers that are not root reach the folder too

    chmod 0755, $dir;
    mkdir "$dir/logs";

    $self->{daemon} = $arg{daemon} || 0;
    $self->{env} = $arg{env} || {};
    $self->configure(%arg);

    return $self;
}


# What a test leaves that was killed, the next one to run takes away: a folder
# is in use while its lock is held, and kept if it has none.  There is no lock
# that is not held yet: that would be one of the dead.

sub hold {
    my $dir = shift;

    open my $lock, '+>', "$dir/.held" or die "$dir/.held: $!\n";
    flock $lock, LOCK_EX;
    rename "$dir/.held", "$dir/.lock" or die "$dir/.lock: $!\n";

    return $lock;
}


sub sweep {
    my $tmp = File::Spec->tmpdir;

    for my $file (glob "$tmp/trove-*/.lock") {
        open my $lock, '<', $file or next;
        flock $lock, LOCK_EX | LOCK_NB or next;
        remove_tree(dirname($file));
    }
}


sub leave {
    my $self = shift;

    @made = grep { $_ != $self } @made;

    if ($ENV{TROVE_TEST_KEEP} || failed()) {
        unlink "$self->{dir}/.lock";
        Test::More::diag("kept: $self->{dir}");
    } else {
        remove_tree($self->{dir});
    }

    delete $self->{lock};
}


sub failed { return $died || @failures || !Test::More->builder->is_passing }


# Writes another configuration, for hup(); what is not given is as it was

sub configure {
    my ($self, %arg) = @_;

    %arg = %{ $self->{arg} = { %{ $self->{arg} || {} }, %arg } };

    $self->{workers} = $arg{workers} || 1;

    $self->write_file('nginx.conf',
                      $self->expand($arg{conf} // $self->conf(%arg)));
}


sub conf {
    my ($self, %arg) = @_;
    my $load = $MODULE eq '' ? '' : "load_module $MODULE;\n";
    my $user = $> == 0 ? "user root;\n" : '';
    my $daemon = $self->{daemon} ? 'on' : 'off';
    my $level = $arg{level} || 'notice';
    my $listen = $arg{listen} || '';
    my $server = '';
    my $env = join '', map { "env $_;\n" }
              qw(ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS GLIBC_TUNABLES),
              sort keys %{ $self->{env} };
    my $temp = join '', map { "    ${_}_temp_path %%DIR%%/$_;\n" }
               qw(client_body proxy), $MODULE eq '' ? () : qw(fastcgi uwsgi
                                                              scgi);

    if (defined $arg{server}) {
        $server = <<"END";

    server {
        listen 127.0.0.1:%%PORT%% $listen;
        add_header X-Worker \$pid always;

        location = /.ready { return 204; }

$arg{server}
    }
END
    }

    return $load . $user . $env . <<"END" . ($arg{main} || '') . <<"END2";
daemon $daemon;
worker_processes $self->{workers};
error_log %%DIR%%/error.log $level;
pid %%DIR%%/nginx.pid;
END

events {
    worker_connections @{[ $arg{connections} || 1024 ]};
@{[ $arg{events} || '' ]}
}

http {
    access_log off;
$temp
@{[ $arg{http} || '' ]}
$server
}
END2
}


sub expand {
    my ($self, $text) = @_;
    my $simd = $ENV{TROVE_TEST_SIMD} ? "simd $ENV{TROVE_TEST_SIMD};" : '';

    $text =~ s/%%SIMD%%/$simd/g;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%PORT(\d?)%%/$self->port($1)/ge;

    return $text;
}


# The number that %%PORTn%% stands for

sub port {
    my ($self, $n) = @_;

    return $self->{port}{$n // ''} //= free_port();
}


sub dir { return $_[0]{dir} }


sub write_file {
    my ($self, $name, $text) = @_;

    open my $f, '>', "$self->{dir}/$name" or die "$name: $!\n";
    binmode $f;
    print $f $text;
    close $f or die "$name: $!\n";

    return "$self->{dir}/$name";
}


sub read_file {
    my ($self, $name) = @_;

    open my $f, '<', "$self->{dir}/$name" or return '';
    binmode $f;
    local $/;

    return scalar(<$f>) // '';
}


sub command {
    my ($self, @more) = @_;
    my $dir = $self->{dir};

    return ($NGINX, '-p', "$dir/", '-e', "$dir/error.log",
            '-c', "$dir/nginx.conf", @more);
}


# Sanitizers report into the folder, and never into a log that is not read.
# nginx -t and a start that fails free nothing: there are no leaks to look for.

sub environment {
    my $self = shift;
    my $log = "log_path=$self->{dir}/sanitizer";
    my $leaks = $self->{leaks} // 1;

    $ENV{ASAN_OPTIONS} = join ':', $log, "detect_leaks=$leaks",
                         'detect_stack_use_after_return=1',
                         'strict_string_checks=1', $ENV{ASAN_OPTIONS} // ();
    $ENV{UBSAN_OPTIONS} = "$log:print_stacktrace=1";
    $ENV{LSAN_OPTIONS} = "suppressions=$ROOT/t/lib/leaks:print_suppressions=0";
    $ENV{$_} = $self->{env}{$_} for keys %{ $self->{env} };
}


sub spawn {
    my ($self, $out, @command) = @_;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        alarm 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE ALRM);
        end_with_parent();
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $out;
        open STDERR, '>&', \*STDOUT;
        $self->environment;
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    return $pid;
}


# nginx gets a SIGTERM if the test is killed and cannot end it

sub end_with_parent {
    my $PR_SET_PDEATHSIG = 1;

    eval {
        require 'syscall.ph';
        syscall(&SYS_prctl, $PR_SET_PDEATHSIG, POSIX::SIGTERM());
    };
}


sub launch {
    my $self = shift;

    $self->{pid} = $self->spawn("$self->{dir}/stderr", $self->command);
    push @running, $self;

    if ($self->{daemon}) {
        waitpid $self->{pid}, 0;
        $? == 0 or die "nginx did not start:\n" . $self->log;

        wait_until { $self->read_file('nginx.pid') =~ /^\d+\n/ };
        ($self->{master}) = $self->read_file('nginx.pid') =~ /^(\d+)\n/
            or die "no pid file\n";
    }
}


# nginx -t of this configuration (beside a running one, too): whether it
# passed, and all that it said

sub check {
    my ($self, %arg) = @_;

    if (!ref $self) {
        $self = $self->new(%arg);
        $self->{checked} = 1;
        push @running, $self;
    }

    unlink "$self->{dir}/check";

    local $self->{leaks} = 0;
    my $pid = $self->spawn("$self->{dir}/check", $self->command('-t'));

    waitpid $pid, 0;

    my ($status, $said) = ($?, $self->read_file('check'));

    $self->expect(qr/\[emerg\] $pid#/);

    if ($status & 127) {
        fault("nginx -t died of signal " . ($status & 127));
    }

    return wantarray ? ($status == 0, $said) : $status == 0;
}


# Starts nginx where it must refuse to, and returns what it said

sub refused {
    my ($class, %arg) = @_;
    my $self = $class->new(%arg);

    $self->{leaks} = 0;
    $self->launch;
    $self->{master} = $self->{pid};
    $self->{failing} = 1;
    $self->expect(qr/\[emerg\] $self->{pid}#|^nginx: \[emerg\]/);

    if (!wait_until { $self->ended } 20) {
        fault('nginx started, where it should have refused');
        return '';
    }

    if ($self->{status} & 127 || $self->{status} == 0) {
        fault("nginx ended with status $self->{status}");
    }

    return $self->log;
}


sub wait_ready {
    my $self = shift;

    return wait_until {
        $self->ended and die "nginx did not start:\n" . $self->log;
        eval { $self->ready }
    };
}


sub ready {
    my $self = shift;

    if (defined $self->{arg}{server} && !defined $self->{arg}{conf}
        && ($self->{arg}{listen} || '') !~ /http2|ssl/)
    {
        return $self->get('/.ready')->{headers}{'x-worker'};
    }

    return Trove::Client->new($self->port);
}


# Whether the master is gone

sub ended {
    my $self = shift;

    if (!$self->{daemon} && !defined $self->{status}) {
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            $self->{status} = $?;
        }
    }

    return $self->{daemon} ? !alive($self->{master}) : defined $self->{status};
}


sub master { return $_[0]{master} }


# A process that runs; a zombie does not, but for a thread of its own that the
# disk keeps: what was open is open as long

sub alive {
    my $pid = shift;
    my $stat = stat_of($pid);

    return $stat->{state} !~ /^[ZX]?$/ || $stat->{threads} > 1;
}


sub stat_of {
    my $pid = shift;

    my $none = { state => '', ppid => 0, threads => 0 };

    open my $f, '<', "/proc/$pid/stat" or return $none;
    my $line = <$f> // '';
    $line =~ /^\d+ \(.*\) (\S) (\d+) (?:\S+ ){15}(\d+) / or return $none;

    return { state => $1, ppid => $2, threads => $3 };
}


sub children {
    my $pid = shift;

    opendir my $d, '/proc' or die "/proc: $!\n";

    return sort { $a <=> $b }
           grep { /^\d+$/ && stat_of($_)->{ppid} == $pid && alive($_) }
           readdir $d;
}


sub title {
    my $pid = shift;

    open my $f, '<', "/proc/$pid/cmdline" or return '';
    my $line = <$f> // '';
    $line =~ tr/\0/ /;

    return $line;
}


# The workers that take connections; all => 1: those that are about to end too

sub workers {
    my ($self, %arg) = @_;

    return grep {
        my $t = title($_);
        $t =~ /worker process/ && ($arg{all} || $t !~ /shutting down/)
    } children($arg{master} || $self->{master});
}


# Resident bytes of a process

sub resident {
    my ($self, $pid) = @_;

    open my $f, '<', "/proc/$pid/statm" or return 0;

    return (split ' ', <$f>)[1] * POSIX::sysconf(POSIX::_SC_PAGESIZE());
}


sub signal {
    my ($self, $sig) = @_;

    kill $sig, $self->{master};
}


# Reloads.  True when a whole new generation of workers answers, false if
# nginx refused the configuration; gone => 1 waits for the old workers' end.

sub hup {
    my ($self, %arg) = @_;
    my %old = map { $_ => 1 } $self->workers(all => 1);
    my $log = length $self->log;

    $self->signal('HUP');

    my $came = wait_until {
        my @new = grep { !$old{$_} } $self->workers;

        return 'refused' if substr($self->log, $log) =~ /\[emerg\]/;
        return @new == $self->{workers}
               && !grep { $old{$_} } $self->workers;
    } 30;

    return 0 if $came eq 'refused';

    $came or die "no new workers after HUP\n" . $self->log;

    # a worker may accept before it is asked to end: wait for a new one

    if (defined $self->{arg}{server}) {
        wait_until { my $w = eval { $self->ready }; $w && !$old{$w} }
            or die "no new worker answers after HUP\n";
    }

    if ($arg{gone}) {
        wait_until { !grep { alive($_) } keys %old } 30
            or die "old workers stay after HUP\n";
    }

    return 1;
}


# Replaces the binary: from then on the new master is the master, and the
# pid of the old one, which still serves, is returned

sub usr2 {
    my $self = shift;
    my $old = $self->{master};

    $self->{daemon} or die "usr2() needs daemon => 1\n";
    $self->signal('USR2');

    wait_until {
        my ($new) = $self->read_file('nginx.pid') =~ /^(\d+)\n/;

        $new && $new != $old && alive($new)
            && $self->workers(master => $new) == $self->{workers}
            && ($self->{master} = $new);
    } or die "no new master after USR2\n" . $self->log;

    push @{ $self->{masters} }, $old;

    return $old;
}


# Ends a master gracefully, and says how many seconds that took

sub quit {
    my ($self, %arg) = @_;
    my $pid = $arg{master} || $self->{master};
    my $start = time;

    kill 'QUIT', $pid;

    wait_until { $pid == $self->{master} ? $self->ended : !alive($pid) } 60
        or die "nginx does not quit\n";

    return time - $start;
}


# Kills all of nginx at once

sub kill_all {
    my $self = shift;
    my @all = ($self->{master}, $self->holders);

    kill 'KILL', @all;

    wait_until { $self->ended && !grep { alive($_) } @all }
        or die "nginx cannot be killed\n";
}


# Starts it, after new(), or again, after quit() or kill_all()

sub again {
    my $self = shift;

    !$self->{pid} || $self->ended or die "nginx has not ended\n";

    @running = grep { $_ != $self } @running;
    delete @$self{qw(status stopped masters)};

    unlink "$self->{dir}/nginx.pid";

    $self->launch;

    if (!$self->{daemon}) {
        $self->{master} = $self->{pid};
    }

    $self->wait_ready or die "nginx does not answer\n";
}


# Kills a worker and waits until another stands in its place

sub kill_worker {
    my ($self, $pid, $sig) = @_;
    my %names;

    $sig //= 'KILL';
    @names{ split ' ', $Config::Config{sig_name} }
        = split ' ', $Config::Config{sig_num};

    $self->expect(qr/worker process $pid exited on signal $names{$sig}\b/);
    kill $sig, $pid;

    wait_until { !alive($pid) && $self->workers == $self->{workers} }
        or die "no new worker after SIG$sig\n";
}


# Announces a line of the logs that would otherwise fail the test

sub expect {
    my ($self, @patterns) = @_;

    push @{ $self->{expect} }, @patterns;
}


# All that was said: the error log, stderr, the sanitizers' reports

sub log {
    my $self = shift;

    opendir my $d, $self->{dir} or return '';

    return join '', map { $self->read_file($_) }
           sort grep { /^(?:error\.log|stderr$|sanitizer)/ } readdir $d;
}


sub wait_log {
    my ($self, $re) = @_;

    return wait_until { $self->log =~ $re };
}


# Requests on a connection of their own

sub client {
    my ($self, %opt) = @_;

    return Trove::Client->new($opt{port} || $self->port, %opt);
}


sub request {
    my ($self, $method, $path, $headers, $body, %opt) = @_;

    return $self->client->request($method, $path, $headers, $body,
                                  close => 1, %opt);
}


sub get {
    my ($self, $path, $headers) = @_;

    return $self->request('GET', $path, $headers);
}


sub get_json { return $_[0]->get($_[1])->{json} }


sub post {
    my ($self, $path, $body, $headers) = @_;
    my $type = ref $body || $body =~ /\n\{/ ? 'application/x-ndjson'
                                             : 'application/json';

    return $self->request('POST', $path,
                          { 'Content-Type' => $type, %{ $headers || {} } },
                          $body);
}


# Raw bytes out, raw bytes in until the server closes

sub raw {
    my ($self, $bytes) = @_;
    my $c = $self->client;

    $c->send($bytes);

    return $c->rest;
}


# The same as request() by HTTP/2 with prior knowledge, as curl speaks it.
# The port is one that listens with http2.

sub h2 {
    my ($self, $method, $path, $headers, $body, %opt) = @_;
    my $port = $opt{port} || $self->port;
    my @command = ('curl', '-s', '-i', '-m', 20, '--http2-prior-knowledge',
                   '-X', $method, map({ ('-H', "$_: $headers->{$_}") }
                                      sort keys %{ $headers || {} }));

    push @command, '-I' if $method eq 'HEAD';

    if (defined $body) {
        push @command, '--data-binary',
             '@' . $self->write_file('h2.body', $body);
    }

    open my $f, '-|', @command, "http://127.0.0.1:$port$path"
        or die "curl: $!\n";
    binmode $f;
    local $/;

    my ($head, $text) = split /\r\n\r\n/, <$f> // '', 2;
    my ($status) = ($head // '') =~ m{^HTTP/2 (\d{3})} or return;
    my %h = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () }
            split /\r\n/, $head;
    my $res = { version => '2', status => $status + 0, headers => \%h,
                body => $text // '' };

    Trove::Client::decode($res);

    return $res;
}


# One keep-alive connection to each worker: { pid => client }.  Needs the
# server of start(), best with listen => 'reuseport'.

sub clients {
    my $self = shift;
    my %of;

    wait_until {
        my $c = $self->client;
        my $pid = $c->get('/.ready')->{headers}{'x-worker'};

        $of{$pid} ||= $c;

        keys %of >= $self->{workers};
    } or die "not every worker takes a connection\n";

    return \%of;
}


# Waits until every worker answers 200: each has a copy of what is in Redis
# then, which one finds out some time after another

sub wait_ok {
    my ($self, $path, $seconds) = @_;

    for my $c (values %{ $self->clients }) {
        wait_until { $c->get($path)->{status} == 200 } $seconds or return '';
    }

    return 1;
}


# Waits until every worker's polls show the version (all workers must be
# reachable as clients() reaches them)

sub wait_version {
    my ($self, $path, $version) = @_;

    for my $c (values %{ $self->clients }) {
        wait_until {
            my $res = $c->get($path);
            ref $res->{json} eq 'HASH'
                && ($res->{json}{version} // -1) >= $version;
        } or die "a worker's polls do not come to version $version\n";
    }

    return 1;
}


# Loads rewards and waits until polls show them; the answer of the load

sub load {
    my ($self, $rewards, $poll, @objects) = @_;
    my $res = $self->post($rewards, ndjson(@objects),
                          { 'Content-Type' => 'application/x-ndjson' });

    if ($res->{status} == 200) {
        $self->wait_version($poll, $res->{json}{version});
    }

    return $res;
}


# Ends nginx and looks at what it left; done for all at the test's end

sub stop {
    my $self = shift;
    my @masters = ($self->{master} // (), @{ $self->{masters} || [] });

    return if $self->{stopped}++;

    if (!$self->{checked}) {
        $self->end_master($_) for @masters;
        $self->end_workers;
    }

    $self->inspect;

    @running = grep { $_ != $self } @running;

    $self->leave;
}


sub end_master {
    my ($self, $pid) = @_;
    my $gone = sub { $pid == $self->{master} ? $self->ended : !alive($pid) };

    return if $gone->();

    for my $sig (qw(TERM KILL)) {
        kill $sig, $pid;
        wait_until { $gone->() } 20 and last;
        fault("nginx does not end on SIG$sig");
    }
}


# Workers outlive a master that was killed: whoever holds our log is ours

sub end_workers {
    my $self = shift;

    for my $pid ($self->holders) {
        next if wait_until { !alive($pid) } 2;
        kill 'KILL', $pid;
        wait_until { !alive($pid) };
        fault("process $pid outlived its master") if !$self->{orphaned};
    }
}


sub holders {
    my $self = shift;

    opendir my $d, '/proc' or die "/proc: $!\n";

    return grep {
        my $pid = $_;
        $pid =~ /^\d+$/ && $pid != $$
            && grep { (readlink $_ // '') eq "$self->{dir}/error.log" }
               glob "/proc/$pid/fd/*"
    } readdir $d;
}


sub inspect {
    my $self = shift;
    my $status = $self->{status} // 0;
    my @bad;

    for my $line (split /\n/, $self->log) {
        next if $line !~ $BAD;
        next if grep { $line =~ $_ } @{ $self->{expect} };
        push @bad, $line;
    }

    if (@bad) {
        my $more = join '', map { $self->read_file($_) } $self->reports;
        fault(join "\n", 'nginx did not run cleanly:', @bad, $more);
    }

    if ($status != 0 && !$self->{failing}) {
        fault("nginx ended with status $status:\n" . $self->log);
    }
}


sub reports {
    my $self = shift;

    opendir my $d, $self->{dir} or return;

    return sort grep { /^sanitizer/ } readdir $d;
}


sub fault {
    my $what = shift;

    push @failures, $what;
    Test::More::diag($what);
}


END {
    $died = $?;

    if ($$ == $MAIN_PID) {
        alarm 0;
        eval { $_->stop; 1 } or fault($@) for my @all = reverse @running;
        $_->leave for @all = @made;
        $_->() for @LAST;
        $? = $died || (@failures ? 1 : 0);
    }
}


1;
