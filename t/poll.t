#!/usr/bin/perl

# A poll by GET: its arguments and their defaults, its answer, its headers and
# its variables.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Poll;


my $locations = endpoints('plane') . endpoints('earth', '/earth')
                . <<'SERVER';
        access_log %%DIR%%/access.log trove;

        add_header X-Trove "$trove_name $trove_status $trove_found" always;
        add_header X-Version $trove_version always;
        add_header X-Time $trove_time always;

        location = /none { return 204; }
SERVER

my $t = Trove::Nginx->start(http => <<'HTTP', server => $locations);
    trove plane { radius 10 max=50; limit 2 max=5; %%SIMD%% }
    trove earth { space earth; %%SIMD%% }

    log_format trove '$uri $trove_name $trove_status $trove_found '
                     '$trove_version $trove_time';
HTTP

# on a line, one unit apart

$t->load('/rewards', '/poll?x=0&y=0',
         map {; { id => 100 + $_, x => $_, y => 0, value => 10 * $_,
                  level => $_ > 8 ? 7.5 : 0 } } 1 .. 12);

sub poll { return $t->get("/poll?$_[0]") }
sub ids { return join ' ', @{ poll($_[0])->{json}{rewards} } }
sub found { return poll($_[0])->{json}{found} }


is(poll('x=0&y=0')->{body}, '{"version":12,"found":8,"rewards":[101,102]}',
   'the default radius, level and limit; found is beyond what is listed');

is(ids('x=12&y=0&level=7.5'), '112 111', 'the nearest come first');
is(ids('x=4.5&y=0'), '104 105', 'of those as near the lower id');
is(found('x=0&y=0&level=7.4'), 8, 'a level just too low');
is(found('x=0&y=0&level=7.5'), 10, 'a level just high enough');
is(found('x=0&y=0&level=-1'), 0, 'a level below all');
is(found('x=0&y=0&r=3'), 3, 'who is on the edge of a circle is in it');
is(found('x=0&y=0&r=2.9999999999999996'), 2, 'the least bit beyond is not');
is(found('x=5&y=0&r=0'), 1, 'a circle without a radius is a point');
is(ids('x=0&y=0&limit=5'), '101 102 103 104 105', 'a limit');
is(ids('x=0&y=0&limit=1'), '101', 'the least limit');
is(found('x=0&y=0&limit=1'), 8, 'found does not depend on it');
is(ids('x=4&y=0&w=2&h=0&limit=5'), '104 103 105', 'a box');
is(found('x=0&y=5&w=16&h=10'), 8, 'a wide and high one, edges included');
is(found('x=0&y=5&w=16&h=9.99'), 0, 'one not high enough');
is(poll('x=-40&y=0')->{body}, '{"version":12,"found":0,"rewards":[]}',
   'nothing found');

is(poll('x=3&y=4&r=5&detail=1')->{body}, '{"version":12,"found":6,"rewards":['
   . '{"id":103,"x":3,"y":0,"value":30,"distance":4},'
   . '{"id":102,"x":2,"y":0,"value":20,"distance":4.123105625617661}]}',
   'details');

is(ids('x=3&y=4&r=5&detail=0'), '103 102', 'or not');
is(ids('x=%33&y=4.0e0&&r=5&foo&%6cimit=1&bar=x%ff&player=p%201'), '103',
   'encoded, empty and unknown arguments');

my $get = poll('x=0&y=0');
my $head = $t->request('HEAD', '/poll?x=0&y=0');

is($get->{headers}{'cache-control'}, 'no-store', 'nobody caches it');
is($get->{headers}{'content-type'}, 'application/json', 'it is JSON');
is($head->{status}, 200, 'HEAD');
is($head->{body}, '', 'without a body');
is($head->{headers}{$_}, $get->{headers}{$_}, "and the same $_")
    for qw(content-length content-type cache-control x-trove);

my $c = $t->client;

is($c->request('GET', '/poll?x=0&y=0', {}, '{"x":12,"y":0}')->{body},
   $get->{body}, 'a body is passed over');
ok(answered($c), 'and is not the next request');

# a write's version is seen by polls

my $write = $t->post('/rewards', '{"id":200,"x":0,"y":1}');

is($write->{json}{version}, 13, 'a write makes a version');
is(poll('x=0&y=0')->{body}, '{"version":13,"found":9,"rewards":[101,200]}',
   'its own worker shows it at once');
is($t->request('DELETE', '/rewards?id=200')->{json}{version}, 14, 'a removal');
is(found('x=0&y=0'), 8, 'is seen too');

# the example of the contract

$t->load('/earth/rewards', '/earth/poll?x=0&y=0',
         (map {; { id => 10230 + $_, x => 12.49 + 1e-5 * $_, y => 41.89,
                   level => 5 } } reverse 1 .. 12),
         { id => 1, x => 12.49, y => 41.89, level => 6 },
         { id => 2, x => 12.49, y => 41.8945 });

is($t->get('/earth/poll?x=12.49&y=41.89&r=500&level=5&limit=3')->{body},
   '{"version":14,"found":12,"rewards":[10231,10232,10233]}', 'on the earth');

my $far = $t->get('/earth/poll?x=12.49&y=41.89&r=501&level=6&detail=1'
                  . '&limit=64')->{json}{rewards};

is(scalar @$far, 14, 'metres further');
is($far->[0]{distance}, 0, 'none to where one is');
cmp_ok(abs($far->[13]{distance} - 500.377), '<', 0.001, 'many to the next');

# variables

is($get->{headers}{'x-trove'}, 'plane HIT 8', 'variables in a header: a hit');
is($get->{headers}{'x-version'}, 12, 'the version');
like($get->{headers}{'x-time'}, qr/^0\.\d{6}$/, 'the time');
is(poll('x=-40&y=0')->{headers}{'x-trove'}, 'plane MISS 0', 'a miss');
is(poll('x=0')->{headers}{'x-trove'}, 'plane INVALID 0', 'one that is bad');
is($t->get('/none')->{headers}{'x-trove'}, '', 'not a trove');

$t->client->request(batch(qq({"x":0,"y":0}\n{"x":2,"y":0,"r":1}\n)));

for ([ qr{^/poll plane HIT 8 12 0\.\d{6}$}m, 'a hit' ],
     [ qr{^/earth/poll earth HIT 12 14 0\.\d{6}$}m, 'that of another trove' ],
     [ qr{^/poll plane BATCH 11 14 0\.\d{6}$}m, 'a batch, with all found' ],
     [ qr{^/none - - - - -$}m, 'not a trove' ])
{
    my ($line, $name) = @$_;

    ok(wait_until {; $t->read_file('access.log') =~ $line },
       "variables in the log: $name") or diag $t->read_file('access.log');
}

done_testing;
