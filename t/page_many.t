#!/usr/bin/perl

# The live page of thirty troves and a trove of thirty boards, with names that
# JavaScript has itself and names that are long, in two browsers: what is shown
# stays in its place, is text, and is asked for at a rate that is bounded.

use strict;
use utf8;
use warnings;

use Encode qw(encode_utf8);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Browser;
use Trove::Nginx;


if (($ENV{TROVE_TEST_VARIANT} || 'dynamic') eq 'scalar') {
    plan skip_all => 'the page is the same without SIMD';
}

my $PICTURES = $ENV{TROVE_TEST_PICTURES};     # a folder to keep them in

my $long = 'w' x 64;
my @boards = ($long, qw(__proto__ constructor), map { "b$_" } 1 .. 27);
my $config = join "\n",
    'trove __proto__ { capacity rewards=1k players=5 claims=20; arena 1m;'
    . ' coin constructor value=1 weight=1;',
    (map { "board $_ rows=10;" } @boards), '}',
    (map { "trove $_ { capacity rewards=10; arena 1m; }" }
     $long, qw(constructor toString 7), map { "t$_" } 1 .. 25);

my $t = Trove::Nginx->start(workers => 2, http => $config, server => <<'END');
    location = /poll  { trove_poll  __proto__; }
    location = /tap   { trove_tap   __proto__; }
    location /board/  { trove_board __proto__; }
    location /rewards { trove_rewards 7; }
    location = /stats { trove_stats; }
END

my @players = ('<img src=x onerror=broken=1>', 'W' x 40, "\x{1f984}" x 10);

$t->post("/board/$_", encode_utf8(Trove::Nginx::ndjson(
    map { { player => $players[$_], score => 9007199254740992 - $_ } } 0 .. 2)))
    for @boards;
$t->post('/tap', qq({"player":"p$_"})) for 1 .. 5;

my $url = 'http://127.0.0.1:' . $t->port . '/stats';
my ($b, $other) = map { Trove::Browser->new } 1 .. 2;

for my $browser ($b, $other) {
    $browser->look(1200, 900);
    $browser->open($url);
    $browser->until('$("trove").options.length === 30');
    $browser->eval('$("trove").value = "__proto__"; redraw()');
}

$b->until('document.querySelectorAll("#tops tbody th").length === 90');
is_deeply([ map { s/,.*//r } @{ $b->eval('[ ...document.querySelectorAll('
              . '"#tops caption") ].map((e) => e.textContent)') } ], \@boards,
          'all boards, in their order');
is_deeply($b->eval('[ ...document.querySelectorAll("#tops td:last-child") ]'
                   . '.slice(0, 3).map((e) => e.textContent)'),
          [ map { 9007199254740992 - $_ } 0 .. 2 ],
          'with scores that are large');
is($b->eval('document.querySelectorAll("main img").length'), 0, 'and text');
like($b->eval('$("statements").innerText'),
     qr/^Broken\nOf players 100 % are used/m, 'and what is full');

# as many requests as there are boards would be thirty a look

my $looks = 'histories.get("__proto__").looks.length';

$b->until("$looks >= 7");
cmp_ok(scalar(grep { /board=/ } $b->requests), '<=', 5 * (1 + $b->eval($looks)),
       'boards are asked for in turns');

# what is shown is chosen, and what is not is told all the same

$b->eval('$("trove").value = "constructor"; redraw()');
$b->until('document.title.endsWith("constructor \u2013 trove")');
$b->until('[ ...document.querySelectorAll("#statements button") ]'
          . '.some((e) => e.textContent === "__proto__")');
pass('a trove that is not shown');
$b->until('$("boards").hidden');
pass('boards that are not there');
is($b->eval('$("codes").querySelectorAll("tbody tr").length'), 0,
   'nor requests');

$t->post('/rewards', qq({"id":$_,"x":1,"y":1})) for 1 .. 11;

for my $browser ($b, $other) {
    $browser->until('[ ...document.querySelectorAll("#statements li") ].some('
                    . '(e) => e.textContent.startsWith("Broken7")'
                    . ' && e.textContent.includes("1 writes of the last"))');
}

is($other->eval('$("trove").value'), '__proto__',
   'both browsers tell of it, each beside what it shows');

for my $case ([ many => 1200, 900 ],
              [ 'many-phone' => 375, 800, phone => 1, dark => 1 ])
{
    my ($name, $width, $height, %opt) = @$case;

    $other->look($width, $height, %opt);
    $other->until("innerWidth === $width");
    $other->eval('new Promise((done) => setTimeout(done, 200))');

    cmp_ok($other->eval('document.documentElement.scrollWidth'), '<=', $width,
           "$name: nothing sticks out");
    is_deeply($other->eval('[ ...document.querySelectorAll(".scroll") ]'
                           . '.filter((e) => e.scrollWidth > e.clientWidth)'
                           . '.map((e) => e.innerText)'), [],
              "$name: no table is cut off");
    cmp_ok($other->picture($PICTURES ? "$PICTURES/$name.png"
                                     : "$t->{dir}/$name.png"), '>', 5000,
           "a picture: $name");
}

is_deeply([ map { $_->console } $b, $other ], [], 'the consoles are empty');

# a reload that takes what is shown

$t->configure(http => 'trove last { capacity rewards=10; arena 1m; }',
              server => 'location = /stats { trove_stats; }');
ok($t->hup(gone => 1), 'a reload');
$b->until('document.title.endsWith("last \u2013 trove")');
is_deeply($b->eval('[ ...histories.keys() ]'), [ 'last' ],
          'what is gone is forgotten, whatever its name was');

$t->configure(http => '', server => 'location = /stats { trove_stats; }');
ok($t->hup(gone => 1), 'and another');
$b->until('$("statements").innerText.includes("No trove")');
pass('nothing to show');

done_testing;
