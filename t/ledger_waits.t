#!/usr/bin/perl

# Who finds the ledger held comes back to it, while all others are answered.
# What is let go of soon has disturbed nobody; what is not is said after a
# second, and all at once for a batch.

use strict;
use warnings;

use FindBin;
use IO::Select;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Held;
use Trove::Nginx;


my $N = 1000;
my %NDJSON = ('Content-Type' => 'application/x-ndjson');

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        capacity rewards=10k players=100;
        radius 100 max=100000;
        %%SIMD%%
    }
HTTP
    client_body_timeout 100ms;
    send_timeout 100ms;

    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /claim   { trove_claim   hunt; }
    location = /stats   { trove_stats; }
    location = /status  { stub_status; }
SERVER

my $polls = $t->client;


sub rewards {
    my ($value, @ids) = @_;

    return join '', map {
        qq({"id":$_,"x":$_,"y":0,"value":$value,"stock":9}\n)
    } @ids;
}


sub found { return $polls->get('/poll?x=0&y=0&r=100000')->{json}{found} }

sub busy { return $t->get_json('/stats')->{troves}{hunt}{ledger_busy} }


# Requests on connections of their own, which are not answered yet

sub send_all {
    return map { my $c = $t->client; $c->send_request(@$_); [ $c, $_->[0] ] }
           @_;
}


sub answers { return map { $_->[0]->response($_->[1]) } @_ }


is($t->post('/rewards', rewards(1, 1 .. $N), \%NDJSON)->{json}{accepted}, $N,
   'rewards are taken');
ok(wait_until { found() == $N }, 'and found');

# for less than a second, as long as this machine is not slower

my ($v, $took, @res) = (1);

for (1 .. 20) {
    my $held = Trove::Held->new($t, 0);
    my $start = time;

    $v++;

    my @waiting = send_all(
        [ 'POST', '/rewards', { %NDJSON, 'Transfer-Encoding' => 'chunked' },
          [ rewards($v, 2 .. $N) =~ /(.{1,1000})/gs ] ],
        [ 'POST', '/rewards', {}, rewards($v, $N + 1) ],
        [ 'GET', '/rewards?id=1' ],
        [ 'GET', '/rewards' ],
        [ 'DELETE', '/rewards?id=' . ($N + 2) ],
        [ 'POST', '/claim', {}, '{"player":"p1","reward":1}' ],
        [ 'POST', '/claim', \%NDJSON, qq({"player":"p1","reward":1}\n) x 2 ]);

    found();
    $held->release;
    $took = time - $start;
    @res = answers(@waiting);

    last if $took < 0.5;
}

SKIP: {
    skip "it took $took seconds", 9 if $took >= 0.5;

    is($res[0]{json}{accepted}, $N - 1, 'a batch has waited');
    is($res[1]{json}{accepted}, 1, 'and a write');
    is($res[2]{json}{value}, 1, 'and a read');
    is($res[4]{status}, 404, 'and a removal');
    cmp_ok($res[3]{body} =~ tr/\n//, '>=', $N, 'and an export');
    is($res[3]{truncated}, undef, 'which is whole');
    is($res[5]{json}{value}, 1, 'and a claim');
    is(@{ $res[6]{lines} }, 2, 'and a batch of claims');
    is(busy(), 0, 'nobody was sent away');
}

my @values = $t->get('/rewards')->{body} =~ /"value":(\d+)/g;

is_deeply([ sort { $a <=> $b } @values ], [ 1, ($v) x $N ],
          'what was said was done');

# for longer: the only worker answers polls all the while

my $held = Trove::Held->new($t, 0);
my @waiting = send_all([ 'POST', '/rewards', \%NDJSON,
                         rewards(999, 1 .. $N) ]);
my $select = IO::Select->new($waiting[0][0]->socket);
my ($n, $wrong) = (0, 0);

do {
    $wrong++ if found() != $N + 1;
    $n++;
} until $select->can_read(0.01);

@res = answers(@waiting);
undef $select;

cmp_ok($n, '>', 1, 'polls are answered while a batch waits');
is($wrong, 0, 'as they should be');
is($res[0]{status}, 503, 'the batch is sent away');
is($res[0]{headers}{'retry-after'}, 1, 'for a while');
is($res[0]{json}{rejected}, $N, 'with all of its lines');
is(busy(), $N, 'which are counted');

@res = answers(send_all([ 'POST', '/rewards', {}, rewards(999, 5) ],
                        [ 'DELETE', '/rewards?id=5' ],
                        [ 'GET', '/rewards?id=1' ],
                        [ 'POST', '/claim', {},
                          '{"player":"p2","reward":1}' ]));

for (@res) {
    is($_->{status}, 503, 'one reward is sent away, too');
    is($_->{headers}{'retry-after'}, 1, 'for a while');
    like($_->{json}{detail}, qr/held/, 'and told why');
}

is(busy(), $N + 4, 'and counted');

# a batch in the middle of which the ledger is let go of

@waiting = send_all([ 'POST', '/rewards', { %NDJSON,
                                            'Content-Length' => 1000 } ]);
$waiting[0][0]->send(rewards(7, 5));
ok(wait_until { busy() == $N + 5 }, 'a line is refused, the batch goes on');
$held->release;

my $rest = rewards(7, 6 .. 9);

$waiting[0][0]->send($rest . "\n" x (1000 - length rewards(7, 5) . $rest));
@res = answers(@waiting);

is($res[0]{status}, 503, 'and is answered as what it was');
is($res[0]{json}{accepted}, 4, 'with the lines that could be stored');
is_deeply([ map { $_->{line} } @{ $res[0]{json}{errors} } ], [ 1 ],
          'and the one that could not');

# who goes away while he waits leaves nothing

$held = Trove::Held->new($t, 0);
@waiting = send_all([ 'POST', '/rewards', \%NDJSON, rewards(8, 5) ],
                    [ 'POST', '/rewards', {}, rewards(8, 6) ],
                    [ 'GET', '/rewards' ],
                    [ 'DELETE', '/rewards?id=7' ]);
found();
$_->[0]->abort for @waiting;

ok(wait_until {
       $t->get('/status')->{body} =~ /^Active connections: 2 $/m
   }, 'who goes away is forgotten') or diag $t->get('/status')->{body};

# a worker that is to end waits for those who wait

@waiting = send_all([ 'POST', '/rewards', {}, rewards(9, 8) ],
                    [ 'POST', '/rewards', \%NDJSON, rewards(9, 8, 9) ]);
found();
$polls->close;
$t->signal('QUIT');
@res = answers(@waiting);
is_deeply([ map { $_->{status} } @res ], [ 503, 503 ],
          'a worker that ends answers first');

$held->release;

done_testing;
