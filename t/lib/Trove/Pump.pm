package Trove::Pump;

# A batch that is larger than anybody's memory: one line again and again, by
# HTTP/1.1, sent and read as a test says.

use strict;
use warnings;

use List::Util qw(min);
use Time::HiRes qw(time);

use Trove::Client;
use Trove::Nginx;


# Opens the request: client, path, number of lines; line => another one,
# close => 1 if the answer's end is that of the connection

sub new {
    my ($class, $c, $path, $lines, %opt) = @_;
    my $line = $opt{line} // qq({"x":0,"y":0}\n);

    $c->send_request('POST', $path,
                     { 'Content-Type' => 'application/x-ndjson',
                       'Content-Length' => length($line) * $lines }, undef,
                     close => $opt{close});

    return bless { socket => $c->socket, left => length($line) * $lines,
                   length => length $line, block => $line x 4096,
                   answers => 0, tail => '' }, $class;
}


# Whether the socket can be read, and written, right now or within seconds

sub ready {
    my ($self, $seconds) = @_;
    my ($rv, $wv) = ('', '');

    vec($rv, fileno $self->{socket}, 1) = 1;
    vec($wv, fileno $self->{socket}, 1) = 1 if $self->{left};
    select $rv, $wv, undef, $seconds;

    return map { vec $_, fileno $self->{socket}, 1 } $rv, $wv;
}


# Sends what can be sent now, at most so much: false if nothing

sub send_some {
    my ($self, $max) = @_;
    my $at = -$self->{left} % $self->{length};
    my $n = min($self->{left}, length($self->{block}) - $at,
                $max // $self->{left});

    return 0 if !$n;

    local $SIG{PIPE} = 'IGNORE';
    $n = syswrite $self->{socket}, $self->{block}, $n, $at;

    if (!defined $n) {
        $self->{broken} = 1 if !$!{EAGAIN};
        return 0;
    }

    $self->{left} -= $n;

    return $n;
}


# Reads what can be read now and counts the answers in it: every one has one
# bracket that closes

sub read_some {
    my $self = shift;
    my $n = sysread $self->{socket}, my $bytes, 262144;

    if (!defined $n) {
        $self->{broken} = 1 if !$!{EAGAIN};
        return 0;
    }

    $self->{broken} = 1 if $n == 0;
    $self->{answers} += $bytes =~ tr/]//;
    $self->{tail} = substr $self->{tail} . $bytes, -7;
    $self->{done} = 1 if $self->{tail} eq "\r\n0\r\n\r\n";

    return $n;
}


# Sends without reading until the worker has gone to sleep over it, at most so
# much before each of its naps

sub fill {
    my ($self, $worker, $max) = @_;

    return wait_until {
        while ($self->send_some($max)) {
            $self->nap($worker) if $max;
        }

        $self->{broken} || (!($self->ready(0))[1] && asleep($worker));
    };
}


sub nap {
    my ($self, $worker) = @_;

    wait_until { asleep($worker) };
}


sub asleep { return Trove::Nginx::stat_of($_[0])->{state} eq 'S' }


# Sends and reads until the answer has ended; calls the sub now and then

sub finish {
    my ($self, $sub) = @_;
    my $end = time + $Trove::Client::TIMEOUT;

    until ($self->{done} || $self->{broken} || time > $end) {
        my ($read, $write) = $self->ready(1);

        $end = time + $Trove::Client::TIMEOUT if $read || $write;
        $self->read_some if $read;
        $self->send_some if $write;
        $sub->() if $sub && $read;
    }

    return $self->{answers};
}


1;
