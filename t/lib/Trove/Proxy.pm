package Trove::Proxy;

# A proxy of a test's own before a server on 127.0.0.1, in a process of its
# own, that does to connections what networks do to them.
#
#   my $proxy = Trove::Proxy->start($port, seed => 1);
#
#   $proxy->set(delay => 0.02);     # holds when it returns
#   $proxy->cut;                    # resets all connections
#   $proxy->well;                   # all is as at first, for new connections:
#                                   # what was held back is lost
#
#   delay    seconds that each piece is late, either way
#   held     1: nothing passes, and connections stay
#   mute     1: requests are passed on, and replies are lost
#   requests 1: they are kept back, and passed on in order when this is 0
#   replies  1: likewise
#   lose     the probability with which a piece of a reply is lost, and its
#            connection with it: the request was delivered
#   refuse   1: connections are reset as they come
#   port     the server's

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use List::Util qw(min);
use POSIX ();
use Socket qw(AF_UNIX IPPROTO_TCP PF_UNSPEC SOCK_STREAM SOL_SOCKET SO_LINGER
              TCP_NODELAY);
use Time::HiRes qw(time);

use Trove::Nginx;


my @running;


sub start {
    my ($class, $port, %arg) = @_;
    my $self = bless { port => Trove::Nginx::free_port() }, $class;
    my $listen = IO::Socket::INET->new(Proto => 'tcp', Listen => 128,
                                       LocalAddr => '127.0.0.1',
                                       LocalPort => $self->{port},
                                       ReuseAddr => 1, Blocking => 0)
        or die "proxy: $!\n";

    socketpair $self->{control}, my $told, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    $self->{pid} = fork // die "fork: $!\n";

    if ($self->{pid} == 0) {
        alarm 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);
        $SIG{PIPE} = 'IGNORE';
        Trove::Nginx::end_with_parent();
        close $self->{control};
        srand($arg{seed} // 1);

        eval { relay({ port => $port, listen => $listen, told => $told,
                       pairs => {} }) };
        warn $@ if $@;
        POSIX::_exit(1);
    }

    push @running, $self;

    return $self;
}


sub port { return $_[0]{port} }


sub set {
    my ($self, %how) = @_;

    syswrite $self->{control}, join '', map { "$_ $how{$_}\n" } sort keys %how;
    $self->heard(scalar keys %how);
}


sub cut { $_[0]->set(cut => 1) }


# At once: who comes again finds all well, and is not cut off once more

sub well {
    my $self = shift;

    $self->set(cut => 1, map { $_ => 0 } qw(delay held mute requests replies
                                        lose refuse));
}


# Each order is answered with a byte

sub heard {
    my ($self, $n) = @_;

    while ($n > 0) {
        $n -= sysread($self->{control}, my $bytes, $n)
              || die "the proxy has died\n";
    }
}


sub stop {
    my $self = shift;

    @running = grep { $_ != $self } @running;

    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}


push @Trove::Nginx::LAST, sub { $_->stop for my @all = @running };


# The process: pairs are by both of their sockets' numbers; queue[i] is what
# has come from side i, with when it is due

sub relay {
    my $p = shift;

    for ( ;; ) {
        my ($rv, $wv, $due) = ('', '');

        vec($rv, fileno $_, 1) = 1 for @$p{qw(listen told)};

        for my $pair (values %{ $p->{pairs} }) {
            for my $i (0, 1) {
                my $first = $pair->{queue}[$i][0];

                vec($rv, fileno $pair->{side}[$i], 1) = 1
                    if !$p->{held} && !$pair->{ends};

                next if !$first || $p->{held}
                        || $p->{ (qw(requests replies))[$i] };

                if ($first->[0] <= time) {
                    vec($wv, fileno $pair->{side}[1 - $i], 1) = 1;
                } else {
                    $due = min($first->[0], $due // $first->[0]);
                }
            }
        }

        my $wait = defined $due ? $due - time : 1;

        select $rv, $wv, undef, $wait > 0 ? $wait : 0;

        obey($p) if vec $rv, fileno $p->{told}, 1;
        take($p) if vec $rv, fileno $p->{listen}, 1;

        for my $pair (values %{ $p->{pairs} }) {
            for my $i (0, 1) {
                next if $pair->{gone};
                hear($p, $pair, $i)
                    if vec $rv, fileno $pair->{side}[$i], 1;
                say_on($p, $pair, $i)
                    if !$pair->{gone}
                       && vec $wv, fileno $pair->{side}[1 - $i], 1;
            }
        }
    }
}


sub obey {
    my $p = shift;

    sysread $p->{told}, $p->{orders}, 4096, length($p->{orders} // '')
        or POSIX::_exit(0);

    while ($p->{orders} =~ s/^(\w+) (\S+)\n//) {
        if ($1 eq 'cut') {
            end($p, $_) for values %{ $p->{pairs} };
        } else {
            $p->{$1} = $2;
        }

        syswrite $p->{told}, '.';
    }
}


sub take {
    my $p = shift;

    while (my $client = $p->{listen}->accept) {
        my $server = $p->{refuse} ? undef : IO::Socket::INET->new(
            Proto => 'tcp', PeerAddr => '127.0.0.1', PeerPort => $p->{port});

        if (!$server) {
            reset_of($client);
            next;
        }

        for ($client, $server) {
            $_->blocking(0);
            $_->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        }

        $p->{pairs}{fileno $client} = { side => [ $client, $server ],
                                        queue => [ [], [] ] };
    }
}


sub hear {
    my ($p, $pair, $i) = @_;
    my $n = sysread $pair->{side}[$i], my $bytes, 65536;

    return if !defined $n && ($!{EAGAIN} || $!{EINTR});

    if (!$n) {
        $pair->{ends} = 1;
        return end($p, $pair) if !map { @$_ } @{ $pair->{queue} };
        return;
    }

    if ($i == 1) {
        return if $p->{mute};
        return end($p, $pair) if $p->{lose} && rand() < $p->{lose};
    }

    push @{ $pair->{queue}[$i] }, [ time + ($p->{delay} || 0), $bytes ];
}


sub say_on {
    my ($p, $pair, $i) = @_;
    my $queue = $pair->{queue}[$i];
    my $n = syswrite $pair->{side}[1 - $i], $queue->[0][1];

    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    return end($p, $pair) if !$n;

    substr $queue->[0][1], 0, $n, '';
    shift @$queue if $queue->[0][1] eq '';

    end($p, $pair) if $pair->{ends} && !map { @$_ } @{ $pair->{queue} };
}


sub end {
    my ($p, $pair) = @_;

    delete $p->{pairs}{fileno $pair->{side}[0]};
    reset_of($_) for @{ $pair->{side} };
    $pair->{gone} = 1;
}


sub reset_of {
    my $s = shift;

    $s->setsockopt(SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0);
    close $s;
}


1;
