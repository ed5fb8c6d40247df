#!/usr/bin/perl

# A trove that is in Redis: what a configuration may say, and a machine's copy
# of it: before it is there, when it changes, and whoever of the workers dies.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


sub refused {
    my ($what, $store, $why) = @_;
    my ($ok, $said)
        = Trove::Nginx->check(http => "trove a { store $store; }\n");

    ok(!$ok, $what);
    like($said, $why, 'and why');
}

refused('no host', 'redis://', qr/invalid store: /);
refused('another scheme', 'valkey://a', qr/must be "sqlite:PATH", "redis:/);
refused('no number', 'redis://a:b/0', qr/invalid store: /);
refused('too many replicas', 'redis://a replicas=17',
        qr/invalid parameter "replicas=17", must be "replicas=" and 0 to 16/);
refused('no timeout', 'redis://a timeout=0',
        qr/invalid parameter "timeout=0"/);
refused('a timeout twice', 'redis://a timeout=1s timeout=2s',
        qr/invalid parameter "timeout=2s", must be .*, each once/);
refused('another parameter', 'redis://a ack=1', qr/invalid parameter "ack=1"/);
refused('a parameter of another store', 'sqlite:a.db timeout=1s',
        qr/invalid parameter "timeout=1s"/);

my ($ok, $said) = Trove::Nginx->check(http => <<'HTTP');
    trove a { store redis://me:secret@127.0.0.1:1,127.0.0.1:2/3 replicas=1
                    timeout=500ms; ack commit; }
    trove b { store redis://unix:/nonexistent:0; }
HTTP
ok($ok, 'a test makes no connection') or diag $said;


# Redis is not there yet: there is nothing to be answered from

my $redis = Trove::Redis->new;
my $t = Trove::Nginx->start(workers => 3, http => <<"HTTP",
    trove hunt {
        capacity rewards=100 players=100;
        radius   1000;
        board    top rows=10;
        coin     one value=1 weight=1;
        store    ${\ $redis->url };
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');

sub figure { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }

my @reads = ('/rewards?id=1', '/rewards', '/tap?player=a', '/board/top?top=1');

for my $uri ('/poll?x=0&y=0', @reads) {
    my $res = $t->get($uri);

    is($res->{status}, 503, "$uri is not answered before");
    is($res->{headers}{'retry-after'}, 1, 'but later');
    like($res->{json}{detail}, qr/there is no copy of it yet/, 'and why');
}

is(figure('store_connected'), 0, 'it is not connected');
is(figure('store_failing'), 1, 'and fails');
ok($t->wait_log(qr/"hunt" does not follow its store \(away\), .*: redis 127/),
   'the log tells');

$redis->launch;

ok(wait_until { $t->get('/poll?x=0&y=0')->{status} == 200 }, 'it is followed');
ok($t->wait_log(qr/\[notice\].* "hunt" follows its store again, at version 0/),
   'and the log tells');
is(() = $t->log =~ /does not follow/g, 1, 'each once');
is(figure('store_connected'), 1, 'it is connected');
is(figure('store_failing'), 0, 'and good');
is($redis->command('HGET', 'trove:{hunt}', 'space'), 'plane',
   'the trove was made');


# What a machine writes: a reward, of the next version and entry

my $PUT = <<'LUA';
local id, x, value = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local version = redis.call('HGET', KEYS[1], 'version')
local log = redis.call('HINCRBY', KEYS[1], 'log', 1)
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'born', log)
redis.call('HSET', KEYS[1] .. ':rewards', id,
           struct.pack('<dddi4I4I4I4I4I4', x, 0, 0, value, 0, 0, 5, 0, log))
redis.call('XADD', KEYS[1] .. ':log', log .. '-0', 'v', version,
           'o', 'test:' .. log,
           'd', struct.pack('<c1I4dddi4I4I4I4I4', 'P', id, x, 0, 0, value, 0,
                            0, 5, log))
return log
LUA

my ($id, $value) = (0, 0);

sub put { return $redis->command('EVAL', $PUT, 1, 'trove:{hunt}', @_) }

# All workers' polls show it

sub seen {
    my ($why) = @_;

    $id++;
    my $log = put($id, $id, ++$value);

    ok(wait_until {
           my %of;

           for (1 .. 60) {
               my $res = $t->get("/poll?x=$id&y=0&r=0.1&detail=1");

               return 0 if $res->{json}{found} != 1
                           || $res->{json}{rewards}[0]{value} != $value;
           }

           return 1;
       }, "seen by all $why");

    is(figure('store_position'), $log, 'its entry is reached');
}

seen('when it is followed');
seen('again');

cmp_ok(figure('store_age'), '<', 2, 'the copy is not old');


# Whoever follows, another one goes on

sub follows {
    return scalar(() = $redis->said('CLIENT', 'LIST') =~ /cmd=xread/g);
}

ok(wait_until { follows() == 1 }, 'one of them follows');

for my $pid ($t->workers) {
    $t->kill_worker($pid);
    seen("when worker $pid was killed");
}

is(figure('store_snapshots'), 1, 'nothing was read anew');

my $log = length $t->log;
ok($t->hup(gone => 1), 'a reload');
seen('after it');
ok(wait_until { follows() == 1 }, 'one of the new ones follows');
is(figure('store_snapshots'), 1, 'from where it was');

$redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
seen('when the connection was closed');

my $pid = $redis->pid;
$redis->signal('STOP');
ok(wait_until { figure('store_timeout') }, 'Redis is stopped');
is($t->get_json('/poll?x=1&y=0&r=0.1')->{found}, 1, 'polls go on');
ok(wait_until { figure('store_age') > 1 }, 'and the copy gets old');
ok($t->hup(gone => 1), 'a reload meanwhile');
is($t->get_json('/poll?x=1&y=0&r=0.1')->{found}, 1, 'they go on');
$redis->signal('CONT');
seen('when it goes on');


# A store cannot be changed, but where it is

my $http = $t->{arg}{http};

for my $store ('off', 'sqlite:hunt.db') {
    $t->configure(http => $http =~ s/store .*/store $store;/r);
    $t->expect(qr/"store" of trove "hunt" cannot be changed by a reload/);
    ok(!$t->hup, "a reload to $store is refused");
}

$t->configure(http => $http =~ s/store .*/'store redis:\/\/unix:'
                                          . $redis->socket . ' timeout=2s;'/er);
ok($t->hup(gone => 1), 'a reload to its socket');
seen('by it');
is(figure('store_snapshots'), 1, 'nothing was read anew');


# While it is read anew what needs the ledger has to wait, polls have not

$redis->command('HSET', 'trove:{hunt}:players', 'xx', 'damaged');
$redis->command('XTRIM', 'trove:{hunt}:log', 'MAXLEN', 0);
$redis->command('CLIENT', 'KILL', 'TYPE', 'normal');

ok(wait_until { $t->get('/rewards?id=1')->{status} == 503 }, 'it is read anew');

for my $uri (@reads, '/stats?trove=hunt&board=top&top=1') {
    my $res = $t->get($uri);

    is($res->{status}, 503, "$uri is not answered then");
    like($res->{json}{detail}, qr/there is no copy of it yet/, 'and why');
}

is($t->get_json('/poll?x=1&y=0&r=0.1')->{found}, 1, 'polls are');
ok($t->wait_log(qr/not follow its store \(foreign\).* a player of it is damag/),
   'the log tells what is wrong');

$redis->command('HDEL', 'trove:{hunt}:rewards', 1);
$redis->command('HDEL', 'trove:{hunt}:players', 'xx');

ok(wait_until { $t->get('/rewards?id=2')->{status} == 200 }, 'it was read');
is($t->get('/rewards?id=1')->{status}, 404, 'what was gone is');
ok(wait_until {
       !grep { $t->get_json('/poll?x=1&y=0&r=0.1')->{found} } 1 .. 30
   }, 'of polls, too');
is($t->get('/board/top?top=1')->{status}, 200, 'a board');
seen('after it was read');


# Flushed: nothing is taken over

$redis->command('FLUSHALL');

ok($t->wait_log(qr/does not follow its store \(gone\).* no longer there/),
   'it is gone');
is($t->get_json("/poll?x=$id&y=0&r=0.1")->{found}, 1, 'polls go on');
is($t->get("/rewards?id=$id")->{status}, 200, 'reads do');
is_deeply($redis->command('KEYS', '*'), [], 'nothing is made');

cmp_ok($t->quit, '<', 5, 'an exit is prompt');

done_testing();
