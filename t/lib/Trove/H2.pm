package Trove::H2;

# One connection that speaks HTTP/2 with prior knowledge, frame by frame: what
# curl does not, such as a body in DATA frames of one byte each, or a window
# that stays shut.  Of a response's header only the status is decoded.

use strict;
use warnings;

use Trove::Client;


use constant {
    DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, END_STREAM => 1, ACK => 1,
    END_HEADERS => 4
};


# port; window => bytes of a response that may come before windows() opens it
# (without it, it opens by itself)

sub new {
    my ($class, $port, %opt) = @_;
    my $self = bless { client => Trove::Client->new($port), next => 1,
                       manual => defined $opt{window}, streams => {},
                       initial => 65535, window => 65535 }, $class;

    $self->{client}->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" .
                          frame(SETTINGS, 0, 0, defined $opt{window}
                                ? pack('nN', 4, $opt{window}) : ''));

    return $self;
}


sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    my $n = length $payload;

    return pack('CnCCN', $n >> 16, $n & 0xffff, $type, $flags, $stream)
           . $payload;
}


# A field of a header: neither indexed nor in Huffman's code

sub field {
    my ($name, $value) = @_;

    return "\0" . join '', map { integer(length $_, 127, 0) . $_ }
                               lc $name, $value;
}


sub integer {
    my ($n, $max, $bits) = @_;
    my $text = '';

    return chr($bits | $n) if $n < $max;

    for ($n -= $max; $n >= 128; $n >>= 7) {
        $text .= chr($n & 127 | 128);
    }

    return chr($bits | $max) . $text . chr $n;
}


# Opens a stream; end => 1: there is no body

sub open_stream {
    my ($self, $method, $path, $headers, %opt) = @_;
    my $id = $self->{next};
    my %h = %{ $headers || {} };

    $self->{next} += 2;
    $self->{streams}{$id} = { body => '', window => $self->{initial} };

    $self->{client}->send(frame(HEADERS, END_HEADERS
        | ($opt{end} ? END_STREAM : 0), $id,
        join '', map { field(@$_) }
                 [ ':method', $method ], [ ':scheme', 'http' ],
                 [ ':path', $path ], [ ':authority', 'localhost' ],
                 map { [ $_, $h{$_} ] } sort keys %h));

    return $id;
}


# Sends a piece of a body, as soon as the server's windows let it

sub data {
    my ($self, $id, $bytes, %opt) = @_;
    my $s = $self->{streams}{$id};

    for ( ;; ) {
        my $n = length $bytes;

        for my $max (16384, $self->{window}, $s->{window}) {
            $n = $max if $n > $max;
        }

        if ($n <= 0 && length $bytes) {
            $self->step or return 0;
            return 0 if $s->{done};
            next;
        }

        my $piece = substr $bytes, 0, $n, '';
        my $last = $opt{end} && !length $bytes;

        $self->{window} -= $n;
        $s->{window} -= $n;
        $self->{client}->send(frame(DATA, $last ? END_STREAM : 0, $id, $piece))
            or return 0;

        return 1 if !length $bytes;
    }
}


# Lets the server send so many bytes more

sub windows {
    my ($self, $id, $n) = @_;

    $self->{client}->send(join '', map { frame(WINDOW_UPDATE, 0, $_,
                                               pack 'N', $n) } 0, $id);
}


sub reset_stream {
    my ($self, $id) = @_;

    $self->{client}->send(frame(RST_STREAM, 0, $id, pack 'N', 8));
    delete $self->{streams}{$id};
}


# Reads the next frame and does what it says; false at the connection's end

sub step {
    my $self = shift;
    my $c = $self->{client};
    my $head = $c->take_bytes(9) // return 0;
    my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $head;
    my $payload = $c->take_bytes($high << 16 | $low) // return 0;
    my $s = $self->{streams}{$id};

    if ($type == SETTINGS && !($flags & ACK)) {
        $self->settings($payload);
        $c->send(frame(SETTINGS, ACK, 0, ''));

    } elsif ($type == PING && !($flags & ACK)) {
        $c->send(frame(PING, ACK, 0, $payload));

    } elsif ($type == WINDOW_UPDATE) {
        ($id ? $s || {} : $self)->{window} += unpack 'N', $payload;

    } elsif ($type == GOAWAY) {
        $self->{goaway} = 1;

    } elsif ($s && $type == HEADERS) {
        $s->{status} = status($payload);

    } elsif ($s && $type == DATA) {
        $s->{body} .= $payload;
        $self->windows($id, length $payload)
            if length $payload && !$self->{manual};

    } elsif ($s && $type == RST_STREAM) {
        $s->{reset} = unpack 'N', $payload;
        $s->{done} = 1;
    }

    if ($s && $flags & END_STREAM && ($type == DATA || $type == HEADERS)) {
        $s->{done} = 1;
    }

    return 1;
}


sub settings {
    my ($self, $payload) = @_;

    while (length $payload) {
        my ($name, $value) = unpack 'nN', substr $payload, 0, 6, '';

        if ($name == 4) {
            $_->{window} += $value - $self->{initial}
                for values %{ $self->{streams} };
            $self->{initial} = $value;
        }
    }
}


# The status is the first field, after an update of the table's size maybe

sub status {
    my $block = shift;
    my @known = (200, 204, 206, 304, 400, 404, 500);

    $block =~ s/^[\x20-\x3f]+//;

    return $known[ord($block) - 0x88] if ord($block) & 0x80;
    return $1 + 0 if $block =~ /^[\x08\x48]\x03(\d{3})/;

    die "no status in the header\n";
}


# The whole response: status, body, and reset if the stream was

sub response {
    my ($self, $id) = @_;
    my $s = $self->{streams}{$id};

    until ($s->{done}) {
        $self->step or return;
    }

    delete $self->{streams}{$id};

    return $s;
}


# The stream as far as it came

sub stream { return $_[0]{streams}{$_[1]} }


sub request {
    my ($self, $method, $path, $headers, @pieces) = @_;
    my $id = $self->open_stream($method, $path, $headers, end => !@pieces);

    while (@pieces) {
        my $piece = shift @pieces;

        $self->data($id, $piece, end => !@pieces);
    }

    return $self->response($id);
}


sub close { $_[0]{client}->close }


1;
