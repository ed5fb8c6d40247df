#!/usr/bin/perl

# Configurations that are wrong are refused by what is wrong, its value, and
# the line; those that are right pass.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


sub block {
    my ($inside, $says) = @_;

    return ["trove a { $inside }", $says];
}


sub server {
    my ($inside, $says) = @_;

    return ["trove a { } server { $inside }", $says];
}


my $param = 'invalid parameter';
my $value = 'invalid value';
my $name = 'invalid trove name';
my @bad = (

    # the block

    ['trove a { } trove a { }', 'duplicate trove "a"'],
    ['trove "a b" { }', "$name \"a b\", must be 1 to 64"],
    ['trove "" { }', "$name \"\""],
    ['trove a/b { }', "$name \"a/b\""],
    ['trove ' . 'n' x 65 . ' { }', "$name \"nnn"],
    ['trove { }', 'invalid number of arguments in "trove"'],
    ['trove a b { }', 'invalid number of arguments in "trove"'],
    ['trove a;', 'directive "trove" has no opening "{"'],
    ['trove a {', 'unexpected end of file, expecting "}"'],
    ['server { trove a { } }', '"trove" directive is not allowed here'],

    # what stands in it

    block('trove b { }', '"trove" directive is not allowed here'),
    block('trove_poll a;', '"trove_poll" directive is not allowed here'),
    block('root /;', '"root" directive is not allowed here'),
    block('rewards 7;', 'unknown directive "rewards"'),
    ['capacity rewards=1;', '"capacity" directive is not allowed here'],
    ['epoch 1s;', '"epoch" directive is not allowed here'],

    block('capacity;', 'invalid number of arguments in "capacity"'),
    block('capacity rewards=1k; capacity rewards=1k;',
          '"capacity" directive is duplicate'),
    block('capacity rewards=1k rewards=1k;',
          '"capacity" directive is duplicate'),
    (map { block("capacity $_;", "$param \"$_\"") }
     qw(1k rewards= rewards=0 rewards=-1 rewards=1.5 rewards=1g rewards=x
        rewards=k rewards=2147483648 rewards=2148m rewards=99999999999999999999
        reward=1 Rewards=1 players= players=-1 players=2147483648 players=3g
        claims=x claims=2148m)),
    (map { block("capacity $_=1k $_=1k;", '"capacity" directive is duplicate') }
     qw(players claims)),
    block('capacity claims=7;',
          '"capacity" of trove "a" has claims=7, but no players'),
    block('capacity players=0 claims=7;', 'has claims=7, but no players'),

    (map { block("arena $_;", '"arena" directive invalid value') }
     qw(x -1 1t 99999999999999999999)),
    block('arena 8191;', '"arena" of trove "a", 8191 bytes, is below the 8192'),
    block('limit 1 max=1k; arena 36095;',
          '"arena" of trove "a", 36095 bytes, is below the 36096 that a poll'),
    block('arena 1m; arena 1m;', '"arena" directive is duplicate'),

    (map { block("epoch $_;", '"epoch" directive invalid value') }
     qw(x -1 1x)),
    block('epoch 0;', '"epoch" of trove "a" must not be 0'),
    block('epoch 1s; epoch 1s;', '"epoch" directive is duplicate'),

    (map { block("radius $_;", "$param \"$_\"") }
     qw(0 -1 nan inf 0x10 .5 1e151 1m), '+1'),
    (map { block("radius 1 $_;", "$param \"$_\"") }
     qw(2 max= max=0 max=inf max=1e151 min=1)),
    block('radius 10 max=5;', '"radius" of trove "a", 10, is above its '
                              . '"max", 5'),
    block('radius 1.5 max=0.25;', '"radius" of trove "a", 1.5, is above its '
                                  . '"max", 0.25'),
    block('radius 1 max=2 3;', 'invalid number of arguments in "radius"'),
    block('radius 1; radius 1;', '"radius" directive is duplicate'),

    (map { block("limit $_;", "$param \"$_\"") } qw(0 -1 1025 2k 1.5 x)),
    (map { block("limit 1 $_;", "$param \"$_\"") }
     qw(2 max= max=0 max=1025 min=1)),
    block('limit 10 max=5;', '"limit" of trove "a", 10, is above its "max", 5'),
    block('limit 1; limit 1;', '"limit" directive is duplicate'),

    (map { block("claim $_;", "$param \"$_\"") }
     qw(range max_speed=x range= range=0 range=-1 range=inf max_speed=1m
        dry_run=on speed=1), '50'),
    (map { block("claim $_=1 $_=2;", "$param \"$_=2\"") }
     qw(range max_speed)),
    block('claim;', 'invalid number of arguments in "claim"'),
    block('claim dry_run;',
          '"claim" directive has neither "range" nor "max_speed"'),
    block('claim range=1; claim max_speed=1;',
          '"claim" directive is duplicate'),

    (map { block("tap $_;", "$param \"$_\"") }
     qw(10 10r/s rate= rate=10 rate=r/s rate=0r/s rate=-1r/s rate=1.5r/s
        rate=10r/h rate=10/s rate=1000001r/s rate=60000001r/m burst=5x
        burst=-1 burst=1000000001 speed=1)),
    block('tap rate=1r/s rate=2r/s;', "$param \"rate=2r/s\""),
    block('tap;', 'invalid number of arguments in "tap"'),
    block('tap rate=1r/s burst=1 burst=2;',
          'invalid number of arguments in "tap"'),
    block('tap burst=5;', '"tap" directive has no "rate"'),
    block('tap rate=1r/s; tap rate=1r/s;', '"tap" directive is duplicate'),

    (map { block("coin a $_;", 'invalid number of arguments in "coin"') }
     '', 'value=1', 'weight=1', 'value=1 weight=1 weight=1'),
    (map { block("coin a $_ weight=1;", "$param \"$_\"") }
     qw(5 value= value=x value=1.5 value=2147483648 value=-2147483649
        value=--1 value=- value=3g Value=1)),
    (map { block("coin a value=1 $_;", "$param \"$_\"") }
     qw(5 weight= weight=x weight=-1 weight=0.5 weight=4294967296
        weight=4295m weight=99999999999999999999 value=1)),
    (map { block("coin $_ value=1 weight=1;", "invalid coin name \"$_\", must "
                 . 'be 1 to 32 letters') }
     'a/b', 'n' x 33, 'caf\xe9'),
    block('coin "" value=1 weight=1;', 'invalid coin name ""'),
    block('coin a value=1 weight=1; coin b value=1 weight=1; '
          . 'coin a value=2 weight=2;', 'duplicate coin "a"'),
    block('coin a value=1 weight=0; coin b value=2 weight=0;',
          'no coin of trove "a" has a weight'),
    block(join('', map { "coin c$_ value=1 weight=1; " } 1 .. 65),
          'coin "c65" is one too many, a trove has at most 64'),

    (map { block("board a rows=1 $_;", "$param \"$_\"") }
     qw(5 rows=1 rows=2 row=1 row=120 row=127 row=129 row=4104 row=4k1 row=
        row=x row=-8 row=1g keep=most keep= keep=MAX order=up order= ties=last
        ties= reset=yearly reset= from=taps from= from=claims1 Rows=1
        keep=maximum)),
    (map { my ($one, $two) = @$_;
           block("board a rows=1 $one $two;", "$param \"$two\"") }
     ['row=128', 'row=256'], ['keep=max', 'keep=max'],
     ['order=asc', 'order=desc'], ['ties=first', 'ties=first'],
     ['reset=never', 'reset=daily'], ['from=claims', 'from=claims']),
    (map { block("board a $_;", "$param \"$_\"") }
     qw(rows= rows=0 rows=-1 rows=1.5 rows=1g rows=x rows=2147483648
        rows=2148m)),
    (map { block("board $_ rows=1;", "invalid board name \"$_\", must be 1 to "
                 . '64 letters, digits, "_" or "-"') }
     'a/b', '.', '..', 'a.b', 'n' x 65, 'caf\xe9'),
    block('board "" rows=1;', 'invalid board name ""'),
    block('board a;', 'invalid number of arguments in "board"'),
    block('board rows=1;', 'invalid number of arguments in "board"'),
    block('board a row=256;', '"board" directive has no "rows"'),
    block('board a rows=1; board b rows=1; board a rows=1;',
          'duplicate board "a"'),
    (map { block("capacity players=1; board a rows=1 keep=$_ from=claims;",
                 'board "a" adds up what claims give, it can only keep=sum') }
     qw(max min last)),
    block('board a rows=1 from=claims;',
          'board "a" of trove "a" is from=claims, but there are no players'),
    block('arena 8k; board a rows=1k;', '"arena" of trove "a", 8192 bytes, is '
          . 'below the 308096 that a list of its "board" may take'),
    ['board a rows=1;', '"board" directive is not allowed here'],

    block('space mars;', "$value \"mars\""),
    block('space earth; space earth;', '"space" directive is duplicate'),
    block('simd sse2;', "$value \"sse2\""),
    block('simd auto; simd auto;', '"simd" directive is duplicate'),
    block('large_pages yes;', "$value \"yes\""),
    block('large_pages on; large_pages on;',
          '"large_pages" directive is duplicate'),
    block('include missing.conf;', 'missing.conf" failed (2:'),

    # locations

    (map { (server("$_ a;", "\"$_\" directive is not allowed here"),
            server("location / { $_; }",
                   "invalid number of arguments in \"$_\""),
            server("location / { $_ a b; }",
                   "invalid number of arguments in \"$_\""),
            server("location / { $_ b; }", 'unknown trove "b"'),
            server("location / { $_ a; $_ a; }",
                   "\"$_\" directive is one endpoint too many"),
            server("location / { trove_stats; $_ a; }",
                   "\"$_\" directive is one endpoint too many")) }
     qw(trove_poll trove_rewards trove_claim trove_tap trove_board)),
    server('trove_player alice;',
           'no variable in "alice": all would be one player'),
    server('trove_player $arg_p; trove_player $arg_p;',
           '"trove_player" directive is duplicate'),
    server('trove_player off; trove_player $arg_p;',
           '"trove_player" directive is duplicate'),
    server('trove_player;', 'invalid number of arguments in "trove_player"'),
    block('trove_player $arg_p;', '"trove_player" directive is not allowed'),
    server('location / { trove_poll a; trove_stats; }',
           '"trove_stats" directive is one endpoint too many'),
    server('location / { trove_stats on; }', "$param \"on\""),
    server('location / { trove_stats write=yes; }', "$param \"write=yes\""),
);


