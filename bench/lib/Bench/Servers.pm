package Bench::Servers;

# nginx, with the module or with Lua, and Redis: each with one CPU.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(max);
use POSIX ();
use Time::HiRes qw(sleep time);

use Bench::Data;
use Bench::Machine;
use Bench::Programs;
use Trove::Nginx;


our @EXPORT = qw(nginx pin lua redis redis_places redis_script at worker fill
                 stats zone rss settled kernel_bytes sampled);


# As bench/load knows them

my $COINS = <<'END';
        coin      bronze value=1  weight=80;
        coin      silver value=5  weight=15;
        coin      gold   value=25 weight=5;
END

# A tap of a player, as trove does it: past the rate it is refused, and a coin
# is drawn by weight.  What Redis knows of a player is as short as can be, and
# the random number is given to it, for its own are the same for each call.

my $TAP = <<'END';
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local known = redis.call('GET', KEYS[1])
local balance, free = 0, 0

if known then
    balance, free = struct.unpack('dd', known)
end

if free > now + 2000 then
    return { 0, 0, balance }
end

if free < now then
    free = now
end

local random = tonumber(ARGV[1])
local coin, value = 1, 1

if random >= 95 then
    coin, value = 3, 25
elseif random >= 80 then
    coin, value = 2, 5
end

balance = balance + value
redis.call('SET', KEYS[1], struct.pack('dd', balance, free + 100))

return { coin, value, balance }
END


# nginx(troves, ...): one worker on the server's CPU, or as many as workers
# says.  Troves are names with their capacities, served at /NAME/poll,
# /NAME/rewards, /NAME/claim and /NAME/tap; trove is what else each of them has,
# or some by their names; the other arguments are as those of
# Trove::Nginx->start.

