#!/usr/bin/perl

# A reward is written, read, replaced and removed, one by one.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
SERVER

my $res = $t->post('/rewards', '{"id":1,"x":1.5,"y":-2}');

is($res->{status}, 200, 'a reward is taken');
is($res->{body}, '{"accepted":1,"rejected":0,"version":1,"errors":[]}',
   'which makes version 1');
is($res->{headers}{'content-type'}, 'application/json', 'the answer is JSON');
is($res->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');

$res = $t->get('/rewards?id=1');

is($res->{status}, 200, 'it can be read');
is($res->{body},
   '{"id":1,"x":1.5,"y":-2,"value":0,"level":0,"stock":1}',
   'with the defaults of what was not said');

$res = $t->request('HEAD', '/rewards?id=1');

is($res->{status}, 200, 'HEAD is answered');
is($res->{headers}{'content-length'}, 53, 'with the length of GET');

# all fields, at the ends of their ranges

for my $all ('{"id":4294967295,"x":1.7976931348623157e308,"y":-5e-324,'
             . '"value":-2147483648,"level":-3.25,"stock":4294967295,'
             . '"starts":1,"expires":4294967295}',
             '{"id":2,"x":0,"y":0,"value":2147483647,"level":0,"stock":0,'
             . '"starts":4294967294,"expires":4294967295}')
{
    my ($id) = $all =~ /"id":(\d+)/;

    is($t->post('/rewards', $all)->{json}{accepted}, 1, "$id: is taken");
    is($t->get("/rewards?id=$id")->{body}, $all, 'and given back as it was');
}

# unknown fields are passed over

is($t->post('/rewards', '{"name":"x","id":3,"tags":[{"id":9}],"x":7,"y":8}')
     ->{json}{accepted}, 1, 'unknown fields do not matter');
is($t->get_json('/rewards?id=3')->{x}, 7, 'and known ones beside them do');

# an upsert replaces all of it

is($t->post('/rewards', '{"id":1,"x":9,"y":9,"value":5,"stock":2}')
     ->{json}{version}, 5, 'the same id again is another version');
is_deeply($t->get_json('/rewards?id=1'),
          { id => 1, x => 9, y => 9, value => 5, level => 0, stock => 2 },
          'and replaces it');
is($t->post('/rewards', '{"id":1,"x":9,"y":9}')->{json}{version}, 6,
   'once more');
is_deeply($t->get_json('/rewards?id=1'),
          { id => 1, x => 9, y => 9, value => 0, level => 0, stock => 1 },
          'fields that are not said have their defaults again');
is_deeply($t->get_json('/poll?x=9&y=9'),
          { version => 6, found => 2, rewards => [1, 3] },
          'polls see it where it is now');
is_deeply($t->get_json('/poll?x=1.5&y=-2&r=1'),
          { version => 6, found => 0, rewards => [] },
          'and no longer where it was');

# removal

$res = $t->request('DELETE', '/rewards?id=1');

is($res->{status}, 200, 'it can be removed');
is($res->{body}, '{"removed":1,"version":7}', 'which makes a version');

for my $gone (1, 77) {
    for my $method (qw(GET DELETE)) {
        $res = $t->request($method, "/rewards?id=$gone");

        is($res->{status}, 404, "$method of $gone: there is none");
        is($res->{headers}{'content-type'}, 'application/problem+json',
           'says a problem');
        is($res->{json}{status}, 404, 'with its status');
    }
}

is_deeply($t->get_json('/poll?x=9&y=9'),
          { version => 7, found => 1, rewards => [3] },
          'polls do not see it, and no version came of the 404s');

is($t->post('/rewards', '{"id":1,"x":0,"y":0}')->{json}{version}, 8,
   'it can be added again');

# methods

for my $method (qw(PUT PATCH OPTIONS)) {
    $res = $t->request($method, '/rewards?id=1');

    is($res->{status}, 405, "$method is not allowed");
    is($res->{headers}{allow}, 'GET, HEAD, POST, DELETE', 'and says what is');
}

done_testing;
