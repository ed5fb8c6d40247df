#!/usr/bin/perl

# The probes for tracers: each is a nop with the arguments that are documented,
# the scripts in conf/trace are ones that bpftrace takes, and where BPF runs
# they see what happens.

use strict;
use warnings;

use File::Basename qw(basename);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use FindBin;
use IO::Select;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') eq 'scalar') {
    plan skip_all => 'the same module as of dynamic';
}

# a copy of its own, for breakpoints are in a file: what other tests run is let
# alone

my $file = $Trove::Nginx::MODULE ? \$Trove::Nginx::MODULE
                                 : \$Trove::Nginx::NGINX;
my $target = tempdir(CLEANUP => 1, TMPDIR => 1) . '/' . basename($$file);

copy($$file, $target) or die "$target: $!\n";
chmod 0755, $target;
$$file = $target;

my %arguments = (request => 5, epoch_lag => 3, epoch_turn => 4,
                 arena_exhausted => 4, claim_decided => 6, store_commit => 4);
my @scripts = glob "$Trove::Nginx::ROOT/conf/trace/*.bt";


# The notes: { name => [ { at, args } ] }; one that was inlined has several

my %probe;

my $notes = `readelf -n $target`;

while ($notes =~ /^\ *Provider:\ trove\n
                  \ *Name:\ (\w+)\n
                  \ *Location:\ (\w+),\ .*?\ Semaphore:\ 0x0+\n
                  \ *Arguments:\ (.*)$/gmx)
{
    push @{ $probe{$1} }, { at => hex $2, args => [ split ' ', $3 ] };
}

is_deeply([ sort keys %probe ], [ sort keys %arguments ], 'all probes');

for my $name (sort keys %probe) {
    for my $p (@{ $probe{$name} }) {
        is(scalar @{ $p->{args} }, $arguments{$name},
           "$name has its arguments");

        my $code = sprintf 'objdump -d --start-address=%d --stop-address=%d %s',
                           $p->{at}, $p->{at} + 1, $target;

        like(scalar `$code`, qr/:\t90 +\tnop$/m, 'and is a nop');
    }
}


# bpftrace ARGUMENTS in a tracefs of its own, if the machine has none mounted

sub bpftrace {
    my @args = @_;
    my $mount = 'test -e /sys/kernel/tracing/trace'
                . ' || mount -t tracefs tracefs /sys/kernel/tracing;'
                . ' exec bpftrace "$@"';

    return ('unshare', '-m', 'sh', '-c', $mount, 'bpftrace', @args);
}


sub run {
    my @command = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    my $said = do { local $/; <$out> } // '';

    close $out;
    return ($?, $said);
}


is(scalar @scripts, 3, 'there are scripts');

for my $script (@scripts) {
    my ($name) = $script =~ m{([^/]+)$};

    open my $f, '<', $script or die "$script: $!\n";
    my $text = do { local $/; <$f> };
    my @used = $text =~ /^usdt:\$1:trove:(\w+)$/mg;

    unlike($text, qr/^u(?:ret)?probe:/m, "$name stops no other program");

    ok(scalar @used, "$name has probes");
    is_deeply([ grep { !$probe{$_} } @used ], [], 'which there are');

    for my $probe (@used) {
        my ($body) = $text =~ /^usdt:\$1:trove:$probe\n(.*?^\})/ms;
        my ($most) = sort { $b <=> $a } $body =~ /\barg(\d)\b/g;

        cmp_ok($most, '<', $arguments{$probe}, "$probe has all it is asked");
    }

    SKIP: {
        skip 'bpftrace is for root', 2 if $> != 0;

        my ($status, $said) = run('bpftrace', '-d', $script, $target);

        is($status, 0, 'bpftrace takes it') or diag $said;

        my $wrong = $text =~ s/str\(arg0, arg1\)/str(arg0, nothing)/r;

        ($status, $said) = run('bpftrace', '-d', '-e',
                               $wrong =~ s/\$1/$target/gr);
        ok($status != 0 && $said =~ /nothing/, 'and not just anything');
    }
}


