#!/usr/bin/perl

# conf/monitor: the package builds from a clean state and passes its tests;
# installed elsewhere, it needs no other; and what it says of a real nginx is
# what was sent there, over a restart, too.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Monitor;
use Trove::Nginx;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') ne 'dynamic') {
    plan skip_all => 'the package is the same for all variants';
}

my $dir = tempdir('trove-monitor-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($build, $user) = ("$dir/build", "$dir/user");


sub succeeds {
    my ($name, @command) = @_;
    my ($status, $said) = run(@command);

    is($status, 0, $name) or diag($said);

    return $said;
}


# a package like any other

my ($status, $said) = Trove::Monitor::build($build);

is($status, 0, 'it builds') or BAIL_OUT($said);
like(succeeds('its tests pass', $build, qw(npm test --silent)),
     qr/^\S+ pass [5-9]\d$/m, 'and are many');
succeeds('it is packed', $build,
         qw(npm pack --silent --ignore-scripts --pack-destination), $dir);

my @packed = map { s{^package/}{}r } sort split /\n/,
             succeeds('which is read', $dir, 'sh', '-c', 'tar tzf *.tgz');

is_deeply([ grep { !m{^dist/[a-z]+\.(?:js|d\.ts)$} } @packed ],
          [qw(README.md package.json stats.schema.json)],
          'nothing in it but what is used');
cmp_ok(scalar(grep { m{^dist/} } @packed), '>', 20, 'and all of that');

mkdir $user;
succeeds('installed', $user, 'sh', '-c', 'npm init -y >/dev/null && npm install'
         . ' --offline --no-audit --no-fund --silent ../trove-monitor-*.tgz');
is_deeply([ map { s{.*/}{}r } glob "$user/node_modules/*" ],
          ['trove-monitor'], 'it needs no other');
ok(-x "$user/node_modules/.bin/trove-monitor", 'and has its command');

write_user('use.mts', <<'TS');
import { TroveMonitor, TroveError, type Sample } from 'trove-monitor';
import schema from 'trove-monitor/stats.schema.json' with { type: 'json' };

const monitor = new TroveMonitor('http://127.0.0.1/', { timeout: 1 });
const p99: number | null | undefined =
    (await monitor.reportP99())['hunt']?.['poll'];
const shown = (sample: Sample): number | undefined =>
    sample.ok ? sample.stats.troves['hunt']?.rewards : sample.failures;

for await (const sample of monitor.samples({ interval: 9 })) {
    console.log(p99, shown(sample), schema.title, TroveError);
}
TS

succeeds('its types are there', $user, "$build/node_modules/.bin/tsc",
         qw(--noEmit --strict --target es2022 --module nodenext
            --moduleResolution nodenext --resolveJsonModule --types node
            --typeRoots), "$build/node_modules/\@types", 'use.mts');


# what it says of nginx

my $t = Trove::Nginx->start(workers => 2, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    keepalive_requests 1000000;

    trove hunt        { epoch 1h; capacity players=10;
                        coin gold value=1 weight=1; %%SIMD%% }
    trove __proto__   { %%SIMD%% }
    trove load        { %%SIMD%% }
HTTP
    location = /poll  { trove_poll hunt; }
    location = /tap   { trove_tap hunt; }
    location = /odd   { trove_poll __proto__; }
    location = /load  { trove_poll load; }
    location = /stats { trove_stats write=on; }
    location = /read  { trove_stats; }
    location = /none  { return 200 "{}"; }
SERVER

my $url = 'http://127.0.0.1:' . $t->port;

for my $c (values %{ $t->clients }) {
    $c->get('/poll?x=0&y=0') for 1 .. 200;
    $c->get('/poll?x=0') for 1 .. 5;
    $c->request('POST', '/tap', {}, '{"player":"p"}') for 1 .. 9;
    $c->get('/odd?x=0&y=0') for 1 .. 10;
}

write_user('calls.mjs', <<'JS');
import { TroveMonitor } from 'trove-monitor';

const url = process.argv[2];
const monitor = new TroveMonitor(url);
const q = {};

for (const part of [0.5, 0.9, 0.99, 0.999, 1, 0.25, 0.12345]) {
    q[part] = await monitor.latency('poll', part, { trove: 'hunt' });
}

const fails = async (call) => {
    try {
        return [await call, 'no error'];
    } catch (error) {
        return [error.name, error.message];
    }
};

console.log(JSON.stringify({
    p99: Object.entries(await monitor.reportP99()),
    q,
    all: await monitor.latency('poll', 0.99),
    dump: await monitor.dumpAllocator(),
    before: (await monitor.stats()).troves.hunt.epoch_turns,
    cycled: await monitor.cycleArena('hunt'),
    after: (await monitor.stats()).troves.hunt.epoch_turns,
    errors: [
        await fails(monitor.cycleArena('nosuch')),
        await fails(new TroveMonitor(`${url}/read`).cycleArena('hunt')),
        await fails(new TroveMonitor(`${url}/nosuch`).stats()),
        await fails(new TroveMonitor(`${url}/none`).stats()),
        await fails(monitor.latency('poll', 2)),
        await fails(monitor.latency('nosuch', 0.5)),
    ],
}));

monitor.close();
JS

my $got = decode_json(succeeds('all calls', $user, 'node', 'calls.mjs', $url));
my $stats = $t->get_json('/stats')->{troves};
my $poll = $stats->{hunt}{latency}{poll};
my %p99 = map { @$_ } @{ $got->{p99} };

is($poll->{count}, 410, 'these polls');
is($p99{hunt}{poll}, $poll->{p99}, 'reportP99');
is($p99{__proto__}{poll}, $stats->{__proto__}{latency}{poll}{p99},
   'of a trove with an odd name');
is($p99{load}{poll}, undef, 'and of none at all');
is_deeply([ @{ $got->{q} }{qw(0.5 0.9 0.99 0.999 1)} ],
          [ @$poll{qw(p50 p90 p99 p999 max)} ], 'latency, as nginx says');
cmp_ok($got->{q}{0.25}, '<=', $poll->{p50}, 'and what it does not say');
cmp_ok($got->{q}{0.12345}, '<=', $got->{q}{0.25}, 'of any sort');
cmp_ok($got->{all}, '>', 0, 'of all troves together');

my $dump = $got->{dump};
my @workers = sort { $a <=> $b } $t->workers;

is($dump->{name}, 'mimalloc', 'dumpAllocator');
is_deeply([ map { $_->{pid} } @{ $dump->{workers} } ], \@workers,
          'has each worker once');

for my $worker (@{ $dump->{workers} }) {
    my $is = $t->resident($worker->{pid});

    cmp_ok(abs($worker->{resident} - $is), '<', 0.05 * $is,
           'and their memory as the kernel says');
}

is($dump->{troves}{hunt}{arena_size}, 2 * 16 << 20, 'and the arenas');

is($got->{cycled}{cycled}, 'hunt', 'cycleArena');
ok((grep { $_ == $got->{cycled}{worker} } @workers), 'in a worker');
is($got->{before}, 0, 'no epoch had turned');
is($got->{after}, 1, 'and now one has');

is_deeply([ map { $_->[0] } @{ $got->{errors} } ],
          [qw(StatusError StatusError StatusError JsonError RangeError
              UnknownNameError)], 'errors are of their kinds');
like($got->{errors}[0][1], qr/404: cycle: there is no such trove/,
     'and say what the server says');
like($got->{errors}[1][1], qr/405/, 'where it may not write');


# samples under load, while nginx goes away and comes back

write_user('samples.mjs', <<'JS');
import { TroveMonitor } from 'trove-monitor';

const monitor = new TroveMonitor(process.argv[2]);
let polls = 0, restarts = 0;

for await (const sample of monitor.samples({ interval: 50,
                                             maxBackoff: 200 })) {
    const rates = sample.ok ? sample.rates.load : null;

    if (rates) {
        polls += Math.round(rates.endpoints.poll.total * sample.elapsed);
        restarts += rates.restarted;
    }

    console.log(JSON.stringify({ ok: sample.ok, polls, restarts,
                                 known: rates !== null,
                                 error: sample.error?.name }));
}
JS

my ($pid, $next) = lines($user, 'node', 'samples.mjs', $url);

until_line($next, sub { $_[0]{known} }, 'samples');
load($t, 3000);
until_line($next, sub { $_[0]{polls} >= 3000 }, 'count what was sent');
is(last_line()->{polls}, 3000, 'to the last one');

$t->quit;
until_line($next, sub { !$_[0]{ok} }, 'nginx is away');
is(last_line()->{error}, 'ConnectionError', 'and that is said');

# what tells one run of nginx from another is the second in which it began

my $since = time;

wait_until { time > $since + 1 };
$t->again;
load($t, 500);
until_line($next, sub { $_[0]{polls} >= 3500 }, 'and back');
is(last_line()->{polls}, 3500, 'what it has counted since is known');
is(last_line()->{restarts}, 1, 'and that it was started again');

kill 'TERM', $pid;


# the command: lines

my @command = ("$user/node_modules/.bin/trove-monitor", '-i', '0.1');

my $lines = succeeds('lines', $user, @command, '-n', 2, '-t', 'load', $url);

like($lines, qr/^\S+Z load\b.*\n\S+Z load\b.*\n\z/, 'a line a sample');


# and in a terminal: pid and settings of it are told in files

write_user('in_terminal', <<'SH');
stty rows 24 cols 80
stty -g >before
tty >tty
"$@"
echo $? >status
stty -g >after
SH

sub terminal {
    my $command = join ' ', 'sh in_terminal', @_;

    unlink map { "$user/$_" } qw(before tty status after);

    pipe my $keys, my $type or die "pipe: $!\n";
    my $pid = open(my $screen, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        alarm 0;
        chdir $user or die "$user: $!\n";
        open STDIN, '<&', $keys;
        close $type;
        exec qw(script -qefc), $command, '/dev/null' or POSIX::_exit(127);
    }

    close $keys;
    $type->autoflush;

    return { pid => $pid, screen => $screen, keys => $type, text => '' };
}


# Reads until the screen shows it

sub shows {
    my ($term, $re) = @_;
    my $end = time + 30;

    while (time < $end) {
        my ($last) = $term->{text} =~ /.*(\e\[H.*)\z/s;

        return 1 if ($last // '') =~ $re;
        sysread $term->{screen}, $term->{text}, 65536, length $term->{text}
            or return 0;
    }

    return 0;
}


sub rest {
    my $term = shift;
    my $bytes = 1;

    while ($bytes) {
        $bytes = sysread $term->{screen}, $term->{text}, 65536,
                         length $term->{text};
    }

    close $term->{screen};
}


# Lines of the screens that were drawn from an offset on

sub drawn {
    my ($term, $from) = @_;
    my @screens = split /\e\[H/, substr($term->{text}, $from // 0);

    shift @screens;

    return map { [ map { s/\e\[[0-9;?]*[a-zA-Z]//gr }
                   split /\r+\n/, $_, -1 ] }
           grep { !/\e\[2J/ } @screens;
}


sub restored {
    my ($term, $name) = @_;
    my ($before, $after) = map { Trove::Monitor::slurp("$user/$_") }
                           qw(before after);

    ok(length $before, "$name: the terminal has settings");
    is($after, $before, "$name: which are what they were");
    like($term->{text}, qr/\e\[\?1049h/, "$name: it took the other screen");
    like($term->{text}, qr/\e\[\?25h\e\[\?1049l[\r\n]*\z/,
         "$name: and gave it back, with the cursor");
}


my $term = terminal(@command, $url);

ok(shows($term, qr/hunt\e?.* \(1 of 3\).*2 workers/s), 'a screen');
print { $term->{keys} } "\t\t";
ok(shows($term, qr/load\e?.* \(3 of 3\)/s), 'of another trove');
load($t, 300);
ok(shows($term, qr/^\S*poll +[1-9][\d,.]* .*us/m), 'figures move');

my @screens = drawn($term);

is((grep { @$_ > 24 || grep { length > 80 } @$_ } @screens), 0,
   'in 24 lines of 80 columns');

my $tty = Trove::Monitor::slurp("$user/tty") =~ s/\n//r;
my $from = length $term->{text};

succeeds('the terminal is made smaller', $user, 'stty', '-F', $tty, 'rows', 12,
         'cols', 50);
ok(wait_until {
       shows($term, qr/load/);
       my ($last) = (drawn($term, $from))[-1];

       sysread $term->{screen}, $term->{text}, 65536, length $term->{text};
       $last && @$last == 12 && !grep { length > 50 } @$last;
   }, 'and so is the screen');

$t->quit;
ok(shows($term, qr/no answer from.*as it was|as it was.*no answer from/s),
   'while nginx is away it says so');
$t->again;
load($t, 10);
ok(wait_until { shows($term, qr/load/) && $term->{text} =~ /as it was/
                && shows($term, qr/\(3 of 3\)  module/) }, 'and goes on');

print { $term->{keys} } 'q';
rest($term);
is(Trove::Monitor::slurp("$user/status"), "0\n", 'q quits');
restored($term, 'q');

$term = terminal(@command, $url);
ok(shows($term, qr/hunt/), 'again');
print { $term->{keys} } "\cC";
rest($term);
is(Trove::Monitor::slurp("$user/status"), "0\n", 'ctrl-c quits');
restored($term, 'ctrl-c');

$term = terminal('sh', '-c', "'echo \$\$ >pid; exec \"\$@\"'", 'sh', @command,
                 $url);
ok(shows($term, qr/hunt/), 'again');
kill 'TERM', Trove::Monitor::slurp("$user/pid");
rest($term);
is(Trove::Monitor::slurp("$user/status"), "143\n", 'SIGTERM ends it');
restored($term, 'SIGTERM');

done_testing;


sub write_user {
    my ($name, $text) = @_;

    open my $f, '>', "$user/$name" or die "$name: $!\n";
    print $f $text;
    close $f or die "$name: $!\n";
}


# Polls of the trove "load", by all workers

sub load {
    my ($t, $n) = @_;
    my @clients = values %{ $t->clients };

    for my $i (1 .. $n) {
        $clients[$i % @clients]->get('/load?x=0&y=0')->{status} == 200
            or die "a poll failed\n";
    }
}


# A program's pid, and a sub that is the next of its lines of JSON

sub lines {
    my ($dir, @command) = @_;
    my $pid = open(my $f, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        alarm 0;
        chdir $dir or die "$dir: $!\n";
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    return ($pid, sub { decode_json(readline($f) // die "it has ended\n") });
}


my $line;

sub last_line { return $line }

sub until_line {
    my ($next, $true, $name) = @_;
    my $end = time + 60;

    do { $line = $next->() } until $true->($line) || time > $end;
    ok($true->($line), $name);
}
