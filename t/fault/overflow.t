#!/usr/bin/perl

# Who carries out what waits in queues dies at each of his points, one after
# the other, and so does who repairs what he has left: in the end all of it is
# carried out, in order, once each; in the ledger, and in the store alone.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";
use Trove::Board;
use Trove::Fault;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my ($ROUNDS, $PLAYERS, $REWARDS, $STOCK, $VALUE) = (12, 30, 10, 7, 100);

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $fault = Trove::Fault->new;
my $redis = Trove::Redis->start;
my $url = $redis->url;

my %balance = (seed => 1);
my %score = (seed => 1);
my %reward;
my $named = 1;
my (%dead, @wrong);

my $t = Trove::Nginx->new(workers => 3, env => $fault->env,
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');


# From the store, and with room for what it has and so many more.  Those who
# have died have left players of no name.

sub begin {
    my $more = shift;
    my $players = $more + $named;
    my $rewards = 1 + $more + keys %reward;
    my $rows = $more + keys %score;

    unlink $t->dir . '/hunt.db-ledger';
    $t->configure(http => <<"HTTP");
    trove hunt {
        capacity rewards=$rewards players=$players claims=10k;
        coin     one value=1 weight=1;
        board    sums rows=$rows keep=sum;
        limit    1000;
        store    sqlite:%%DIR%%/hunt.db;
        overflow $url timeout=300ms;
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
    $t->again;
    $fault->spare($t->master);
}


sub reward {
    my ($id, %more) = @_;

    return ('POST', '/rewards', { 'Content-Type' => 'application/json' },
            ndjson({ id => $id, x => 0, y => 0, %more }));
}


# What waits of a round

sub fill {
    my $round = shift;
    my $c = $t->client;
    my $waits = sub {
        my $res = $c->request(@_);

        push @wrong, "$res->{status} $res->{body}" if $res->{status} != 202;
    };

    my @names = map { "p$round.$_" } 1 .. $PLAYERS;
    my $granted = $STOCK;

    $c->request(reward(1, stock => $STOCK * $round, value => $VALUE))->{status}
        == 200 or die "no reward\n";

    for my $name (@names) {
        $waits->(tap_of($name));
        $waits->(claim_of($name, 1));
        $balance{$name} += 1 + ($granted-- > 0 ? $VALUE : 0);
    }

    for my $name (@names, @names) {
        my $points = 1 + int rand 1000;

        $waits->(tap_of($name));
        $waits->(score_of('sums', $name, $points));
        $balance{$name}++;
        $score{$name} += $points;
    }

    for my $id (map { 100 * $round + $_ } 1 .. $REWARDS) {
        $waits->(reward($id, value => 1));
        $waits->('DELETE', "/rewards?id=$id");
        $waits->(reward($id, value => 2));
        $waits->(reward($id, value => $id));
        $reward{$id} = $id;
    }
}


# Besides, something that is no operation, some that are lost, and who looks
# for the queues takes them for others

sub spoil {
    my $round = shift;
    my $hash = 'trove:{hunt}:overflow';
    my ($players, $rewards) = map { $redis->command('HGET', $hash, $_) }
                              qw(players rewards);

    $redis->command('XADD', "$hash:players", ++$players . '-0', 'op', 'none');
    $redis->command('HSET', $hash, 'players', $players,
                    'rewards', $rewards + 3, 'whose', $round);
}


sub drained {
    return wait_until {
        my $stats = eval { $t->get_json('/stats')->{troves}{hunt} } or return;

        $stats->{overflow_up}
            && !grep { $_->{pending} } values %{ $stats->{overflow} };
    } 60;
}


sub forgotten {
    return wait_until {
        !grep { $redis->command('XLEN', "trove:{hunt}:overflow:$_") }
              qw(rewards players board:sums);
    };
}


sub all_is_there {
    my $where = shift;
    my $c = $t->client;
    my %have;

    %have = map { $_ => $c->get("/tap?player=$_")->{json}{balance} }
            keys %balance;
    is_deeply(\%have, \%balance, "$where: balances");

    %have = map { $_->{player} => $_->{score} }
            map { { player => $_->[1], score => $_->[2] } }
            @{ walk($c, 'sums', 1000) };
    is_deeply(\%have, \%score, "$where: scores");

    %have = map { $_->{id} => $_->{value} }
            grep { $_->{id} != 1 }
            @{ $c->get('/poll?x=0&y=0&limit=1000&detail=1')->{json}{rewards} };
    is_deeply(\%have, \%reward, "$where: rewards");
}


begin(0);
drained() or die "the queues are not found\n";

for ([ reward(1, stock => 1) ], [ tap_of('seed') ],
     [ score_of('sums', 'seed', 1) ])
{
    $t->request(@$_)->{status} == 200 or die "@$_\n";
}

$t->expect(qr/worker process \d+ exited on signal 9\b/);

for my $round (1 .. $ROUNDS) {
    fill($round);
    $t->quit;
    spoil($round);

    # nobody is at them before somebody is to die

    $redis->signal('STOP');
    begin(2 * $PLAYERS);
    $fault->arm($_, $dead{$_} ? 1 + int rand 9 : 1, 'KILL')
        for $fault->points;
    $redis->signal('CONT');

    drained() or die "round $round is not drained\n" . $t->log;

    $dead{$_} ||= $fault->victim($_) for $fault->points;
    $fault->disarm;

    drained() && forgotten() or push @wrong, "round $round is not forgotten";
    $named = $t->get_json('/stats')->{troves}{hunt}{players};
    all_is_there("round $round");

    $t->quit;
    begin(0);
    all_is_there("round $round, of the store");
    drained() or die "the queues are not found again\n";

    last if $round >= 3 && !grep { !$dead{$_} } $fault->of_queues;
}

is_deeply(\@wrong, [], 'all of it had to wait');
is_deeply([ map { $fault->name($_) } grep { !$dead{$_} } $fault->of_queues ],
          [], 'somebody died at each point');
cmp_ok((grep { $_ } values %dead), '>', 30, 'and at many others');

$t->quit;
like($fault->ledger($t->dir . '/hunt.db-ledger'), qr/^sane/,
     'the ledger is sane');

done_testing();
