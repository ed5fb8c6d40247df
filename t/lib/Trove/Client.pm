package Trove::Client;

# One connection that speaks HTTP/1: keep-alive, pipelined, chunked, in
# pieces, or whatever bytes a test likes to send.
#
# A response is a hash: status, reason, version, headers (names in lower case,
# repeated ones joined by ", "), body, json (decoded if it is JSON) and lines
# (of decoded objects, if it is NDJSON).

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER SO_RCVBUF TCP_NODELAY);
use Time::HiRes qw(sleep time);


our $TIMEOUT = 20;


# connect: port; rcvbuf => bytes for a slow reader's small window; raw => 1:
# bodies are not decoded, which takes some 20 us a line

sub new {
    my ($class, $port, %opt) = @_;
    my $s;

    if ($opt{rcvbuf}) {
        $s = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!\n";
        $s->setsockopt(SOL_SOCKET, SO_RCVBUF, $opt{rcvbuf});
        connect($s, Socket::pack_sockaddr_in($port,
                                             Socket::inet_aton('127.0.0.1')))
            or die "cannot connect to 127.0.0.1:$port: $!\n";

    } else {
        $s = IO::Socket::INET->new(Proto => 'tcp', PeerAddr => '127.0.0.1',
                                   PeerPort => $port, Timeout => $TIMEOUT)
            or die "cannot connect to 127.0.0.1:$port: $!\n";
    }

    $s->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    $s->blocking(0);

    return bless { socket => $s, port => $port, in => '', raw => $opt{raw} },
                 $class;
}


sub socket { return $_[0]{socket} }


# Bytes to send for a request.  A body that is an array is sent chunked, one
# chunk for each element.  version => '1.0' and close => 1 are options.

