#!/usr/bin/perl

# The live page in a browser: its figures are those of the module, they move,
# it says in words what is wrong, asks nobody else, and is readable in light,
# in dark, on a phone, by keys, and without its charts.

use strict;
use utf8;
use warnings;

use Encode qw(encode_utf8);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Browser;
use Trove::Nginx;
use Trove::Store;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') eq 'scalar') {
    plan skip_all => 'the page is the same without SIMD';
}

my $PICTURES = $ENV{TROVE_TEST_PICTURES};     # a folder to keep them in

my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=1k players=100 claims=20; arena 1m;
                 coin one value=1 weight=1; board weekly rows=10; }
    trove combat { capacity rewards=10; arena 1m;
                   store sqlite:%%DIR%%/combat.db; }
HTTP
        location = /poll    { trove_poll    hunt; }
        location = /claim   { trove_claim   hunt; }
        location = /tap     { trove_tap     hunt; }
        location = /rewards { trove_rewards hunt; }
        location /board/    { trove_board   hunt; }
        location = /stats   { trove_stats; }
        location = /combat  { trove_rewards combat; }

        location = /tables/stats {
            root      %%DIR%%;
            try_files /tables.html =404;
            types { } default_type text/html;

            if ($arg_format) { rewrite ^ /stats last; }
        }
END

my $url = 'http://127.0.0.1:' . $t->port . '/stats';
my $b = Trove::Browser->new;


sub statements {
    return $b->eval('document.getElementById("statements").innerText');
}


# The cells of the table's row that begins so

sub cells {
    my ($card, $head) = @_;

    return $b->eval(<<"END");
        [ ...document.querySelectorAll('#$card tbody tr') ]
            .filter((tr) => tr.cells[0].textContent === '$head')
            .flatMap((tr) => [ ...tr.cells ].slice(1)
                                            .map((td) => td.textContent))
END
}


sub picture {
    my $name = shift;

    cmp_ok($b->picture($PICTURES ? "$PICTURES/$name.png"
                                 : "$t->{dir}/$name.png"), '>', 5000,
           "a picture: $name");
}


# as it is sent

my $res = $t->request('GET', '/stats?format=html');

like($res->{headers}{'content-security-policy'},
     qr/^default-src 'none'; connect-src 'self'; img-src data:; script-src 'sh/,
     'nothing but its own script');
unlike($res->{headers}{'content-security-policy'}, qr/unsafe|\*|https?:/,
       'without exception');
is($res->{headers}{'x-content-type-options'}, 'nosniff', 'no guesses');
is($res->{headers}{'content-encoding'}, undef, 'not compressed unless asked');
unlike($res->{body}, qr/(?:src|href)="(?!#|data:,"|\?format=)/,
       'no file besides it');
like($res->{body}, qr{<noscript>.*\bformat=json.*</noscript>\s*<main[^>]*
                      \ hidden>}xs, 'without JavaScript it says what there is');

my $whole = $res->{body};
my $own_code = join '', map { local (@ARGV, $/) = $_; <> }
               glob "$FindBin::Bin/../src/page/*.js";

like($own_code, qr/replaceChildren/, 'its own code');
unlike($own_code, qr/innerHTML|outerHTML|insertAdjacentHTML|document\.write/,
       'has text go to text nodes');

$res = $t->request('GET', '/stats', { Accept => 'text/html',
                                      'Accept-Encoding' => 'gzip' });
is($res->{headers}{'content-encoding'}, 'gzip', 'compressed if it may be');
cmp_ok(length $res->{body}, '<', 40_000, 'and then small');

$t->write_file('page.gz', $res->{body});
is(qx(gzip -dc $t->{dir}/page.gz), $whole, 'it is the same page');

$res = $t->request('HEAD', '/stats?format=html');
is($res->{headers}{'content-length'}, length $whole, 'HEAD has its length');


# figures

$t->post('/rewards', qq({"id":$_,"x":$_,"y":0,"stock":1})) for 1 .. 7;
$t->get('/poll?x=0&y=0&r=5') for 1 .. 40;
$t->get('/poll?x=0&y=q') for 1 .. 3;

