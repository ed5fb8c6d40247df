#!/usr/bin/perl

# A trove in Redis answers as one without a store does: the same requests, one
# by one and in batches, by any worker, to both.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Random;
use Trove::Redis;


my $redis = Trove::Redis->start;

sub trove {
    my ($name, $store) = @_;

    return <<"END";
    trove $name {
        capacity rewards=60 players=40 claims=200;
        claim    range=50 max_speed=1000;
        coin     one value=3 weight=1;
        board    high rows=12 row=128;
        board    low rows=12 keep=min order=asc;
        board    sum rows=40 keep=sum reset=daily;
        board    last rows=40 keep=last;
        board    earned rows=40 from=claims;
        $store
        %%SIMD%%
    }
END
}

sub endpoints {
    my $name = shift;

    return join '', map { "        location /$name/$_ { trove_$_ $name; }\n" }
           qw(poll claim tap rewards board);
}

my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => "    keepalive_requests 1000000;\n"
                                    . trove('here', '')
                                    . trove('there',
                                            'store ' . $redis->url . ';'),
                            server => endpoints('here') . endpoints('there')
                                      . "location /stats { trove_stats; }\n");

ok($t->wait_ok('/there/poll?x=0&y=0'), 'it is loaded');

my @clients = values %{ $t->clients };
my $json = JSON::PP->new->canonical;
my %met;


# Both answers, which have to be one, but for the ranks of a batch's lines: they
# are those of when it is answered

sub both {
    my ($method, $path, $headers, $body) = @_;
    my $c = $clients[ int(rand(@clients)) ];
    my @res = map { $c->request($method, "/$_$path", $headers, $body) }
              qw(here there);
    my @said = map { my $h = $_->{headers};
                     join ' ', $_->{status}, $h->{'content-type'} // '',
                               $h->{'retry-after'} // '', $_->{body} } @res;

    if (($headers->{'Content-Type'} // '') =~ /ndjson/) {
        s/,"rank":\d+,/,/g for @said;
    }

    $met{"$method $path $1" =~ s/\?.*? / /r}++ if $said[0] =~ /^(\d+)/;

    if ($said[0] ne $said[1]) {
        is($said[1], $said[0], "$method $path " . ($body // ''));
        exit 1;
    }
}

sub player { return 'p' . int(rand(50)) }

sub reward {
    my $id = 1 + int(rand(70));

    return { id => $id, x => int(rand(100)), y => int(rand(100)),
             value => int(rand(20)) - 5, level => int(rand(3)),
             stock => int(rand(4)),
             int(rand(6)) ? () : (starts => 4000000000),
             int(rand(6)) ? () : (expires => 1000) };
}

sub claim {
    return { player => player(), reward => 1 + int(rand(70)),
             x => int(rand(100)), y => int(rand(100)),
             level => 1 + int(rand(3)) };
}

sub tap {
    return { player => player(),
             int(rand(2)) ? (seq => 1 + int(rand(30))) : () };
}

sub score {
    return { player => player(), score => int(rand(2000)) - 1000,
             int(rand(3)) ? () : (seq => 1 + int(rand(30))),
             int(rand(3)) ? () : (data => 'x' x int(rand(20))) };
}

my @boards = qw(high low sum last earned none);

my %kinds = (
    '/rewards' => \&reward,
    '/claim' => \&claim,
    '/tap' => \&tap,
    '/board' => \&score
);

for my $round (1 .. 1200) {
    my ($path) = (sort keys %kinds)[ int(rand(4)) ];
    my $make = $kinds{$path};
    my $board = $boards[ int(rand(@boards)) ];
    my $at = $path eq '/board' ? "/board/$board" : $path;

    if (int(rand(8)) == 0) {

        # a few lines that are not good among some that are

        my @lines = map { int(rand(9)) ? $json->encode($make->()) . "\n"
                                            : "{\"player\":\"\"}\n" }
                    1 .. 1 + int(rand(40));

        both('POST', $at, { 'Content-Type' => 'application/x-ndjson' },
             join '', @lines);

    } elsif (int(rand(10)) == 0 && $path =~ /rewards|board/) {
        both('DELETE', $at . ($path eq '/rewards'
                              ? '?id=' . int(rand(70))
                              : '?player=' . player()), {});

    } else {
        both('POST', $at, { 'Content-Type' => 'application/json' },
             $json->encode($make->()));
    }

    if ($round % 20 == 0) {
        both('GET', "/board/$board?top=40", {});
        both('GET', '/tap?player=' . player(), {});
        both('GET', '/rewards?id=' . int(rand(70)), {});
    }
}

pass('all answers are the same');

diag("$_: $met{$_}") for $ENV{TROVE_TEST_VERBOSE} ? sort keys %met : ();

cmp_ok($met{'POST /claim 200'} // 0, '>', 10, 'claims were granted');
cmp_ok($met{'POST /claim 403'} // 0, '>', 10, 'and refused');
cmp_ok($met{'POST /board/sum 200'} // 0, '>', 10, 'scores were taken');
cmp_ok($met{'POST /board/high 507'} // 0, '>', 0, 'a board was full');
cmp_ok($met{'DELETE /rewards 200'} // 0, '>', 0, 'rewards were removed');


# Long batches: lines are put by, and answered in their order

for my $n (127, 128, 129, 1000, 5000) {
    both('POST', '/tap', { 'Content-Type' => 'application/x-ndjson' },
         join '', map { $json->encode(tap()) . "\n" } 1 .. $n);
    both('POST', '/board/last', { 'Content-Type' => 'application/x-ndjson' },
         join '', map { $json->encode(score()) . "\n" } 1 .. $n);
    both('POST', '/claim', { 'Content-Type' => 'application/x-ndjson' },
         join '', map { $json->encode(claim()) . "\n" } 1 .. $n);
    both('POST', '/rewards', { 'Content-Type' => 'application/x-ndjson' },
         join '', map { $json->encode(reward()) . "\n" } 1 .. $n);
}

pass('so are those of long batches');


# Both ledgers are the same then, and so are the figures; but of rewards that
# had one id after the other Redis keeps a player's latest claim only

is($t->get('/there/rewards')->{body}, $t->get('/here/rewards')->{body},
   'the same rewards');

my $stats = $t->get_json('/stats')->{troves};
my @figures = grep { /^(?:claims|taps|board|rewards)_|^players$/ }
              sort keys %{ $stats->{here} };

is_deeply([ map { "$_ $stats->{there}{$_}" } @figures ],
          [ map { "$_ $stats->{here}{$_}" } @figures ], 'the same figures');
is($stats->{there}{ledger_version}, $stats->{here}{ledger_version},
   'and version');
is_deeply($stats->{there}{coins}, $stats->{here}{coins}, 'the same coins');
is($stats->{there}{breaker_state}, 0, 'the breaker is closed');
is($stats->{there}{breaker_opened}, 0, 'and always was');
cmp_ok($stats->{there}{store_calls}, '>', 100, 'it was Redis');

done_testing();