sub nginx {
    my ($troves, %arg) = @_;
    my $http = http() . ($arg{http} // '');
    my $workers = $arg{workers} ||= 1;
    my $listen = $arg{listen} || '';
    my $locations = '';

    for my $name (sort keys %$troves) {
        my $more = $arg{trove} // '';

        $more = $more->{$name} // '' if ref $more;

        $http .= <<"END";
    trove $name {
        capacity  rewards=$troves->{$name};
        space     earth;
        radius    1000 max=100000;
        claim     range=50 max_speed=40;
        tap       rate=10r/s burst=20;
$COINS
$more
    }
END
        $locations .= <<"END";
        location = /$name/poll     { trove_poll     $name; }
        location = /$name/rewards  { trove_rewards  $name; }
        location = /$name/claim    { trove_claim    $name; }
        location = /$name/tap      { trove_tap      $name; }
        location /$name/board/     { trove_board    $name; }
END
    }

    if (%$troves) {
        $http .= <<"END";
    server {
        listen  127.0.0.1:%%PORT%% $listen;
$locations
        location = /stats { trove_stats; }
    }
END
    }

    my $t = Trove::Nginx->start(%arg, http => $http, level => 'warn',
                                main => ($arg{pin} // pin())
                                        . ($arg{main} // ''));

    wait_until { $t->workers == $workers } or die "nginx has no worker\n";

    return $t;
}


sub http {
    return <<'END';
    default_type          application/json;
    client_max_body_size  0;
    keepalive_requests    1000000000;
    keepalive_timeout     100d;
    keepalive_time        100d;
    client_header_timeout 100d;
END
}


# To the server's CPU, or another one

sub pin {
    return sprintf "worker_cpu_affinity %s;\n", '1' . '0' x ($_[0] // $SERVER);
}


sub at { return '127.0.0.1:' . $_[0]->port($_[1]) }


sub worker { return scalar(($_[0]->workers)[0]) }


# Loads a file of rewards, and waits until polls show them

sub fill {
    my ($t, $trove, $file) = @_;
    my $poll = "/$trove/poll?x=0&y=0";

    measure('check', stream(kind => 'post', path => "/$trove/rewards",
                            to => at($t), file => $file, lines => 20000));

    my $version = stats($t)->{$trove}{ledger_version};

    wait_until {
        $t->get_json($poll)->{version} == $version
    } 60 or die "polls do not show the rewards\n";
}


sub stats { return $_[0]->get_json('/stats')->{troves} }


sub lua {
    my $modules = '/usr/lib/nginx/modules';
    my $places = places();

    return nginx({}, main => <<"END1", http => <<"END2");
load_module $modules/ndk_http_module.so;
load_module $modules/ngx_http_lua_module.so;
END1
    lua_package_path   '$Trove::Nginx::ROOT/bench/?.lua;;';
    lua_shared_dict    places 64m;
    init_by_lua_block  {
        require('poll').load('$places', ngx.shared.places)
    }

    server {
        listen  127.0.0.1:%%PORT%%;

        location = /dict {
            content_by_lua_block { require('poll').poll(ngx.shared.places) }
        }

        location = /local {
            content_by_lua_block { require('poll').poll() }
        }
    }
END2
}


# Its pid and its socket; it has no port unless one is given

sub redis {
    my $port = shift // 0;
    my $socket = "$DIR/redis.sock";

    unlink $socket;

    my $pid = start($SERVER, 'redis-server', '--port', $port, '--unixsocket',
                    $socket, '--save', '', '--appendonly', 'no', '--dir',
                    $DIR);

    wait_until { -S $socket } 10 or die "redis-server does not start\n";

    return ($pid, $socket);
}


# Gives it all places that it can hold

sub redis_places {
    my $socket = shift;

    open my $places, '<', places() or die places() . ": $!\n";
    open my $cli, '|-', "redis-cli -s $socket --pipe >$DIR/redis.log 2>&1"
        or die "redis-cli: $!\n";

    while (<$places>) {
        my ($id, $x, $y) = /"id":(\d+),"x":([^,]+),"y":([^,]+)/;

        print $cli "GEOADD places $x $y $id\r\n" if abs $y < 85.05;
    }

    close $cli or die "redis-cli has failed: see $DIR/redis.log\n";
}


# Gives it the script of a tap, and returns what it is called by

sub redis_script {
    my $socket = shift;

    open my $f, '-|', 'redis-cli', '-s', $socket, 'SCRIPT', 'LOAD', $TAP
        or die "redis-cli: $!\n";

    my ($sha) = (<$f> // '') =~ /^"?([0-9a-f]{40})/
        or die "redis-cli does not load the script\n";

    return $sha;
}


# Resident bytes of the largest zone, in the process that has faulted it in

sub zone {
    my $pid = shift;
    my @maps = split /^(?=[0-9a-f]+-[0-9a-f]+ )/m, slurp("/proc/$pid/smaps");

    return 1024 * max(map { /^Rss: +(\d+)/m ? $1 : 0 }
                      grep { m{^\S+ rw-s .* /dev/zero \(deleted\)$}m } @maps);
}


# Bytes of a process: all that is resident, and what of it is its own

sub rss {
    my $pid = shift;
    my $status = slurp("/proc/$pid/status");
    my ($all) = $status =~ /^VmRSS:\s*(\d+)/m;
    my ($own) = $status =~ /^RssAnon:\s*(\d+)/m;

    return { all => 1024 * $all, own => 1024 * $own };
}


# The same when it has been the same for two seconds

sub settled {
    my $pid = shift;
    my $rss = rss($pid);
    my $since = time;

    while (time - $since < 2) {
        sleep 0.1;

        my $now = rss($pid);

        if ($now->{all} != $rss->{all}) {
            $rss = $now;
            $since = time;
        }
    }

    return $rss;
}


# What the kernel has allocated for itself and for sockets

sub kernel_bytes {
    my ($slab) = slurp('/proc/meminfo') =~ /^Slab:\s*(\d+)/m;
    my ($pages) = slurp('/proc/net/sockstat') =~ /^TCP:.* mem (\d+)/m;

    return 1024 * $slab + 4096 * $pages;
}


# What a sub returns, twice a second while something is done, and what that
# returns

sub sampled {
    my ($value, $code) = @_;

    open my $samples, '+>', undef or die "cannot make a file: $!\n";

    my $main = $$;
    my $child = fork // die "cannot fork: $!\n";

    if ($child == 0) {
        while (getppid() == $main) {
            syswrite $samples, $value->() . "\n";
            sleep 0.5;
        }

        POSIX::_exit(0);
    }

    my @returned = $code->();

    kill 'KILL', $child;
    waitpid $child, 0;
    seek $samples, 0, 0;

    return [ map { $_ + 0 } <$samples> ], @returned;
}


1;
