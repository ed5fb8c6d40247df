#!/usr/bin/perl

# Batches of claims and taps: each line is answered in its place, whatever it
# comes to, however the body comes.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;


my $t = Trove::Nginx->start(http => <<'HTTP', server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=10k players=30k claims=50k;
        tap rate=1r/m burst=1;
        coin gold value=5 weight=1;
        %%SIMD%%
    }
HTTP
my $c = $t->client;


sub batch { return $c->request(batch_of(@_)) }


$t->load('/rewards', '/poll?x=0&y=0',
         map { { id => $_, x => $_, y => 0, value => $_, stock => 2 } }
         1 .. 5000) or die;

my $res = batch('/claim',
                { player => 'a', reward => 3 },
                "nonsense\n",
                { player => 'a', reward => 3 },
                { player => 'b', reward => 3 },
                "\n",
                { player => 'c', reward => 3 },
                { player => 'c', reward => 9999 },
                { player => 'c' },
                '{"player":"c","z":"' . 'z' x 66000 . "\"}\n",
                { player => 'c', reward => 4 });

is($res->{status}, 200, 'a batch of claims');
is($res->{headers}{'content-type'}, 'application/x-ndjson', 'is lines');
is($res->{body}, <<'END', 'each in its place');
{"reward":3,"value":3,"balance":3}
{"error":"not a JSON object: invalid string in json text at byte 1","line":2}
{"reward":3,"value":3,"balance":3,"repeat":true}
{"reward":3,"value":3,"balance":3}
{"error":"the reward's stock is gone","line":6}
{"error":"there is no such reward","line":7}
{"error":"reward: is missing","line":8}
{"error":"the line is longer than 65536 bytes","line":9}
{"reward":4,"value":4,"balance":4}
END

$res = batch('/tap', { player => 'a', seq => 1 }, { player => 'a', seq => 1 },
             { player => 'a', seq => 2 }, { player => 'a', seq => 1 },
             { player => 'a', seq => 3 }, { player => 'a' }, "[]\n",
             { player => 'd' }, { player => 'd' }, { player => 'd' },
             { player => 'e', seq => 0 });

is($res->{body}, <<'END', 'a batch of taps');
{"coin":"gold","value":5,"balance":8}
{"coin":"gold","value":5,"balance":8,"repeat":true}
{"coin":"gold","value":5,"balance":13}
{"error":"seq: is lower than that of the last tap","line":4}
{"error":"the player taps too fast","line":5}
{"error":"the player taps too fast","line":6}
{"error":"not a JSON object: an array","line":7}
{"coin":"gold","value":5,"balance":5}
{"coin":"gold","value":5,"balance":10}
{"error":"the player taps too fast","line":10}
{"error":"seq: must be an integer from 1 to 9007199254740991, not 0","line":11}
END

# a large one, in pieces of any size, while its answers flow

my @lines = map { { player => "p" . ($_ % 700), reward => 1 + int rand 5000 } }
            1 .. 20000;
my $body = (batch_of('/claim', @lines))[3];
my @pieces;

while (length $body) {
    push @pieces, substr $body, 0, 1 + int rand 3000, '';
}

$res = $c->request('POST', '/claim',
                   { 'Content-Type' => 'application/x-ndjson' }, \@pieces);

is(@{ $res->{lines} }, 20000, 'a large batch has all its answers');

my (@answers, @wrong);

for my $i (0 .. $#lines) {
    my ($line, $answer) = ($lines[$i], $res->{lines}[$i]);
    my $gone = ($answer->{error} // '') =~ /stock is gone/;

    push @wrong, $i + 1
        if $answer->{error} ? !$gone || $answer->{line} != $i + 1
                            : $answer->{reward} != $line->{reward};
    push @answers, [ $line->{player}, $line->{reward}, $gone ? 409 : 200,
                     $answer->{value}, $answer->{balance} ];
}

is_deeply(\@wrong, [], 'in their order');

my %stock = map { $_ => $_ == 3 ? 0 : $_ == 4 ? 1 : 2 } 1 .. 5000;
my %value = map { $_ => $_ } 1 .. 5000;

is_deeply([ contradictions(\%stock, \%value, @answers) ], [],
          'and none contradicts another');

# figures

my $stats = $t->get_json('/stats')->{troves}{hunt};
my $errors = grep { $_->{error} } @{ $res->{lines} };

is_deeply([ @{ $stats->{endpoints}{claim} }{qw(lines_ok lines_error)} ],
          [4 + 20000 - $errors, 5 + $errors], 'lines of claims are counted');
is_deeply([ @{ $stats->{endpoints}{tap} }{qw(lines_ok lines_error)} ],
          [5, 6], 'and of taps');
is_deeply([ map { $stats->{"taps_$_"} } qw(granted repeat stale limited) ],
          [4, 1, 1, 3], 'and what came of them');
is_deeply($stats->{coins}, { gold => 4 }, 'and the coins');

done_testing;
