#!/usr/bin/perl

# conf/demo from its start to its stop, and a second start in between.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Client;
use Trove::Nginx;
use Trove::Store;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') ne 'dynamic') {
    plan skip_all => 'the demo builds its own module';
}

my $dir = tempdir('trove-demo-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $port = Trove::Nginx->free_port;

chmod 0755, $dir;
$ENV{TROVE_DEMO_DIR} = $dir;
$ENV{TROVE_DEMO_PORT} = $port;


sub demo {
    my $said = `$FindBin::Bin/../conf/demo @_ 2>&1 </dev/null`;

    return ($?, $said);
}


END {
    my $status = $?;

    demo('stop') if $dir;
    $? = $status;
}


my $board = qr/^\{"board":"hunters","rows":1,"ends":\d+,"list":\[\{"rank":1,
                "player":"you","score":20\}\]\}$/mx;

my ($status, $said) = demo();

is($status, 0, 'it starts') or die $said;
like($said, qr/"accepted":44917,"rejected":0/, 'loads the places');
like($said, qr/"rewards":\[\d+,\d+,\d+\]/, 'polls');
like($said, qr/^    93465  Celio$/m, 'finds the hill beside the Colosseum');
like($said, qr/^\{"reward":93465,"value":20,"balance":20\}$/m, 'claims it');
like($said, qr/^\{"coin":"(?:bronze|silver|gold)","value":\d+,
               "balance":\d+\}$/mx, 'taps');
like($said, $board, 'looks at the board');
like($said, qr/\/stats/, 'and says where the stats are');

my $pid = pid();
my $c = Trove::Client->new($port);

is($c->get('/poll?x=12.4922&y=41.8902')->{status}, 200, 'it serves');

($status, $said) = demo();

is($status, 0, 'it starts again') or diag $said;
is(pid(), $pid, 'in the same process');

my ($loaded, $seen) = $said =~ /"version":(\d+)/g;

is($seen, $loaded, 'and shows a poll that has seen all it loaded');
like($said, qr/"reward":93465,"value":20,"balance":20,"repeat":true/,
     'the claim is repeated');
like($said, $board, 'and counts once');
is(Trove::Client->new($port)->get('/rewards?id=93465')->{status}, 200,
   'and has its rewards');

is((demo('stop'))[0], 0, 'it stops');

my ($balance) = row("$dir/store/hunt.db", 'balance', 'FROM players');

($status, $said) = demo();

is($status, 0, 'it starts again') or diag $said;
like($said, qr/"reward":93465,"value":20,"balance":20,"repeat":true/,
     'where it was');
like($said, $board, 'with the board');
like($said, qr/^\{"coin":"\w+","value":(\d+),"balance":@{[ $balance + 1 ]}\}$
               |^\{"coin":"\w+","value":5,"balance":@{[ $balance + 5 ]}\}$
               |^\{"coin":"\w+","value":25,"balance":@{[ $balance + 25 ]}\}$/mx,
     'with the balance');

is((demo('stop'))[0], 0, 'it stops again');
ok(!-e "$dir/nginx.pid", 'and is gone');

open my $f, '<', "$dir/error.log" or die "error.log: $!\n";

is_deeply([ grep { $_ =~ $Trove::Nginx::BAD } <$f> ], [],
          'nothing bad was logged');

{
    local $ENV{TROVE_BUILD} = "$dir/a folder";

    ($status, $said) = demo();
    isnt($status, 0, 'it does not build in a path with a space');
    like($said, qr/path with a space: .*a folder/, 'and says why');
}

my $other = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 1,
                                  ReuseAddr => 1)
    or die "port $port: $!\n";

($status, $said) = demo();

isnt($status, 0, 'it does not start on a port that is taken');
like($said, qr/port $port is taken: TROVE_DEMO_PORT=/, 'and says what to do');

done_testing;


sub pid {
    open my $f, '<', "$dir/nginx.pid" or return '';

    return scalar <$f>;
}
