#!/usr/bin/perl

# What the ledger has no room for is queued and answered 202: rewards, players
# and claims, rows of boards, one by one and in batches; and it is carried out
# in order, once each, when there is room.  A queue that is full refuses.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $MAX = 12;

my $redis = Trove::Redis->start;
my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<"HTTP", server => <<'SERVER');
    trove hunt {
        capacity rewards=3 players=2 claims=50;
        coin     one value=1 weight=1;
        board    last rows=2 keep=last;
        board    sum rows=2 keep=sum;
        board    earned rows=2 from=claims;
        overflow ${\ $redis->url } max=$MAX;
        %%SIMD%%
    }
HTTP
    add_header X-Status $trove_status always;

    location = /poll    { trove_poll    hunt; }
    location = /claim   { trove_claim   hunt; }
    location = /tap     { trove_tap     hunt; }
    location   /board/  { trove_board   hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER

my @clients = values %{ $t->clients };
my $next = 0;


# By all workers in turn

sub ask { return $clients[ $next++ % @clients ]->request(@_) }
sub put { return ask(POST => '/rewards', {}, reward(@_)) }
sub claim { return ask(claim_of(@_)) }
sub tap { return ask(tap_of(@_)) }

sub reward {
    my ($id, %more) = @_;
    my $more = join '', map { ",\"$_\":$more{$_}" } sort keys %more;

    return "{\"id\":$id,\"x\":$id,\"y\":0,\"stock\":100$more}";
}

sub score {
    my ($board, $player, $score) = @_;

    return ask(POST => "/board/$board", {},
               "{\"player\":\"$player\",\"score\":$score}");
}

sub batch {
    my ($path, @lines) = @_;

    return ask(POST => $path, { 'Content-Type' => 'application/x-ndjson' },
               join '', map { "$_\n" } @lines);
}

sub score_of {
    my ($board, $player) = @_;
    my %rows = map { $_->{player} => $_->{score} }
               @{ $t->get_json("/board/$board")->{list} };

    return $rows{$player};
}

sub removed { return ask(DELETE => $_[0])->{status} }
sub stats { return $t->get_json('/stats')->{troves}{hunt} }
sub pending { return stats()->{overflow}{ $_[0] }{pending} }

sub queued {
    my ($res, $why) = @_;

    is(join(' ', $res->{status}, @{$res->{headers}}{qw(content-type x-status)},
            $res->{body}),
       '202 application/json QUEUED {"queued":true}', $why);
}

sub drained {
    my ($queue, $left) = @_;

    ok(wait_until { pending($queue) == $left }, "$left of $queue are left")
        or diag explain stats()->{overflow};
}

ok(wait_until { stats()->{overflow_up} == 1 }, 'the queues are looked after');


# Rewards

is(put($_, value => $_)->{status}, 200, "there is room for reward $_")
    for 1 .. 3;
queued(put(4), 'and for no other one');
queued(put(4, value => 9), 'which is put again');
queued(put(5), 'nor for one more');
is(put(2, value => 7)->{status}, 200, 'what is there can be replaced');
queued(ask(DELETE => '/rewards?id=5'), 'what waits may be removed');
is(claim('a', 4)->{status}, 404, 'and is not there yet');

my $res = batch('/rewards', reward(1), reward(6), '{}', reward(3), reward(7));

is("$res->{status} $res->{headers}{'x-status'}", '202 QUEUED',
   'a batch of some that wait');
is_deeply([ @{ $res->{json} }{qw(accepted queued rejected)} ], [ 2, 2, 1 ],
          'has the sums');
is(put(1)->{json}{queued}, 0, 'and one that does not says so');
is(pending('rewards'), 6, 'so many wait');

is(removed('/rewards?id=1'), 200, 'one is removed');
drained('rewards', 4);
is($t->get_json('/rewards?id=4')->{value}, 9, 'another is there, as put last');
is(removed('/rewards?id=3'), 200, 'so is one more');
drained('rewards', 1);
is($t->get('/rewards?id=5')->{status}, 404, 'what was removed is not there');
is($t->get('/rewards?id=6')->{status}, 200, 'what came after it is');
is(removed('/rewards?id=6'), 200, 'it is removed');
drained('rewards', 0);
is($t->get('/rewards?id=7')->{status}, 200, 'the last one is there');


# Players, their taps and claims; there is no room for more

is(tap('a')->{status}, 200, 'there is room for a player');
is(claim('b', 2, x => 2, y => 0)->{status}, 200, 'and for another');
queued(tap('c'), 'not for a third one who taps');
queued(claim('d', 2, x => 2, y => 0), 'nor for one who claims');
is(tap('a')->{json}{balance}, 2, 'who is there goes on');

$res = batch('/tap', map { "{\"player\":\"$_\"}" } 'a', 'e', '', 'b', 'e', 'a');
is($res->{status}, 200, 'a batch');
is_deeply([ map { $_->{queued} ? 'queued' : $_->{error} ? 'error'
                                                       : $_->{balance} }
            @{ $res->{lines} } ],
          [ 3, 'queued', 'error', 8, 'queued', 4 ],
          'is answered in the order of its lines');
is(pending('players'), 4, 'so many wait');


# Rows, of which there will be room

for my $board (qw(last sum)) {
    is(score($board, $_, 1)->{status}, 200, "there is room for $_ on $board")
        for qw(a b);
    queued(score($board, 'c', 5), 'not for a third player');
    is(score($board, 'a', 6)->{status}, 200, 'who is there goes on');

    $res = batch("/board/$board", map { "{\"player\":\"$_\",\"score\":7}" }
                                  qw(b c d c a));

    is(join(' ', map { $_->{queued} ? 'queued' : $_->{player} }
                 @{ $res->{lines} }),
       'b queued queued queued a', 'a batch');
    queued(score($board, 'c', 3), 'and one more');
    queued(ask(DELETE => "/board/$board?player=d"), 'one is removed');
    is(pending("board:$board"), 6, 'so many wait');

    is(removed("/board/$board?player=b"), 200, 'there is room for one');
    drained("board:$board", 4);
    is(score_of($board, 'c'), $board eq 'last' ? 7 : 5 + 7,
       'what waits behind another one waits');
    queued(score($board, 'c', 9), 'and nothing overtakes it');
    is(removed("/board/$board?player=a"), 200, 'there is room for both');
    drained("board:$board", 0);
    is(score_of($board, 'c'), $board eq 'last' ? 9 : 5 + 7 + 7 + 3 + 9,
       'it was all carried out once');
    is(score_of($board, 'd'), undef, 'what was removed is not there');
}


# What no queue could hold

for my $body ('{"player":"x","score":9007199254740994}',
              '{"player":"x","score":1,"seq":9007199254740992}')
{
    is(ask(POST => '/board/last', {}, $body)->{status}, 400, 'is refused');
}

is(tap('x', seq => 9007199254740992)->{status}, 400, 'at once');


# A queue that is full, and the others are not

queued(tap("x$_"), 'one more waits') for 5 .. $MAX;

for my $res (tap('y'), claim('y', 2, x => 2, y => 0)) {
    is("$res->{status} $res->{headers}{'x-status'}", '507 FULL',
       'until the queue is full');
    like($res->{json}{detail}, qr/no room for another player.*, nor is there/,
         'and why');
}

$res = batch('/tap', '{"player":"a"}', '{"player":"z"}', '{"player":"a"}');
is_deeply([ map { $_->{balance} || $_->{error} } @{ $res->{lines} } ],
          [ 5, 'the trove has no room for another player, nor is there any '
               . 'in its queue', 6 ],
          'so are lines');
queued(put(9), 'another queue takes it');

my $s = stats();

is($s->{overflow_queued}, 6 + 2 + 2 + 2 * 7 + $MAX - 4 + 1, 'what was queued');
is($s->{overflow_full}, 3, 'and what was not');
is($s->{overflow_call}{count} > 0, 1, 'is counted, and its time');
is($s->{overflow_away}, 0, 'nothing else was refused');
is($s->{breaker_state}, 0, 'all is well');


# Nor does a full queue take removals of what may wait in it

queued(put($_), 'one more reward waits') for 11 .. 9 + $MAX;
is(score('last', 'x', 1)->{status}, 200, 'a board gets full');
queued(score('last', 'y', $_), 'and a score') for 1 .. $MAX;

for my $url ('/rewards?id=9', '/board/last?player=y') {
    my $res = ask(DELETE => $url);

    is("$res->{status} $res->{headers}{'x-status'}", '507 FULL',
       'its queue is full');
    like($res->{json}{detail}, qr/no room for/, 'and why');
}

is(stats()->{overflow_full}, 3 + 2, 'that is counted');

$t->stop;

done_testing();
