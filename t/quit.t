#!/usr/bin/perl

# A graceful quit takes no longer than what is being done: an epoch of an hour
# is not waited for, a batch on its way is.  TERM waits for nothing.

use strict;
use warnings;

use File::Temp;
use FindBin;
use IO::File;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $SANITIZED = ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';
my $PROMPT = $SANITIZED ? 10 : 3;      # seconds


sub start {
    my ($epoch, @more) = @_;

    return Trove::Nginx->start(workers => 2, @more,
                               http => <<"HTTP", server => <<'S');
    trove hunt { capacity rewards=300k; epoch $epoch; %%SIMD%% }
    trove other { epoch $epoch; %%SIMD%% }
    client_max_body_size 100m;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /other   { trove_rewards other; }
    location = /stats   { trove_stats; }
S
}


sub ends {
    my ($t, $seconds) = @_;

    return wait_until { $t->ended } $seconds;
}


sub rewards {
    my ($from, $to) = @_;

    return join '', map { sprintf qq({"id":%d,"x":%d,"y":%d}\n), $_,
                                  $_ % 500, $_ / 500 } $from .. $to;
}


# requests have armed the timers of all workers

sub used {
    my $t = start(@_);

    $t->post('/rewards', rewards(1, 100));
    $t->get('/poll?x=1&y=1') for 1 .. 20;
    $t->get('/other');

    return $t;
}


for my $epoch ('16ms', '1h') {
    my $t = used($epoch);

    cmp_ok($t->quit, '<', $PROMPT, "an epoch of $epoch: a quit is prompt");
}

# connections that wait for nothing

my $t = used('1h');
my @idle = map { my $c = $t->client; $c->get('/poll?x=1&y=1'); $c } 1 .. 10;

cmp_ok($t->quit, '<', $PROMPT, 'idle connections are not waited for');
is(scalar(grep { !$_->closed } @idle), 0, 'but closed');

# batches on their way, of rewards and of polls

$t = used('1h');

my $head = "POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
           . "Content-Type: application/x-ndjson\r\n\r\n";
my @polls = map { qq({"x":$_,"y":0}\n) } 1 .. 200;
my ($loads, $asks) = ($t->client, $t->client);


sub chunk { return sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }


$loads->send(sprintf($head, '/rewards') . chunk(rewards(1000, 2999)));
$asks->send(sprintf($head, '/poll') . chunk(join '', @polls));

ok(wait_until { $t->get_json('/stats')->{troves}{hunt}{rewards} == 2100 },
   'two batches have begun');

my @workers = $t->workers;

$t->signal('QUIT');

ok(wait_until { !grep { Trove::Nginx::title($_) !~ /shutting down/ }
                grep { Trove::Nginx::alive($_) } @workers },
   'the workers are asked to end');

$loads->send(chunk(rewards(3000, 3999)) . "0\r\n\r\n");
$asks->send(chunk(join '', @polls) . "0\r\n\r\n");

my $res = $loads->response;

is($res->{status}, 200, 'the one of rewards is taken');
is($res->{json}{accepted}, 3000, 'to its end');

$res = $asks->response;

is($res->{status}, 200, 'the one of polls is answered');
is(scalar(grep { $_->{found} } @{ $res->{lines} }), 400, 'to its end');

$_->close for $loads, $asks;

ok(ends($t, $PROMPT), 'and that is all that is waited for');

# exports, too

$t = used('1h');
$t->post('/rewards', rewards(1, 50_000));

my $reader = $t->client(rcvbuf => 4096);

$reader->send_request('GET', '/rewards', {}, undef, version => '1.0');
$reader->wait_more;
$t->signal('QUIT');
ok($t->wait_log(qr/gracefully shutting down/), 'an export is on its way');
is(() = $reader->rest =~ /\n\{/g, 50_000, 'and comes to its end');
ok(ends($t, $PROMPT), 'and that is all that is waited for');

# who never ends is not waited for longer than nginx is told to

$t = used('16ms', main => "worker_shutdown_timeout 1s;\n");

$t->post('/rewards', rewards(1, 50_000));

my @stuck = map { $t->client(rcvbuf => 4096) } 1 .. 4;

$stuck[0]->send_request('GET', '/rewards');
$stuck[1]->send_request('GET', '/rewards', {}, undef, version => '1.0');
$stuck[2]->send(sprintf($head, '/rewards') . chunk(rewards(1, 1000)));
$stuck[3]->send(sprintf($head, '/poll') . chunk(join '', @polls));
$_->wait_more for @stuck[0, 1];

$t->signal('QUIT');
ok(ends($t, 1 + $PROMPT), 'connections that are stuck are closed in time');

# while views are built

for my $sig (qw(QUIT TERM)) {
    $t = start('16ms');

    my $start;
    my $c = $t->client;

    $c->send($c->format_request('POST', '/rewards',
             { 'Content-Type' => 'application/x-ndjson' },
             rewards(1, $SANITIZED ? 50_000 : 300_000)));
    $c->response;

    # the load has worn the views out, the last build has hardly begun

    $start = time;
    $t->signal($sig);

    ok(ends($t, 20), "SIG$sig while views are built");
    cmp_ok(time - $start, '<', $PROMPT, 'ends soon');
}

# and if one of them took for ever: a build waits while there is a file

SKIP: {
    skip 'there are no fault points', 6 if !$SANITIZED;

    for my $sig (qw(QUIT TERM)) {
        my $dir = File::Temp->newdir;

        $t = start('16ms', env => { TROVE_FAULT_HOLD => "built:$dir/hold" });
        $t->clients;
        close(IO::File->new("$dir/hold", 'w'));

        is($t->post('/rewards', rewards(1, 20_000))->{json}{accepted}, 20_000,
           'the views of a load are built');
        $t->signal($sig);
        ok(ends($t, $PROMPT), "for ever: SIG$sig ends them");
        unlike($t->log, qr/could not be built/, 'which is no failure');
    }
}

# and in the middle of everything

$t = used('1h');

my @busy = map { $t->client(rcvbuf => 4096) } 1 .. 4;

$t->post('/rewards', rewards(1, 50_000));
$_->send_request('GET', '/rewards') for @busy[0, 1];
$_->send(sprintf($head, '/rewards') . chunk(rewards(1, 1000)))
    for @busy[2, 3];
$_->wait_more for @busy[0, 1];

my $start = time;

$t->signal('TERM');

ok(ends($t, 20), 'TERM ends it in the middle of requests');
cmp_ok(time - $start, '<', $PROMPT, 'soon');

done_testing;
