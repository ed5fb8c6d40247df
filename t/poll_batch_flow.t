#!/usr/bin/perl

# Answers to a batch flow while it arrives, in bounded memory however slowly
# they are read, and other clients are served meanwhile.

use strict;
use warnings;

use FindBin;
use List::Util qw(max);
use POSIX ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::H2;
use Trove::Nginx;
use Trove::Poll;
use Trove::Pump;


my $sanitized = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';
my $locations = endpoints('hunt') . <<'END';
        location = /limited { trove_poll hunt; limit_rate 400k; }
        location = /patient { trove_poll hunt; client_body_timeout 1s; }
        location = /file/rewards { trove_rewards hunt; mirror /mirror; }
        location = /mirror { return 204; }
END

my $t = Trove::Nginx->start(listen => 'sndbuf=128k rcvbuf=128k',
                            http => <<"HTTP", server => $locations);
    client_max_body_size 0;

    trove hunt { radius 5 max=100; limit 3 max=9; arena 4m; %%SIMD%% }

    server {
        listen 127.0.0.1:%%PORT1%% http2;
$locations
    }
HTTP

$t->load('/rewards', '/poll?x=0&y=0',
         map {; { id => $_, x => 10 * $_, y => 0 } } 1 .. 9);

my ($worker) = $t->workers;
my $c;

# each line is answered before the next is sent

sub line { return qq({"x":${_[0]}0,"y":0}\n) }


sub flows {
    my ($c, $name, $send) = @_;

    for my $n (1 .. 9) {
        $send->(line($n));

        my ($id) = ($c->take(qr/\]\}\n/) // '') =~ /\[(\d+)\]\}\n$/;

        is($id, $n, "$name: line $n");
    }
}

$c = $t->client;
$c->send_request(batch(undef, '/poll',
                       { 'Content-Length' => 9 * length line(1) }));
flows($c, 'HTTP/1.1', sub { $c->send($_[0]) });
ok($c->take(qr/\r\n0\r\n\r\n/), 'and then it ends');
ok(answered($c), 'the connection is good for more');

$c = $t->client;
$c->send_request(batch(undef, '/poll', { 'Transfer-Encoding' => 'chunked',
                                         Expect => '100-continue' }));
ok($c->take(qr{^HTTP/1.1 100 Continue\r\n\r\n}), 'the body is awaited');
flows($c, 'chunks', sub { $c->send(sprintf "%x\r\n%s\r\n", length $_[0],
                                   $_[0]) });
$c->send("0\r\n\r\n");
ok($c->take(qr/\r\n0\r\n\r\n/), 'and then they end');

$c = $t->client;
$c->send_request(batch(undef, '/poll',
                       { 'Content-Length' => 9 * length line(1) }),
                 version => '1.0');
flows($c, 'HTTP/1.0', sub { $c->send($_[0]) });
is($c->rest, '', 'and then it ends');

my $h2 = Trove::H2->new($t->port(1));
my $id = $h2->open_stream('POST', '/poll',
                          { 'content-type' => 'application/x-ndjson' });

for my $n (1 .. 9) {
    $h2->data($id, line($n));
    $h2->step until $h2->stream($id)->{body} =~ /\[$n\]\}\n\z/;
    pass("HTTP/2: line $n");
}

$h2->data($id, '', end => 1);
like($h2->response($id)->{body}, qr/\A(?:.*\n){9}\z/, 'and then it ends');

# a client that sends and does not read: the worker does not hold it all

my $lines = $sanitized ? 400_000 : 2_000_000;
my $bound = $sanitized ? 32 << 20 : 1 << 20;

$c = $t->client(raw => 1);
$c->request(batch(qq({"x":0,"y":0}\n) x 20000));

my $before = $t->resident($worker);
my $peak = 0;
my $watch = sub { $peak = max($peak, $t->resident($worker)) };
my $pump = Trove::Pump->new($c = $t->client, '/poll', $lines);