# The line that "http" begins at, whatever it is

my $blank = Trove::Nginx->new(http => 'HERE');

$blank->read_file('nginx.conf') =~ /\A(.*?)HERE/s or die;

my $first = 1 + ($1 =~ tr/\n//);

$blank->stop;


for my $case (@bad) {
    my ($http, $says) = @$case;
    my ($ok, $said) = Trove::Nginx->check(http => $http);
    my $line = $http =~ /\{$/ ? '\d+' : $first;

    ok(!$ok, $http);
    like($said, qr/\[emerg\] .*\Q$says\E.* in \S+nginx\.conf:$line$/m,
         'says what and where');

    if ($says =~ /^$param/) {
        like($said, qr/\Q$says\E, must be \S/, 'and what it can be');
    }
}

# a line further down, and one of another file

my $t = Trove::Nginx->new(http => "trove a {\n\n\nepoch 0s;\nlimit x;\n}");
my $line = $first + 4;

like(($t->check)[1],
     qr/invalid parameter "x", must be 1 to 1024 in \S+nginx\.conf:$line$/m,
     'the line is that of the directive');

$t->stop;

# what is right

my @good = (
    '',
    'server { location / { trove_stats; } }',
    'trove a { } trove A { } trove a.b-c_9 { } trove ' . 'n' x 64 . ' { }',
    map({ "trove a { $_ }" }
        'capacity rewards=1;', 'capacity rewards=1K;', 'capacity rewards=1m;',
        'capacity players=0;', 'capacity players=10;',
        'capacity players=0 claims=0;', 'capacity players=10 claims=0;',
        'capacity rewards=1 players=1k claims=1m;',
        'capacity rewards=1; capacity players=1;',
        'claim range=50;', 'claim max_speed=0.5;',
        'claim dry_run max_speed=40 range=1e3;',
        'tap rate=10r/s;', 'tap burst=0 rate=600r/m;', 'tap rate=1kr/s;',
        'tap rate=60000000r/m burst=1m;',
        'coin a value=1 weight=1;',
        'coin a weight=4294967295 value=-2147483648;',
        'coin a value=2147483647 weight=0; coin b-c_9. value=0 weight=4k;',
        'tap rate=1r/s; claim range=1;',
        join('', map { "coin c$_ value=1 weight=4294967295; " } 1 .. 64),
        'board a rows=1;', 'board a rows=1k; board b rows=1m row=128;',
        'board ' . 'n' x 64 . ' rows=1;', 'board A-z_9 rows=1; board a rows=1;',
        'board a rows=10 row=4k keep=min order=asc ties=shared reset=daily;',
        'board a reset=never ties=first order=desc keep=max row=4096 rows=2;',
        'board a rows=9 keep=last reset=weekly;',
        'board a rows=9 keep=sum reset=monthly;',
        'capacity players=1; board a rows=1 from=claims;',
        'board a rows=1 keep=sum from=claims; capacity players=1;',
        'arena 308096; board a rows=1k;', 'arena 8k; board a rows=9 row=128;',
        join('', map { "board b$_ rows=$_; " } 1 .. 100),
        'arena 8k;', 'arena 8192;', 'arena 1g;', 'epoch 1;', 'epoch 1h30m;',
        'radius 0.5;', 'radius 1e150 max=1e150;', 'radius 7000;', 'limit 1024;',
        'limit 1 max=1k;', 'limit 100;', 'limit 1k; arena 36096;',
        'space plane;', 'space earth;',
        'simd scalar;', 'large_pages off;', 'large_pages on;'),
    map({ "trove a { } server { location / { $_ } }" }
        'trove_poll a;', 'trove_rewards a; allow all;', 'trove_stats;',
        'trove_stats write=on;', 'trove_stats write=off;',
        'trove_claim a;', 'trove_board a;', 'trove_tap a;',
        'trove_tap a; trove_player $arg_p;',
        'trove_tap a; trove_player off;',
        'trove_tap a; trove_player "$remote_addr:$arg_p";',
        'if ($arg_a) { trove_poll a; }',
        'if ($arg_a) { trove_player $arg_a; }',
        'trove_rewards a; limit_except GET { deny all; }'),

    'trove_player $arg_p; trove a { } server { trove_player off; }',

    # a trove that is defined after the server, and another between

    'server { location / { trove_poll b; } } trove a { } trove b { }',
);

for my $http (@good) {
    my ($ok, $said) = Trove::Nginx->check(http => $http);

    ok($ok, "passes: $http") or diag $said;
    unlike($said, qr/\[(?:warn|alert|crit)\]/, 'and says nothing');
}

done_testing;