sub format_request {
    my ($class, $method, $path, $headers, $body, %opt) = @_;
    my %h = (Host => 'localhost', %{ $headers || {} });
    my $text;

    if (ref $body) {
        $h{'Transfer-Encoding'} = 'chunked';
        $body = join '', (map { sprintf "%x\r\n%s\r\n", length $_, $_ }
                          grep { length } @$body), "0\r\n\r\n";

    } elsif (defined $body) {
        $h{'Content-Length'} //= length $body;
    }

    if ($opt{close}) {
        $h{Connection} = 'close';
    }

    $text = "$method $path HTTP/" . ($opt{version} || '1.1') . "\r\n";
    $text .= "$_: $h{$_}\r\n" for grep { defined $h{$_} } sort keys %h;

    return $text . "\r\n" . ($body // '');
}


sub send_request {
    my ($self, @request) = @_;

    $self->send($self->format_request(@request));
}


# Sends it all or dies; what arrives meanwhile is kept, so that neither side
# waits for the other for ever.

sub send {
    my ($self, $bytes) = @_;
    my ($s, $end, $sent) = ($self->{socket}, time + $TIMEOUT, 0);
    my ($rv, $wv, $n);

    while ($sent < length $bytes) {
        ($rv, $wv) = ('', '');
        vec($rv, fileno $s, 1) = 1 unless $self->{eof};
        vec($wv, fileno $s, 1) = 1;

        select($rv, $wv, undef, $end - time) > 0
            or die "the server does not read\n";

        if (vec($rv, fileno $s, 1)) {
            $self->fill;
        }

        if (vec($wv, fileno $s, 1)) {
            local $SIG{PIPE} = 'IGNORE';

            $n = syswrite $s, $bytes, 65536, $sent;

            if (!defined $n) {
                next if $!{EAGAIN} || $!{EINTR};
                $self->{send_error} = "$!";
                return 0;
            }

            $sent += $n;
        }
    }

    return 1;
}


# Sends pieces one by one, with a pause in seconds between them

sub send_pieces {
    my ($self, $pause, @pieces) = @_;

    while (@pieces) {
        $self->send(shift @pieces) or return 0;
        sleep $pause if @pieces;
    }

    return 1;
}


# Reads what is there; false at the end of the connection

sub fill {
    my $self = shift;
    my $n = sysread $self->{socket}, $self->{in}, 65536, length $self->{in};

    if (defined $n) {
        $self->{eof} = 1 if $n == 0;
        return $n;
    }

    return 1 if $!{EAGAIN} || $!{EINTR};

    $self->{eof} = 1;
    $self->{reset} = 1 if $!{ECONNRESET};

    return 0;
}


# Waits for more: false at the end of the connection, dies if nothing comes

sub wait_more {
    my $self = shift;

    return 0 if $self->{eof};

    IO::Select->new($self->{socket})->can_read($TIMEOUT)
        or die "no answer within $TIMEOUT seconds\n";

    return $self->fill;
}


# Takes bytes up to and with the first match of the pattern

sub take {
    my ($self, $re) = @_;

    until ($self->{in} =~ /$re/g) {
        pos($self->{in}) = undef;
        $self->wait_more or return;
    }

    return substr $self->{in}, 0, pos $self->{in}, '';
}


sub take_bytes {
    my ($self, $n) = @_;

    while (length $self->{in} < $n) {
        $self->wait_more or return;
    }

    return substr $self->{in}, 0, $n, '';
}


# The next response, undef if the connection ended instead

sub response {
    my ($self, $method) = @_;
    my ($head, @lines, %h, $res);

    do {
        $head = $self->take(qr/\r\n\r\n/) // return;
        @lines = split /\r\n/, $head;

        $lines[0] =~ m{^HTTP/(\d\.\d) (\d{3})(?: (.*))?$}
            or die "not a status line: $lines[0]\n";
        $res = { version => $1, status => $2 + 0, reason => $3 // '' };

    } while ($res->{status} == 100);

    for (@lines[1 .. $#lines]) {
        my ($name, $value) = /^([^:\s]+):\s*(.*?)\s*$/
            or die "not a header line: $_\n";
        $name = lc $name;
        $h{$name} = exists $h{$name} ? "$h{$name}, $value" : $value;
    }

    $res->{headers} = \%h;
    $res->{body} = $self->body($res, $method || 'GET');

    if (defined $res->{body} && !$self->{raw}) {
        decode($res);
    }

    return $res;
}


sub body {
    my ($self, $res, $method) = @_;
    my ($h, $body) = ($res->{headers}, '');

    if ($method eq 'HEAD' || $res->{status} == 204 || $res->{status} == 304) {
        return '';
    }

    if (($h->{'transfer-encoding'} || '') eq 'chunked') {

        for ( ;; ) {
            my $line = $self->take(qr/\r\n/);
            my $n = defined $line ? hex $line =~ s/\W.*//sr : undef;
            my $chunk = defined $n ? $self->take_bytes($n + 2) : undef;

            if (!defined $chunk) {
                $res->{truncated} = 1;
                return $body;
            }

            last if $n == 0;
            $body .= substr $chunk, 0, $n;
        }

        return $body;
    }

    if (defined $h->{'content-length'}) {
        $body = $self->take_bytes($h->{'content-length'});

        if (!defined $body) {
            $res->{truncated} = 1;
            $body = delete $self->{in};
            $self->{in} = '';
        }

        return $body;
    }

    return $self->rest;
}


sub decode {
    my $res = shift;
    my $type = $res->{headers}{'content-type'} || '';
    my $json = JSON::PP->new->utf8->allow_nonref;

    if ($type =~ m{^application/(?:\w+\+)?json\b}) {
        $res->{json} = eval { $json->decode($res->{body}) };

    } elsif ($type =~ m{^application/x-ndjson\b}) {
        $res->{lines} = [ map { scalar eval { $json->decode($_) } }
                          split /\n/, $res->{body} ];
    }
}


# request(method, path, headers, body, options): send and wait

sub request {
    my ($self, @request) = @_;

    $self->send_request(@request);

    return $self->response($request[0]);
}


sub get {
    my ($self, $path, $headers) = @_;

    return $self->request('GET', $path, $headers);
}


# All requests at once, then all responses

sub pipeline {
    my ($self, @requests) = @_;

    $self->send(join '', map { $self->format_request(@$_) } @requests);

    return map { $self->response($_->[0]) } @requests;
}


# All bytes until the server closes

sub rest {
    my $self = shift;

    1 while $self->wait_more;

    return substr $self->{in}, 0, length $self->{in}, '';
}


sub shutdown_write { shutdown $_[0]{socket}, 1 }


# Whether the server has closed the connection, waiting for it

sub closed {
    my $self = shift;

    $self->rest;

    return $self->{eof};
}


# Ends with a reset instead of a close

sub abort {
    my $self = shift;

    $self->{socket}->setsockopt(SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0);
    $self->close;
}


sub close {
    my $self = shift;

    CORE::close($self->{socket}) if $self->{socket};
    $self->{eof} = 1;
    $self->{socket} = undef;
}


1;