$b->look(1200, 900);
$b->open($url);
$b->until('document.querySelectorAll("#codes tbody tr").length >= 3');

like($b->eval('document.title'), qr/^(?:⚠ )?hunt – trove\z/,
     'its title names the trove');
is_deeply([ (cells('codes', 'poll 200'))->[1] ], [ '40' ], 'polls, exactly');
is_deeply([ (cells('codes', 'poll 400'))->[1] ], [ '3' ], 'refused ones, too');
is_deeply([ @{ cells('capacity', 'rewards') }[1, 2] ], [ '7', '1000' ],
          'rewards and their capacity');

my $points = 'histories.get("hunt").times.length';

$b->until("$points >= 2");
$t->get('/poll?x=0&y=0&r=5') for 1 .. 200;
$b->until('[ ...document.querySelectorAll("#codes tbody tr") ].some((tr) =>'
          . ' tr.textContent.startsWith("poll 200")'
          . ' && tr.cells[2].textContent === "240")');
pass('they move');

$b->until('histories.get("hunt").of("rate poll").some((v) => v > 0)');
pass('and have rates');

my ($p50, $p99) = @{ $b->eval('[ "0.5 poll", "0.99 poll" ].map((name) =>'
                              . ' Math.max(...histories.get("hunt").of(name)))')
                  };
my $latency = $t->get_json('/stats')->{troves}{hunt}{latency}{poll};

cmp_ok($p50, '>', 0, 'the median of a stretch');
cmp_ok($p99, '>=', $p50, 'is not above its p99');
cmp_ok($p99, '<=', 1.1 * $latency->{max}, 'nor that above what was slowest');

my $charts = $b->eval('typeof uPlot !== "undefined"');

is($b->eval('document.querySelectorAll("canvas").length'),
   $charts ? 6 : 0, 'charts are drawn, if there is what draws them');


# boards, whose players' names are what they like

my @hostile = ('<img src=x onerror=broken=1>', '"><script>broken=1</script>',
               '&lt;b&gt;', "\x{202e}drawkcab", '${broken=1}', "p\x{1f984}");

$t->post('/board/weekly', encode_utf8(Trove::Nginx::ndjson({
    player => $hostile[$_], score => 100 - $_ }))) for 0 .. $#hostile;

$b->until('document.querySelectorAll("#boards tbody tr").length === 5');
is_deeply($b->eval('[ ...document.querySelectorAll("#boards tbody th") ]'
                   . '.map((th) => th.textContent)'), [ @hostile[0 .. 4] ],
          'the top of a board, whatever the names are');
is($b->eval('document.querySelectorAll("main img, main script").length'), 0,
   'and they are but text');
like($b->eval('document.querySelector("#boards caption").textContent'),
     qr/^weekly, 6 rows$/, 'with its name');

is($t->get('/stats?board=nosuch')->{status}, 404, 'a board that is not');
is($t->get('/stats?board=weekly&trove=combat')->{status}, 404, 'nor there');
is_deeply($t->get('/stats?board=weekly&trove=hunt&top=1')->{json}{list},
          [ { rank => 1, player => $hostile[0], score => 100 } ],
          'who reads the statistics can ask for it');


# looks

for my $case ([ light => 1200, 900 ], [ dark => 1200, 900, dark => 1 ],
              [ phone => 375, 800, phone => 1 ],
              [ 'phone-dark' => 375, 800, phone => 1, dark => 1 ])
{
    my ($name, $width, $height, %opt) = @$case;

    $b->look($width, $height, %opt);
    $b->until("innerWidth === $width");
    $b->eval('new Promise((done) => setTimeout(done, 200))');

    cmp_ok($b->eval('document.documentElement.scrollWidth'), '<=', $width,
           "$name: nothing sticks out");

    my ($r) = $b->eval('getComputedStyle(document.body).backgroundColor')
              =~ /(\d+)/;

    ok($opt{dark} ? $r < 80 : $r > 200, "$name: so is the ground");
    picture($name);
}

