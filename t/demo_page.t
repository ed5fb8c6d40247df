#!/usr/bin/perl

# The demo's page in a browser: simulated players hunt through the real
# endpoints, a reward that is placed by a click is found and claimed, and the
# page asks nobody else.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Browser;
use Trove::Client;
use Trove::Nginx;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') ne 'dynamic') {
    plan skip_all => 'the demo builds its own module';
}

my $PICTURES = $ENV{TROVE_TEST_PICTURES};     # a folder to keep them in

my $dir = tempdir('trove-demo-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $port = Trove::Nginx->free_port;

chmod 0755, $dir;
$ENV{TROVE_DEMO_DIR} = $dir;
$ENV{TROVE_DEMO_PORT} = $port;


sub demo { return `$FindBin::Bin/../conf/demo @_ 2>&1 </dev/null` }


END {
    my $status = $?;

    demo('stop') if $dir;
    $? = $status;
}


my $said = demo();

like($said, qr{http://127\.0\.0\.1:$port/ }, 'the demo says where its page is')
    or die $said;

my $c = Trove::Client->new($port);


sub stats { return $c->get('/stats')->{json}{troves}{hunt} }


my $b = Trove::Browser->new;

$b->look(1200, 800);
$b->open("http://127.0.0.1:$port/");
$b->until('server.times.length >= 2');

is($b->eval('hunt.places.n'), 44917, 'all places are on the map');
is($b->eval('hunt.players.length'), 300, 'players hunt');

my $before = stats();
my @at = @{ $b->eval('hunt.players.map((p) => p.x)') };

$b->until('server.times.length >= 5');

my $after = stats();
my @now = @{ $b->eval('hunt.players.map((p) => p.x)') };

cmp_ok($after->{endpoints}{poll}{lines_ok}
       - $before->{endpoints}{poll}{lines_ok}, '>=', 300, 'they poll');
is($after->{endpoints}{poll}{lines_error}, 0, 'without errors');
cmp_ok(scalar(grep { $at[$_] != $now[$_] } 0 .. 299), '>', 100, 'and walk');

$b->until('server.last.trove.claims_granted > 5'
          . ' && server.last.trove.taps_granted > 5');
pass('they claim and tap');

$b->until('document.querySelectorAll("#board tr").length === 10');

my ($first) = @{ $b->eval('[ ...document.querySelectorAll("#board tr td") ]'
                          . '.map((td) => td.textContent)') };

is($first, '1', 'the board shows who is ahead');

# a click

my ($x, $y) = @{ $b->eval(<<'END') };
    (() => { const r = $('map').getBoundingClientRect();
             const p = hunt.players[0];
             return [ r.left + Math.min(r.width - 5,
                                        Math.max(60, world.left(p.x))),
                      r.top + Math.min(r.height - 5,
                                       Math.max(90, world.top(p.y))) ]; })()
END

$b->click($x, $y);
$b->until('hunt.placed.length === 1');

my $id = $b->eval('hunt.placed[0].id');

is($c->get("/rewards?id=$id")->{json}{value}, 100, 'a click places a reward');
$b->until('hunt.placed[0].found');
pass('which is found');
$b->until('hunt.placed[0].gone');

my ($lon, $lat) = map { $b->eval("hunt.placed[0].$_") } 'x', 'y';

is($c->request('POST', '/claim', { 'Content-Type' => 'application/json' },
               qq({"player":"late","reward":$id,"x":$lon,"y":$lat}))->{status},
   409, 'and claimed');
like($b->eval('$("events").innerText'), qr/ claimed $id, and now has \d+/,
     'as it is told');

# whoever is ahead is text

my $json = { 'Content-Type' => 'application/json' };
my $hostile = '<img src=x onerror=broken=1>';

$c->request('POST', '/rewards', $json,
            '{"id":3999999999,"x":1,"y":60,"value":100000}');
is($c->request('POST', '/claim', $json, qq({"player":"$hostile",)
               . '"reward":3999999999,"x":1,"y":60}')->{status}, 200,
   'a player whose name is markup');
$b->until('document.querySelector("#board th").textContent.startsWith("<img")');
is($b->eval('document.querySelectorAll("img").length'), 0, 'is a name');

# a claim that is refused for other reasons than that somebody was faster

$b->eval('hunt.claimed(hunt.players[0], 1, { error: "no more room" });'
         . 'hunt.claimed(hunt.players[0], 1, { error: GONE })');
like($b->eval('$("events").innerText'),
     qr/^a claim is refused: no more room$/m, 'is told');
unlike($b->eval('$("events").innerText'), qr/stock/, 'and who was late is not');

# controls

$b->eval('$("players").value = 50; $("players").dispatchEvent('
         . 'new Event("input", { bubbles: true }))');
is($b->eval('hunt.players.length'), 50, 'fewer players');

$b->eval('$("map").focus()');

my $scale = $b->eval('world.scale');

$b->key('+');
cmp_ok($b->eval('world.scale'), '>', $scale, 'keys zoom');

my $middle = $b->eval('world.x');

$b->key('ArrowRight');
cmp_ok($b->eval('world.x'), '>', $middle, 'and move');
$b->key('Enter');
$b->until('hunt.placed.length === 2');
pass('and place');

$b->eval('$("pause").click()');
$b->until('!hunt.busy');

my $polls = stats()->{endpoints}{poll}{lines_ok};

$b->eval('new Promise((done) => setTimeout(done, 800))');
is(stats()->{endpoints}{poll}{lines_ok}, $polls, 'paused nobody polls');
$b->eval('$("pause").click()');

for my $case ([ hunt => 1200, 800 ], [ 'hunt-dark' => 1200, 800, dark => 1 ],
              [ 'hunt-phone' => 375, 800, phone => 1 ])
{
    my ($name, $width, $height, %opt) = @$case;

    $b->look($width, $height, %opt);
    $b->until("innerWidth === $width");
    $b->eval('new Promise((done) => setTimeout(done, 300))');
    cmp_ok($b->eval('document.documentElement.scrollWidth'), '<=', $width,
           "$name: nothing sticks out");
    cmp_ok($b->picture($PICTURES ? "$PICTURES/$name.png" : "$dir/$name.png"),
           '>', 20_000, "$name: a picture");
}

is_deeply([ grep { !m{^(?:http://127\.0\.0\.1:$port/|data:)} } $b->requests ],
          [], 'it asked nobody else');
is_deeply([ $b->console ], [], 'and the console is empty');

# the server goes and comes, and the page is opened anew

is($b->eval('$("trouble").hidden'), JSON::PP::true, 'there was no trouble');

my $names = $b->eval('hunt.players[0].id');

demo('stop');
$b->until('$("trouble").innerText === "nginx does not answer"');
pass('a server that is away is told, in sight');
demo();
$b->until('$("trouble").hidden');

$c = Trove::Client->new($port);

$polls = stats()->{endpoints}{poll}{lines_ok};
$b->until("server.last.trove.endpoints.poll.lines_ok > $polls");
pass('and the hunt goes on when it is there again');

$b->open("http://127.0.0.1:$port/");
$b->until('hunt.players.length > 0');
is($b->eval('hunt.players[0].id'), $names, 'by the same players');

my $res = $c->get('/');

like($res->{body}, qr{<noscript>.*poll\?x=.*</noscript>}s,
     'without JavaScript it says what there is');

my $sources = join '', map { local (@ARGV, $/) = $_; <> }
              glob "$FindBin::Bin/../conf/hunt/*.js";

unlike($sources, qr/innerHTML|outerHTML|insertAdjacentHTML|document\.write/,
       'text goes to text nodes');

done_testing;
