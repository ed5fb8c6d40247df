#!/usr/bin/perl

# Who finds a board held comes back to it, line by line in their order, while
# it is read as before; who has come back for a second is sent away.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Held;
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


my $N = 1000;
my $busy = qr/^the ledger is held by another process$/;

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        board other rows=10;
        board held  rows=10k keep=last;
        %%SIMD%%
    }
HTTP
    client_body_timeout 100ms;

    location /board/   { trove_board hunt; }
    location = /stats  { trove_stats; }
    location = /status { stub_status; }
SERVER
my $c = $t->client;


sub batch_at {
    my ($v, @more) = @_;
    my @lines = map { { player => "p$_", score => $v, seq => $v } } 1 .. $N;

    # what cannot be read stands between others, and one player in two lines

    splice @lines, $N / 2, 0, "bad\n", { player => 'p1', score => $v + 1,
                                         seq => $v + 1 };

    return batch_of('/board/held', @lines);
}


sub send_all {
    return map { my $c = $t->client; $c->send_request(@$_); [ $c, $_->[0] ] }
           @_;
}

sub answers { return map { $_->[0]->response($_->[1]) } @_ }

sub busy { return $t->get_json('/stats')->{troves}{hunt}{ledger_busy} }


is(@{ $c->request(batch_at(2))->{lines} }, $N + 2, 'scores');
is($c->request(score_of('held', 'gone', 5))->{status}, 200, 'and one more');

# for less than a second, as long as this machine is not slower

my ($v, $took, @res) = (2);

for (1 .. 20) {
    my $held = Trove::Held->board($t, 1);
    my $start = time;

    $v += 2;

    my @waiting = send_all([ batch_at($v) ],
                           [ score_of('held', 'new', $v, seq => $v) ],
                           [ 'DELETE', '/board/held?player=nobody' ],
                           [ 'DELETE', '/board/held?player=gone' ]);

    is($c->get('/board/held?player=p7')->{json}{list}[0]{score}, $v - 2,
       'it is read meanwhile');
    is($c->request(score_of('other', 'p', $v))->{json}{rank}, 1,
       'and others are written');
    $held->release;
    $took = time - $start;
    @res = answers(@waiting);

    last if $took < 0.5;
    $c->request(score_of('held', 'gone', 5));
}

SKIP: {
    skip "it took $took seconds", 6 if $took >= 0.5;

    my @lines = @{ $res[0]{lines} };

    is(@lines, $N + 2, 'a batch has waited');
    is_deeply([ map { $_->{error} // () } @lines ],
              [ grep { /JSON/ } map { $_->{error} // () } @lines ],
              'nothing but what is wrong with it was refused');
    is($lines[$N / 2]{line}, $N / 2 + 1, 'in its place');
    is($res[1]{json}{score}, $v, 'a write has');
    is($res[2]{status}, 404, 'and a removal of nobody');
    is($res[3]{body}, '{"removed":"gone"}', 'and one of somebody');
    is(busy(), 0, 'nobody was sent away');
}

is($c->get('/board/held?player=p1')->{json}{list}[0]{score}, $v + 1,
   'the later line is the later one');

# for longer

my $was = busy();
my $held = Trove::Held->board($t, 1);
my @waiting = send_all([ batch_at($v + 2) ],
                       [ score_of('held', 'p1', $v + 2) ],
                       [ 'DELETE', '/board/held?player=p1' ]);

@res = answers(@waiting);

is($res[0]{status}, 200, 'a batch is answered');
is(grep({ ($_->{error} // '') =~ $busy } @{ $res[0]{lines} }), $N + 1,
   'with what each line met');
is_deeply([ map { $_->{line} } @{ $res[0]{lines} } ], [ 1 .. $N + 2 ],
          'in its place');

for (@res[1, 2]) {
    is_problem($_, 503, $busy, 'one alone is sent away');
    is($_->{headers}{'retry-after'}, 1, 'for a while');
}

is(busy(), $was + $N + 3, 'and counted');
is($c->get('/board/held?top=1')->{json}{list}[0]{score}, $v + 1,
   'nothing was done');

$held->release;

is($c->request(score_of('held', 'p1', $v + 2))->{json}{rank}, 1,
   'it can be written again');

# who goes away while he waits

$held = Trove::Held->board($t, 1);
@waiting = send_all([ batch_at($v + 4) ], [ score_of('held', 'p1', 1) ]);
$c->get('/board/held');
$_->[0]->abort for @waiting;

ok(wait_until {
       $t->get('/status')->{body} =~ /^Active connections: 2 $/m
   }, 'is forgotten') or diag $t->get('/status')->{body};

# a worker that is to end

@waiting = send_all([ batch_at($v + 4) ], [ score_of('held', 'p1', 1) ]);
$c->get('/board/held');
$c->close;
$t->signal('QUIT');
@res = answers(@waiting);
is_deeply([ map { $_->{status} } @res ], [ 200, 503 ],
          'a worker that ends answers first');
is(@{ $res[0]{lines} }, $N + 2, 'all of it');

$held->release;

done_testing;