ok($pump->fill($worker), 'who does not read is not read from');
cmp_ok($pump->{left}, '>', 0, 'long before the end');
cmp_ok($t->resident($worker) - $before, '<', $bound, 'memory is bounded');
ok(answered($t->client), 'others are answered');
is($pump->finish($watch), $lines, 'when it reads it gets all answers');
cmp_ok($peak - $before, '<', $bound, 'memory was bounded all the time');
ok(answered($c), 'the connection is good for more');

# by HTTP/2 it is the window that is shut

my $many = $lines / 20;
my $rest = qq({"x":0,"y":0}\n) x $many;
my $frames = Trove::H2->new($t->port(1), window => 1000);

$id = $frames->open_stream('POST', '/poll',
                           { 'content-type' => 'application/x-ndjson' });

ok(wait_until(sub {
    my $window = max(0, $frames->stream($id)->{window});

    $frames->data($id, substr $rest, 0, $window, '') if $window;
    $frames->step while $frames->{client}{in} ne ''
                        || IO::Select->new($frames->{client}->socket)
                           ->can_read(0);

    $frames->stream($id)->{window} <= 0
        && Trove::Nginx::stat_of($worker)->{state} eq 'S';
}), 'HTTP/2: who opens no window is not read from');

cmp_ok(length $rest, '>', 0, 'long before the end');
cmp_ok($t->resident($worker) - $before, '<', $bound, 'memory is bounded');

while ($rest ne '') {
    $frames->windows($id, 1 << 20);
    $frames->data($id, substr($rest, 0, 16384, ''), end => $rest eq '')
        or last;
}

$frames->windows($id, 1 << 24);
is($frames->response($id)->{body} =~ tr/\n//, $many,
   'when it opens it gets all answers');

# who reads too slowly to send is not one who sends too slowly: all that comes
# is read at once, in pieces that fill no buffer, until answers fill all

$pump = Trove::Pump->new($t->client(rcvbuf => 16384), '/patient', 20000,
                         line => '{"x":50,"y":0,"r":60,"limit":9,"detail":1}'
                                 . "\n");
$pump->fill($worker, 5000);

my $start = time;

wait_until { time - $start > 2 };
is($pump->finish, 20000, 'the time to send stands still meanwhile');

# a rate that nginx keeps

$c = $t->client(raw => 1);
is(@{ lines_of($c->request(batch(line(1) x 5000, '/limited'))) }, 5000,
   'limit_rate slows answers down and loses none');
ok(answered($c), 'the connection is good for more');

# a huge batch beside another client's polls

my ($polls, $answers) = beside('/poll', $lines / 2, [], sub {
    return answered($_[0]);
});

is($answers, $lines / 2, 'a huge batch is answered');
cmp_ok($polls, '>=', 10, 'and polls are, meanwhile');

# one that lies in a file, and none of whose answers makes the worker wait:
# the stats of another client show how far it has come

my %seen;

($polls, $answers) = beside('/file/rewards', 600_000,
                             [ line => "x\n", close => 1 ], sub {
    $seen{figure($t, 'hunt', '/stats', 'endpoints.rewards.lines_error')} = 1;
});

is(figure($t, 'hunt', '/stats', 'endpoints.rewards.lines_error'), 600_000,
   'a huge file is taken line by line');
cmp_ok(keys %seen, '>=', 3, 'while others are served');
note("seen at ", scalar keys %seen, ' lines');

done_testing;


# Has another process send such a batch, and calls the sub with a client until
# that is done: how often it returned true, and the number of answers.  nginx
# closes a connection after some requests: then there is another client.

sub beside {
    my ($path, $lines, $opt, $sub) = @_;
    my ($c, $sum) = ($t->client, 0);

    pipe my $out, my $in or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        my $pump = Trove::Pump->new($t->client, $path, $lines, @$opt);

        syswrite $in, $pump->finish . "\n";
        POSIX::_exit(0);
    }

    close $in;

    until (IO::Select->new($out)->can_read(0)) {
        $sub->($c) ? $sum++ : ($c = $t->client);
    }

    waitpid $pid, 0;

    return ($sum, scalar(<$out>) =~ s/\n//r);
}