$b->look(1200, 900);


# keys: everything that can be done is reached by them, in its order

$b->eval('document.activeElement.blur()');

my @reached = map { $b->key('Tab');
                    $b->eval('document.activeElement.id'
                             . ' || document.activeElement.className') } 1 .. 4;

is_deeply(\@reached, [ qw(skip trove endpoint pause) ], 'reached by keys');

$b->eval('document.getElementById("trove").focus()');
$b->key('ArrowDown');
$b->until('document.title.endsWith("combat – trove")');
is_deeply([ @{ cells('capacity', 'rewards') }[1, 2] ], [ '0', '10' ],
          'another trove is chosen by a key');
$b->key('ArrowUp');
$b->until('document.title.endsWith("hunt – trove")');

$b->eval('document.getElementById("pause").click()');

my $asked = $b->requests;

$b->eval('new Promise((done) => setTimeout(done, 1500))');
is($b->requests, $asked, 'paused it asks nothing');
$b->eval('document.getElementById("pause").click()');
$b->until("$points > 5");


# in words: what each rule says of a minute in which this happened, and that
# nothing is said of one in which nothing did

$b->eval(<<'END');
    function said(change) {
        const h = new History();
        const trove = JSON.parse(JSON.stringify(histories.get('hunt').last
                                                         .trove));
        trove.epoch_lag.buckets = [];
        trove.store_opens = 1;

        for (const at of [ 0, 30, 60 ]) {
            const t = JSON.parse(JSON.stringify(trove));

            if (at > 0) {
                change(t, at);
            }

            h.add(1000 + at, t);
            h.point(1000 + at, { 'used rewards': t.rewards });
        }

        return health(h).map(({ level, what }) => level + ' ' + what);
    }
END

is_deeply($b->eval('said(() => {})'), [ '-1 All is well' ], 'all is well');

