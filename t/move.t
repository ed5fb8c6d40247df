#!/usr/bin/perl

# conf/move: a trove goes from SQLite to Redis and back, and has all that it
# had; it is not moved while an nginx has it, nor over another one.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;
use Trove::Store;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }

sub move {
    my $command = join ' ', map { "'$_'" } "$FindBin::Bin/../conf/move", @_;
    my $said = `$command 2>&1`;

    return ($? == 0, $said);
}

sub refused {
    my ($what, $why, @args) = @_;
    my ($ok, $said) = move(@args);

    ok(!$ok, "$what is refused");
    like($said, $why, 'and why');
}


# Something of everything

my $redis = Trove::Redis->start;
my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP',
    keepalive_requests 1000000;

    trove hunt {
        capacity rewards=200 players=200 claims=2k;
        space    earth;
        store    sqlite:%%DIR%%/hunt.db;
        coin     one value=3 weight=1;
        coin     two value=7 weight=1;
        board    ever rows=100 order=asc ties=first;
        board    day  rows=100 reset=daily keep=sum row=512;
        board    won  rows=200 reset=weekly from=claims;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');

my $db = $t->dir . '/hunt.db';
my $back = $t->dir . '/back.db';
my $http = $t->{arg}{http};
my @players = map { "p$_" } 1 .. 30;

sub any { return $_[rand @_] }

sub play {
    my $c = $t->client;

    for (1 .. $_[0]) {
        my $what = int rand 7;
        my $id = 1 + int rand 60;

        if ($what == 0) {
            $c->request('POST', '/rewards',
                        { 'Content-Type' => 'application/json' },
                        encode_json({ id => $id, x => rand 100, y => rand 50,
                                      value => 1 + int rand 50,
                                      level => int rand 2,
                                      stock => 1 + int rand 9,
                                      expires => 4e9 }));
        } elsif ($what == 1 && rand() < 0.3) {
            $c->request('DELETE', "/rewards?id=$id");
        } elsif ($what == 2) {
            $c->request(tap_of(any(@players), seq => 1 + int rand 1000));
        } elsif ($what == 3) {
            $c->request(score_of(any(qw(ever day)), any(@players),
                                 int rand 50, data => 'x' x rand 30));
        } else {
            $c->request('POST', '/claim',
                        { 'Content-Type' => 'application/json' },
                        encode_json({ player => any(@players), reward => $id,
                                      level => 1, x => rand 100,
                                      y => rand 50 }));
        }
    }
}

play(1500);


# What there is, as a client sees it

sub seen {
    my %of;
    my $c = $t->client;

    $of{version} = $c->get('/poll?x=0&y=0')->{json}{version};
    $of{rewards} = [ sort split /\n/, $c->get('/rewards')->{body} ];

    for my $player (@players) {
        $of{$player} = $c->get("/tap?player=$player")->{json}{balance};

        # what it has claimed is repeated, what it can is claimed

        for my $id (1 .. 60) {
            my $res = $c->request(claim_of($player, $id));

            $of{"$player $id"} = "$res->{status} $res->{body}";
        }
    }

    for my $board (qw(ever day won)) {
        $of{$board} = rows_of($c->get("/board/$board?top=100"));
        $of{"$board before"} = rows_of($c->get("/board/$board?period=-1"));
    }

    return \%of;
}


# And as it is stored; of a player's claims of one id the latest

sub stored {
    my ($file) = @_;
    my %of;

    $of{rewards} = [ sql($file, 'SELECT id, x, y, level, value, starts,
                                 expires, stock, taken, born FROM rewards
                                 ORDER BY id') ];
    $of{players} = [ sql($file, 'SELECT player, balance, seq, paced, x, y,
                                 moved, coin, coin_value FROM players
                                 ORDER BY player') ];

    for my $row (sql($file, 'SELECT player, reward, born, ordinal, value,
                             g.balance AS balance, at FROM grants AS g
                             JOIN players AS p ON p.number = g.number
                             ORDER BY born'))
    {
        $of{claims}{"$row->{player} $row->{reward}"} = $row;
    }

    for my $row (sql($file, 'SELECT board, reset, claims, period, player,
                             score, seq, data FROM scores AS s
                             JOIN periods AS p ON p.number = s.id >> 31
                             ORDER BY board, period, reached'))
    {
        push @{ $of{scores} }, $row;
    }

    return \%of;
}


# Killed: the ledger's file has what the database has not

refused('one in use', qr/is in use by an nginx: quit that first/,
        "sqlite:$db", $redis->url, 'hunt');
refused('what is not there', qr/there is no database/,
        "sqlite:$db.none", $redis->url, 'hunt');
refused('another one than is there', qr/there is no trove "hund"/,
        $redis->url, "sqlite:$back", 'hund');
refused('from nowhere to nowhere', qr/one of the two has to be sqlite:PATH/,
        $redis->url, $redis->url, 'hunt');
is_deeply($redis->command('KEYS', '*'), [], 'nothing was made');

play(200);
seen();
my $before = seen();
$t->kill_all;

my ($ok, $said) = move("sqlite:$db", $redis->url, 'hunt');
ok($ok, 'it is moved to Redis') or diag $said;
like($said, qr/, version $before->{version}$/m, 'of its version');

my $stored = stored($db);
my @counts
    = $said =~ /^(\d+) rewards, (\d+) players, (\d+) claims and (\d+) /m;

is($counts[0], @{ $stored->{rewards} }, 'rewards');
is($counts[1], @{ $stored->{players} }, 'players');
is($counts[2], keys %{ $stored->{claims} }, 'claims');
is($counts[3], @{ $stored->{scores} }, 'rows of boards');

refused('one that is there', qr/a trove of this name in Redis already/,
        "sqlite:$db", $redis->url, 'hunt');
($ok, $said) = move("sqlite:$db", $redis->url, 'other');
ok($ok, 'another name is another trove') or diag $said;
refused('a file that is there', qr/"\Q$db\E" is there already/,
        $redis->url, "sqlite:$db", 'hunt');

system('cp', $db, "$db.rich");
system('sqlite3', "$db.rich", 'UPDATE players SET balance = 1 << 60');
refused('what Redis cannot hold', qr/balance of player "p\d+" is beyond 2\^53/,
        "sqlite:$db.rich", $redis->url, 'third');
is_deeply($redis->command('KEYS', 'trove:{third}*'), [], 'nothing is left');

$t->configure(http => $http =~ s/store .*/'store ' . $redis->url . ';'/er);
$t->again;
ok(wait_until {
       $t->get_json('/stats')->{troves}{hunt}{view_version}
           == $before->{version};
   }, 'all workers have it');
is_deeply(seen(), $before, 'all is there');

refused('one in use', qr/is in use: an nginx follows it, quit that first/,
        $redis->url, "sqlite:$back", 'hunt');
ok(!-e $back, 'nothing was made');

$t->quit;

($ok, $said) = move($redis->url, "sqlite:$back", 'hunt');
ok($ok, 'it is moved back') or diag $said;

is_deeply(stored($back), $stored, 'all is stored as it was');

$t->configure(http => $http =~ s/hunt\.db/back.db/r);
$t->again;

# a ledger that is filled from a database is at a later version

my $after = seen();
cmp_ok($after->{version}, '>=', $before->{version}, 'versions go on');
is_deeply($after, { %$before, version => $after->{version} }, 'all is seen');
play(200);
$t->quit;

# what was left in Redis is there, too, for who asks for it

($ok, $said) = move($redis->url, "sqlite:$back.2", 'hunt');
ok($ok, 'the source stays') or diag $said;
is_deeply(stored("$back.2"), $stored, 'as it was');

done_testing();