# What the probes say, against what the statistics do

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt {
        capacity rewards=100 players=100;
        epoch    20ms;
        store    sqlite:%%DIR%%/hunt.db;
        %%SIMD%%
    }
    trove small { arena 8k; epoch 1h; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /small   { trove_poll    small; }
    location = /claim   { trove_claim   hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats write=on; }
SERVER

my ($worker) = $t->workers;
my $count = <<"END" =~ s/TARGET/$target/gr =~ s/WORKER/$worker/gr;
usdt:TARGET:trove:request /pid == WORKER/
{
    \@requests[str(arg0, arg1), arg2, arg3] = count();
    \@ns[arg2] = min(arg4);
}
usdt:TARGET:trove:epoch_lag /pid == WORKER/ { \@lags = count(); }
usdt:TARGET:trove:epoch_turn /pid == WORKER/
{
    \@turns[str(arg0, arg1)] = count();
    \@used[str(arg0, arg1)] = max(arg3);
}
usdt:TARGET:trove:arena_exhausted /pid == WORKER/
{
    \@refused[str(arg0, arg1), arg3] = count();
}
usdt:TARGET:trove:claim_decided /pid == WORKER/
{
    \@claims[str(arg0, arg1), str(arg2, arg3), arg4, arg5] = count();
}
usdt:TARGET:trove:store_commit /pid == WORKER/
{
    \@rows[str(arg0), arg3] = sum(arg1);
}
END
my $tick = 'interval:ms:100 { printf("tick\n"); }';


# Runs it, and the sub once it sees, which it says by ticks; what it has said
# at its end, undef if it cannot

sub traced {
    my ($while, @args) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    my $end = time + 60;
    my $said = '';

    if ($pid == 0) {
        open STDERR, '>', "$t->{dir}/bpftrace.err";
        exec bpftrace(@args) or POSIX::_exit(127);
    }

    my $select = IO::Select->new($out);
    my $read = sub {
        return time < $end if !$select->can_read(0.1);
        return sysread $out, $said, 65536, length $said;
    };

    while ($said !~ /tick.*tick/s && $read->()) { }

    my $sees = $said =~ /tick/;

    $while->() if $sees;
    kill 'INT', $pid;

    while ($read->()) { }

    kill 'KILL', $pid;
    close $out;

    return $sees ? $said : undef;
}


SKIP: {
    skip 'bpftrace is for root', 1 if $> != 0;

    my $json = { 'Content-Type' => 'application/json' };
    my $said = traced(sub {
        my $c = $t->client;

        $c->get('/poll?x=1&y=1') for 1 .. 30;
        $c->get('/poll?x=q&y=1') for 1 .. 3;
        $c->get('/small?x=1&y=1&limit=64') for 1 .. 40;
        $c->request('POST', '/rewards', $json,
                    qq({"id":$_,"x":1,"y":1,"stock":1})) for 1 .. 5;
        $c->request('POST', '/claim', $json,
                    qq({"player":"$_","reward":5})) for qw(ann ann bob);

        wait_until {
            ($c->get('/stats')->{json}{troves}{hunt}{store_rewards} // 0) >= 5
        };
    }, '-f', 'json', '-e', $count . $tick);

    if (!defined $said) {
        skip 'no BPF here: ' . $t->read_file('bpftrace.err') =~ s/\s+/ /gr, 1;
    }

    my %map = map { $_->{type} eq 'map' ? %{ $_->{data} } : () }
              map { decode_json($_) } grep { /^\{/ } split /\n/, $said;
    my $stats = $t->get_json('/stats')->{troves};
    my $requests = $map{'@requests'};

    is($requests->{'hunt,0,200'}, 30, 'polls are seen');
    is($requests->{'hunt,0,400'}, 3, 'and bad ones');
    is($requests->{'hunt,1,200'}, 5, 'and rewards');
    cmp_ok($map{'@ns'}{0}, '>', 100, 'with their time');
    is_deeply($map{'@claims'}, { 'hunt,ann,5,0' => 1, 'hunt,ann,5,1' => 1,
                                 'hunt,bob,5,2' => 1 }, 'claims as decided');
    is($map{'@refused'}{'small,8192'}, $stats->{small}{arena_exhausted},
       'the arena that was used up');
    cmp_ok($map{'@refused'}{'small,8192'}, '>', 0, 'which it was');
    cmp_ok($map{'@turns'}{hunt}, '>', 0, 'epochs turn');
    cmp_ok($map{'@lags'}, '>', 0, 'with their lag');
    cmp_ok($map{'@used'}{hunt}, '>', 0, 'and have used the arena');

    my ($rows) = %{ $map{'@rows'} };

    is($rows, "$t->{dir}/hunt.db,0", 'the store commits');
    cmp_ok($map{'@rows'}{$rows}, '>=', 6, 'the rewards and players');

    # the scripts themselves

    my %says = (arena => qr/^\@epoch_bytes\[hunt\]/m,
                poll => qr/^\@us\[hunt\]/m,
                stalls => qr/worker\ $worker:\ an\ epoch\ of\ hunt\ is\ late\ by
                             .*^\@lag_us\[hunt\].*^\@turn_us:/msx);

    for my $script (@scripts) {
        my ($name) = $script =~ m{([^/]+)\.bt$};

        my $text = do { open my $f, '<', $script; local $/; <$f> };

        $said = traced(sub {
            $t->get('/poll?x=1&y=1') for 1 .. 50;

            # epochs that are late

            for (1 .. ($name eq 'stalls' ? 10 : 0)) {
                $t->get('/poll?x=1&y=1');
                kill 'STOP', $worker;
                sleep 0.05;
                kill 'CONT', $worker;
            }
        }, $t->write_file("$name.bt", $text . $tick), $target);

        like($said // '', $says{$name}, "$name.bt says what it is for");
    }
}

done_testing;
