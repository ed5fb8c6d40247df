package Bench::Servers;

# nginx, with the module or with Lua, and Redis: each with one CPU.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(max);
use Time::HiRes qw(sleep time);

use Bench::Data;
use Bench::Machine;
use Bench::Programs;
use Trove::Nginx;


our @EXPORT = qw(nginx lua redis at worker fill stats zone rss settled);


# nginx(troves, http => ..., main => ..., listen => ..., workers => ...): a
# worker, or more, on the server's CPU; troves are names with their
# capacities, served at /NAME/poll and /NAME/rewards

sub nginx {
    my ($troves, %arg) = @_;
    my $http = http() . ($arg{http} // '');
    my $workers = $arg{workers} || 1;
    my $listen = $arg{listen} || '';
    my $locations = '';

    for my $name (sort keys %$troves) {
        $http .= <<"END";
    trove $name {
        capacity  rewards=$troves->{$name};
        space     earth;
        radius    1000 max=100000;
    }
END
        $locations .= <<"END";
        location = /$name/poll     { trove_poll     $name; }
        location = /$name/rewards  { trove_rewards  $name; }
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

    my $t = Trove::Nginx->start(http => $http, level => 'warn',
                                workers => $workers,
                                main => pin() . ($arg{main} // ''));

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


sub pin {
    return sprintf "worker_cpu_affinity %s;\n", '1' . '0' x $SERVER;
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


# Its pid and its socket, with all places that it can hold

sub redis {
    my $socket = "$DIR/redis.sock";

    unlink $socket;

    my $pid = start($SERVER, 'redis-server', '--port', 0, '--unixsocket',
                    $socket, '--save', '', '--appendonly', 'no', '--dir',
                    $DIR);

    wait_until { -S $socket } 10 or die "redis-server does not start\n";

    open my $places, '<', places() or die places() . ": $!\n";
    open my $cli, '|-', "redis-cli -s $socket --pipe >$DIR/redis.log 2>&1"
        or die "redis-cli: $!\n";

    while (<$places>) {
        my ($id, $x, $y) = /"id":(\d+),"x":([^,]+),"y":([^,]+)/;

        print $cli "GEOADD places $x $y $id\r\n" if abs $y < 85.05;
    }

    close $cli or die "redis-cli has failed: see $DIR/redis.log\n";

    return ($pid, $socket);
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


1;
