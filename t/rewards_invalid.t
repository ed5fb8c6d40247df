#!/usr/bin/perl

# What is wrong with a reward is answered with 400 and the name of its field,
# and changes nothing.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove plain { %%SIMD%% }
    trove globe { space earth; %%SIMD%% }
HTTP
    location = /plain { trove_rewards plain; }
    location = /globe { trove_rewards globe; }
SERVER

my %plain = (
    id => [ '{"x":1,"y":2}', '{}', map { qq({"id":$_,"x":1,"y":2}) }
            qw(0 -1 1.5 4294967296 18446744073709551617 1e400 "1" null true
               [1] {"id":1}) ],
    x => [ '{"id":1,"y":2}', '{"id":1,"x":1,"y":2,"x":1}',
           map { qq({"id":1,"x":$_,"y":2}) } qw(1e309 -1e309 "1" null false
                                                [] {}) ],
    y => [ '{"id":1,"x":2}', '{"id":1,"x":1,"y":2,"y":2}',
           map { qq({"id":1,"x":1,"y":$_}) } qw(1e309 "" null) ],
    value => [ map { qq({"id":1,"x":1,"y":2,"value":$_}) }
               qw(2147483648 -2147483649 0.5 "5" null), '1,"value":1' ],
    level => [ map { qq({"id":1,"x":1,"y":2,"level":$_}) } qw("a" 1e309) ],
    stock => [ map { qq({"id":1,"x":1,"y":2,"stock":$_}) }
               qw(-1 4294967296 0.1) ],
    starts => [ map { qq({"id":1,"x":1,"y":2,"starts":$_}) }
                qw(-1 4294967296 "now") ],
    expires => [ map { qq({"id":1,"x":1,"y":2,"expires":$_}) }
                 qw(-1 4294967296), '5,"starts":5', '5,"starts":6' ],
    '(?:not a JSON object|id|x|y)' =>
          [ '', ' ', '[]', '1', 'null', '"a"', '{', '{"id"',
            '{"id":1,"x":1,"y":2', '{"id":1,"x":1,"y":2}}',
            '{"id":1,"x":1,"y":2}{}', "{'id':1,'x':1,'y':2}",
            '{"id":1,"x":NaN,"y":2}', '{"id":1,"x":01,"y":2}',
            '{"id":1,"x":Infinity,"y":2}', '{"id":1,"x":1,"y":2,}',
            '{"id":1 "x":1}', "{\"id\":1,\"\xff\":1,\"x\":1,\"y\":2}",
            "{\"id\":1,\0\"x\":1,\"y\":2}", '{"a":' x 5000 ],
);

my %globe = (
    x => [ map { qq({"id":1,"x":$_,"y":0}) } qw(180.0000001 -181 1e9) ],
    y => [ map { qq({"id":1,"x":0,"y":$_}) } qw(90.0000001 -91) ],
);

for my $case ([ '/plain', \%plain ], [ '/globe', \%globe ]) {
    my ($path, $bad) = @$case;

    for my $field (sort keys %$bad) {
        for my $body (@{ $bad->{$field} }) {
            my $res = $t->post($path, $body,
                               { 'Content-Type' => 'application/json' });
            my $shown = length $body > 60 ? substr($body, 0, 60) . '...'
                                          : $body;

            is_deeply([ $res->{status}, $res->{headers}{'content-type'},
                        $res->{json}{status}, $res->{json}{title} ],
                      [ 400, 'application/problem+json', 400, 'Bad Request' ],
                      "$field: $shown");
            like($res->{json}{detail}, qr/^$field: ./, 'names the field');
        }
    }
}

# the same of the argument

for my $args ('id=', 'id=0', 'id=x', 'id=1.5', 'id=4294967296', 'id=1&id=1',
              'id=%31%00', 'id=%zz')
{
    for my $method (qw(GET DELETE)) {
        my $res = $t->request($method, "/plain?$args");

        is($res->{status}, 400, "$method $args");
        like($res->{json}{detail}, qr/^id: ./, 'names the field');
    }
}

my $res = $t->request('DELETE', '/plain');

is($res->{status}, 400, 'all rewards are not removed at once');
like($res->{json}{detail}, qr/^id: /, 'because the id is missing');

# one object is not without end

$res = $t->post('/plain', '{"id":1,"x":1,"y":2,"z":"' . 'z' x 66000 . '"}');

is($res->{status}, 413, 'an object of more than 64 KB');

$res = $t->post('/plain', '{"id":1,"x":1,"y":2,"z":"' . 'z' x 65000 . '"}');

is($res->{status}, 200, 'one of less is taken');
is($res->{json}{version}, 1, 'and is the first that was');

is($t->post('/globe', '{"id":1,"x":-180,"y":90}')->{json}{version}, 1,
   'the edges of the world are in it');

is($t->request('POST', '/plain', { 'Content-Encoding' => 'gzip' }, 'x')
     ->{status}, 415, 'a coded body is not read');

done_testing;
