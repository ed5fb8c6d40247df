#!/usr/bin/perl

# Polls that are wrong are refused, naming what is wrong, and nothing else
# comes of it: the connection and the worker serve on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Poll;


my $t = Trove::Nginx->start(
    http => 'trove hunt { space earth; radius 100 max=5000; limit 3 max=64; '
            . '%%SIMD%% }',
    server => endpoints('hunt'));

my $c = $t->client;
my ($worker) = $t->workers;
my $deep = sub { join '', map { $_ x 50 } @_ };

# what is in front of a colon: the field that the detail must name, or text
# that it must hold

for (split /\n/, <<'END') {
x=   {}
x=   {"y":0}
y=   {"x":0}
x=   {"X":0,"y":0}
x=   {"x":null,"y":0}
x=   {"x":true,"y":0}
x=   {"x":"0","y":0}
x=   {"x":{},"y":0}
x=   {"x":{"x":0},"y":0}
x=   {"x":[0],"y":0}
x=   {"x":NaN,"y":0}
y=   {"x":0,"y":Infinity}
y=   {"x":0,"y":-Infinity}
x=   {"x":1e999,"y":0}
x=   {"x":-1e999,"y":0}
x=   {"x":180.00000000000003,"y":0}
x=   {"x":-181,"y":0}
y=   {"x":0,"y":90.00000000000001}
y=   {"x":0,"y":-91}
x=   {"x":0,"x":0,"y":0}
x=   {"\u0078":0,"x":0,"y":0}
r=   {"x":0,"y":0,"r":5000.000000000001}
r=   {"x":0,"y":0,"r":-1e-300}
r=   {"x":0,"y":0,"r":1e999}
r=   {"x":0,"y":0,"r":1,"w":1,"h":1}
w=   {"x":0,"y":0,"w":10000.000000000002,"h":1}
w=   {"x":0,"y":0,"w":-1,"h":1}
h=   {"x":0,"y":0,"w":1}
w=   {"x":0,"y":0,"h":1}
level= {"x":0,"y":0,"level":"5"}
level= {"x":0,"y":0,"level":1e400}
limit= {"x":0,"y":0,"limit":0}
limit= {"x":0,"y":0,"limit":65}
limit= {"x":0,"y":0,"limit":-1}
limit= {"x":0,"y":0,"limit":1.5}
limit= {"x":0,"y":0,"limit":4294967297}
limit= {"x":0,"y":0,"limit":true}
detail= {"x":0,"y":0,"detail":2}
detail= {"x":0,"y":0,"detail":"1"}
detail= {"x":0,"y":0,"detail":null}
player= {"x":0,"y":0,"player":""}
player= {"x":0,"y":0,"player":7}
player= {"x":0,"y":0,"player":"\u0007"}
player= {"x":0,"y":0,"player":"\u007f"}
player= {"x":0,"y":0,"player":"\u0085"}
player= {"x":0,"y":0,"player":"\u0000"}
player= {"x":0,"y":0,"player":"12345678901234567890123456789012345678901"}
player= {"x":0,"y":0,"player":"a","player":"a"}
JSON= []
JSON= [{"x":0,"y":0}]
JSON= 5
JSON= -
JSON= null
JSON= "x"
JSON= {
JSON= {"x":0,"y":0
JSON= {"x":0,"y":0}}
JSON= {"x":0,"y":0}]
JSON= {"x":0,"y":0},
JSON= {"x":0,"y":0}{"x":0,"y":0}
JSON= {"x":0,"y":0} x
JSON= {"x":0,"y":0} 0
JSON= {"x":0,"y":0,}
JSON= {"x":0 "y":0}
JSON= {"x":00,"y":0}
x=   {"x":+1,"y":0}
x=   {"x":.5,"y":0}
x=   {"x":1.,"y":0}
x=   {"x":1e,"y":0}
x=   {"x":--1,"y":0}
JSON= {"x":0x10,"y":0}
JSON= {x:0,"y":0}
JSON= {'x':0,'y':0}
JSON= {"x":0,"y":0/**/}
JSON= {"x":0,"y":0}//
JSON= {"x":0,"y":0}#
JSON= {"x":0,"y":0,"a":"\x"}
JSON= {"x":0,"y":0,"a":"\u12"}
JSON= {"x":0,"y":0,"a":"\ud800"}
JSON= {"x":0,"y":0,"a":"\udc00"}
JSON= {"x":0,"y":0,"a":"\ud800\u0041"}
JSON= {"x":0,"y":0,"a":"\udc00\ud800"}
JSON= {"x":0,"y":0,"a":[}
JSON= {"x":0,"y":0,"a":[1,]}
JSON= {"x":0,"y":0,"a":{"b"}}
JSON= {"x":0,"y":0,"a":tru}
END
    my ($names, $body) = /^(\w+)= +(.*)$/ or die $_;

    refused($body, $names, "<$body>");
}

refused('', 'JSON', 'an empty body');
refused(" \r\n\t", 'JSON', 'white space');
refused("\xef\xbb\xbf" . '{"x":0,"y":0}', 'JSON', 'a byte order mark');
refused("\0", 'JSON', 'a zero');
refused("{\"x\":0,\"y\":0}\0", 'JSON', 'a zero behind it');
refused("{\"x\":0,\"y\":0,\"a\":\"\0\"}", 'JSON', 'a zero in a string');
refused("{\"x\":0,\"y\":0,\"a\":\"\n\"}", 'JSON', 'a line feed in a string');
refused("{\"x\":0,\f\"y\":0}", 'JSON', 'a form feed as white space');
refused("{\"x\":0,\"y\":0,\"a\":\"$_\"}", 'JSON',
        'invalid UTF-8 ' . unpack 'H*', $_)
    for "\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\x80";
refused('{"x":0,"y":0,"a":' . $deep->($$_[0], $$_[1]) . '}', 'JSON',
        "$$_[0] too deep")
    for [ '[', ']' ], [ '{"a":', '}' ], [ '[', '' ];
refused('[' x 60000, 'JSON', 'brackets without end');
refused('{"x":0,"y":0,"player":"' . "\xc3\xa4" x 21 . '"}', 'player',
        '21 characters, 42 bytes');
refused('{"x":' . '9' x 60000 . ',"y":0}', 'x', '60,000 digits');

ok(answered($c), 'the connection is good after them');

# the same in arguments

for (split ' ', <<'END') {
x:
x:y=0
y:x=0
x:x=&y=0
x:x&y=0
x:x=NaN&y=0
x:x=inf&y=0
x:x=-Infinity&y=0
x:x=1e999&y=0
x:x=0x1&y=0
x:x=+1&y=0
x:x=%2B1&y=0
x:x=%201&y=0
x:x=0%00&y=0
x:x=%&y=0
x:x=%4&y=0
x:x=%zz&y=0
x:x=0,5&y=0
x:x=0;y=0
x:x="0"&y=0
x:x=0&x=0&y=0
x:x=0&%78=0&y=0
x:x=180.5&y=0
y:x=0&y=-90.5
r:x=0&y=0&r=5000.5
r:x=0&y=0&r=-1
r:x=0&y=0&r=1&w=1&h=1
h:x=0&y=0&w=1
w:x=0&y=0&h=1
limit:x=0&y=0&limit=0
limit:x=0&y=0&limit=65
limit:x=0&y=0&limit=
level:x=0&y=0&level=high
detail:x=0&y=0&detail=2
detail:x=0&y=0&detail=TRUE
player:x=0&y=0&player=
player:x=0&y=0&player=%0a
player:x=0&y=0&player=%ff
player:x=0&y=0&player=%ed%a0%80
player:x=0&y=0&player=12345678901234567890123456789012345678901
END
    my ($names, $args) = split /:/, $_, 2;

    is_problem($c->get("/poll?$args"), 400, qr/^$names: /, "?$args");
}

ok(answered($c), 'the connection is good after them, too');

# what is not a poll at all

for my $method (qw(PUT DELETE PATCH OPTIONS)) {
    my $res = $c->request($method, '/poll?x=0&y=0', {}, '{"x":0,"y":0}');

    is_problem($res, 405, qr/method/, $method);
    is($res->{headers}{allow}, 'GET, HEAD, POST', 'is told what is allowed');
    ok(answered($c), 'its body is not the next request');
}

my $big = '{"x":0,"y":0,"a":"' . 'a' x 70000 . '"}';

is_problem(post($big), 413, qr/65536/, 'an object too large');
ok(answered($c), 'the connection is good after it');
is_problem(post([ $big =~ /(.{1,10000})/gs ]), 413, qr/65536/, 'in chunks');
ok(answered($c), 'and after them');

is_problem(post('{"x":0,"y":0}', $_), 415, qr/Content-Encoding/, "as $$_[1]"),
    ok(answered($c), 'the connection is good after it')
    for [ 'Content-Encoding', 'gzip' ], [ 'content-encoding', 'br, gzip' ];
is_problem($c->request(batch("{\"x\":0,\"y\":0}\n", '/poll',
                             { 'Content-Encoding' => 'gzip' })),
           415, qr/Content-Encoding/, 'a batch as gzip');
is(post('{"x":0,"y":0}', [ 'Content-Encoding', 'Identity' ])->{status}, 200,
   'what is not encoded says so');

# what looks wrong and is right

is(post($_)->{status}, 200, 'right: ' . s/\s/ /gr)
    for '{"x":0,"y":0,"a":[{"x":[1e999,"\ud83d\ude00"],"x":null}],"a":{}}',
        " \t\r\n{\"y\" : -0.0e-5 ,\n\"x\" : 1E1}\r\n", '{"x":180,"y":90}',
        '{"x":-180,"y":-90,"r":5000,"limit":64,"level":-1e300,"detail":true}',
        '{"x":0,"y":0,"w":10000,"h":0,"limit":6.4e1,"detail":0}',
        '{"x":0,"y":0,"player":"\u00e4 \ud83d\ude00 <&\"\\\\>","\u0000x":1}',
        '{"x":0,"y":0,"player":"1234567890123456789012345678901234567890"}',
        '{"x":0.' . '1' x 2000 . ',"y":0}', '{"x":1e-999,"y":0}';

my ($same) = $t->workers;

is($same, $worker, 'by one and the same worker');

done_testing;


sub post {
    my ($body, $header) = @_;

    return $c->request('POST', '/poll', { @{ $header || [] } }, $body);
}


sub refused {
    my ($body, $names, $name) = @_;
    my $detail = $names eq 'JSON' ? qr/^not a JSON object: / : qr/^$names: /;

    is_problem(post($body), 400, $detail, $name =~ s/[^ -~]/./gr);
}