for my $case (
    [ 't.epoch_lag.buckets = [ 3000000, at ]', 1, qr/^Epoch lag p99 3 ms/ ],
    [ 't.epoch_lag.buckets = [ 30000000, at ]', 2, qr/^Epoch lag p99 30 ms/ ],
    [ 't.arena_exhausted = at', 2, qr/^60 requests .* arena used up/ ],
    [ 't.store_failing = 1; t.store_full += at', 2,
      qr/^The store takes no writes \(full\)/ ],
    [ 't.store_failing = 1; t.store_hangs += at', 2,
      qr/^The store takes no writes \(hangs\)/ ],
    [ 't.store_log = 3e8', 1, qr/^The log of the store has 286.1 MB/ ],
    [ 't.store_lag = 5', 1, qr/^The store is 5 s behind/ ],
    [ 't.breaker_state = 2', 2, qr/^The breaker is open: Redis takes no wr/ ],
    [ 't.breaker_state = 1', 2, qr/^The breaker is half-open/ ],
    [ 't.breaker_state = 1; t.overflow_max = 10; t.overflow_up = 1', 2,
      qr/^The breaker is half-open/ ],
    [ 't.breaker_opened = 1', 1, qr/^The breaker was open once/ ],
    [ 't.breaker_opened = at', 1, qr/^The breaker was open 60 times/ ],
    [ 't.overflow_max = 10', 2, qr/^Nobody looks after the queues/ ],
    [ 't.overflow_max = 10; t.overflow_up = 1; '
      . 't.overflow = { rewards: { pending: 3, oldest: 0 } }', 0,
      qr/^3 writes wait in the queue rewards\z/ ],
    [ 't.overflow_max = 10; t.overflow_up = 1; '
      . 't.overflow = { players: { pending: 3, oldest: 700 } }', 1,
      qr/^3 writes wait in the queue players, there is no room for 12 min\z/ ],
    [ 't.overflow_max = 10; t.overflow_up = 1; '
      . 't.overflow = { "board:x": { pending: 6, oldest: 1 } }', 2,
      qr/^6 writes wait in the queue board:x, .* 60 % of what it may have/ ],
    [ 't.overflow_full = at', 2, qr/^60 writes .* found their queue full/ ],
    [ 't.overflow_away = 2', 2, qr/^2 writes .* no room, and no queue/ ],
    [ 't.overflow_invalid = 2', 1, qr/^2 entries of queues were put aside/ ],
    [ 't.overflow_lost = 7', 2, qr/^7 writes that waited were lost/ ],
    [ 't.store_ack_timeouts = 4', 2, qr/^4 writes .* in vain/ ],
    [ 't.claims_full = 5; t.board_full = 1; t.rewards_full = 3; '
      . 't.endpoints.tap.requests["507"] = t.taps_full = 11', 2,
      qr/^20 writes .* ledger full/ ],
    [ 't.endpoints.tap.requests["503"] = 7', 2, qr/^7 of 7 .* failed/ ],
    [ 't.endpoints.tap.requests = { "200": 9999, "500": 1 }', 1,
      qr/^1 of 10000 .* failed/ ],
    [ 't.ledger_busy = 3', 1, qr/held too long 3 times/ ],
    [ 't.rewards_capacity = 7.3', 1, qr/^Of rewards 95.9 % are used\z/ ],
    [ 't.rewards_capacity = 7', 2, qr/^Of rewards 100 % are used\z/ ],
    [ 't.rewards = 7 + at', 2, qr/, all in 1\d min at this rate/ ],
    [ 't.boards.weekly.rows = 10', 2, qr/^Of rows of board weekly 100 %/ ],
    [ 't.ledger_version = 99; t.view_version = at === 60 ? 50 : 49', 1,
      qr/^Polls do not see/ ],
    [ 't.view_build_failures = 1', 2, qr/^A view could not be built/ ],
    [ 't.workers[0].pid = 1', 0, qr/^Worker \d+ ended/ ],
    [ 't.workers[0].pid = 1; t.worker_deaths = 1', 2, qr/^Worker \d+ died/ ],
    [ 't.worker_deaths = 3', 2, qr/^3 workers died in the last minute/ ],
    [ 't.started = 900', 0, qr/^Counting began 160 s ago|3 min ago/ ],
    [ 't.endpoints.poll.requests["400"] += 50', 0,
      qr/^100 % .* were refused/ ],
    [ 't.slots_exhausted = 2', 0, qr/^2 workers have no slot/ ])
{
    my ($change, $level, $words) = @$case;
    my ($said) = grep { /\d (.*)/ && $1 =~ $words }
                 @{ $b->eval("said((t, at) => { $change })") };

    like($said // 'nothing', qr/^$level /, "told: $words");
}

# each reason that a store can fail for, whichever there are

my @reasons = $t->get('/stats?format=prometheus')->{body}
    =~ /^trove_store_failures_total\{trove="hunt",reason="(\w+)"/mg;

cmp_ok(scalar @reasons, '>', 6, 'reasons');

for my $reason (@reasons) {
    is_deeply([ grep { /\($reason\)/ }
                @{ $b->eval("said((t, at) => { t.store_failing = 1;"
                            . " t.store_$reason += at })") } ],
              [ "2 The store takes no writes ($reason)" ], "told: $reason");
}

# and what is no reason to say anything

for my $change ('t.rewards_capacity = 7.4', 't.rewards = 7 + Math.min(30, at)',
                't.store_lag = 1', 't.store_log = 2e8',
                't.endpoints.poll.requests["200"] += 9 * at',
                't.started = 100')
{
    is_deeply($b->eval("said((t, at) => { $change })"), [ '-1 All is well' ],
              "nothing is said: $change");
}

is($b->eval('said((t, at) => { t.worker_deaths = 1 })'
            . '.filter((s) => /full|failed/.test(s)).length'), 0,
   'nor of what did not happen');

$t->post('/tap', qq({"player":"p$_"})) for 1 .. 110;
$b->until('document.getElementById("statements").innerText.includes('
          . '"10 writes of the last minute found the ledger full")');
like(statements(), qr/^Broken/, 'what is broken comes first');
is($b->eval('document.title'), "\x{26a0} hunt \x{2013} trove",
   'so in the title');

# what is wrong where nobody looks

my $store = hold_store("$t->{dir}/combat.db");

is($t->post('/combat', '{"id":1,"x":1,"y":1}')->{status}, 200, 'a write');
$b->until('[ ...document.querySelectorAll("#statements li") ].some((li) =>'
          . ' li.textContent.startsWith("Brokencombat")'
          . ' && li.textContent.includes("The store takes no writes (busy)"))');
is($b->eval('document.title'), "\x{26a0} hunt \x{2013} trove",
   'a store that fails is told, of another trove, too');
$b->eval('document.querySelector("#statements button").focus()');
$b->eval('tell.said = ""; show()');
is($b->eval('document.activeElement.textContent'), 'combat',
   'where a key stays when the words change');
$b->key('Enter');
$b->until('document.title.endsWith("combat \u2013 trove")');
is($b->eval('document.activeElement.id'), 'health', 'which a key shows');
like($b->eval('document.getElementById("store").innerText'),
     qr/It takes no writes/, 'with its store');
let_store_go($store);
$b->until('!document.getElementById("statements").innerText.includes('
          . '"takes no writes")');
pass('until it is well');
$b->eval('document.getElementById("trove").focus()');
$b->key('ArrowUp');
$b->until('document.title.endsWith("hunt \u2013 trove")');

# a worker's death

my ($worker) = $t->workers;

$t->kill_worker($worker);
$b->until('document.getElementById("statements").innerText.includes('
          . "'Worker $worker died')");
pass('a worker that died is told');

my $own = qr/format=json|trove=\w+&board=weekly&top=5/;

is_deeply([ grep { !m{^\Q$url\E(?:\?$own)?$} && !/^data:/ }
            $b->requests ], [], 'it asked for nothing else');
is_deeply([ $b->console ], [], 'and the console is empty');


# what a page must not do

$b->eval(<<'END');
    { const script = document.createElement('script');
      script.textContent = 'window.broken = 1';
      document.body.append(script);

      const image = new Image();
      image.src = '/poll?x=1&y=1'; }
END
is($b->eval('window.broken || 0'), 0, 'a foreign script does not run');
cmp_ok(scalar(grep { /Content Security Policy/ } $b->console), '>=', 1,
       'its policy forbids it');


# without what draws charts

is(qx($FindBin::Bin/../src/page/build $t->{dir}/tables.html), "tables\n",
   'it is built without');

$b->open($url =~ s{/stats}{/tables/stats}r);
$b->until('document.querySelectorAll("#codes tbody tr").length >= 3');
is($b->eval('document.querySelectorAll("canvas").length'), 0, 'no charts');
$b->until('document.querySelectorAll("#latency tbody tr").length === 3');
pass('but tables');
picture('tables');


# the server goes and comes

$b->open($url);
$b->until("histories.size > 0 && $points >= 1");

for my $case ([ kill => 7 ], [ quit => 8 ]) {
    my ($how, $polls) = @$case;

    $how eq 'kill' ? $t->kill_all : $t->quit;
    $b->until('document.getElementById("statements").innerText.includes('
              . '"No answer for")');
    like(statements(), qr/there is no connection/, "$how: it is told");
    unlike(statements(), qr/^Good/m, 'and not that all is well');
    like($b->eval('document.title'), qr/^\x{26a0} /, 'in the title, too');

    $t->again;
    $t->get('/poll?x=0&y=0&r=5') for 1 .. $polls;
    $b->until('[ ...document.querySelectorAll("#codes tbody tr") ].some((tr) =>'
              . ' tr.textContent.startsWith("poll 200")'
              . " && tr.cells[2].textContent === '$polls')");
    unlike(statements(), qr/No answer/, 'and forgotten when it is there again');
    like($b->eval('document.getElementById("requests").innerText'),
         qr/^poll\t[\d.]+\t[\d.]+/m, 'with rates that are none below zero');
}

done_testing;
