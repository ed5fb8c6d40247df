#!/usr/bin/perl

# The redis-server that tests have: it comes, goes and comes again, and leaves
# nothing behind.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Redis;


my $redis = Trove::Redis->start(append => 1);
my $other = Trove::Redis->start;

is($redis->command('SET', 'a', "\x{1}b c"), 'OK', 'it takes a value');
is($redis->command('GET', 'a'), "\x{1}b c", 'and has it');
is_deeply($other->command('KEYS', '*'), [], 'the other one has not');
like($redis->said('INCR', 'a'), qr/^ERR/, 'it says what is wrong');
like($redis->url, qr{^redis://127\.0\.0\.1:\d+/0$}, 'it has an address');
like($redis->info('server', 'redis_version'), qr/^[7-9]\./, 'it is Redis 7');

my $pid = $redis->pid;

$redis->again;
isnt($redis->pid, $pid, 'another process');
is($redis->command('GET', 'a'), "\x{1}b c", 'has what was on the disk');

$pid = $redis->pid;
$redis->signal('STOP');
$redis->stop('TERM');
ok(!kill(0, $pid), 'one that was stopped ends');
unlike($redis->said('PING'), qr/PONG/, 'and does not answer');

done_testing();
