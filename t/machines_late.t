#!/usr/bin/perl

# What a machine was asked while it was cut off, or Redis stood still, and has
# refused, is not carried out when that is over: others have written something
# newer meanwhile, which was acknowledged.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $proxy = Trove::Proxy->start($redis->port);
my $all = Trove::Machines->start(2, workers => 1, url => [
    'redis://127.0.0.1:' . $proxy->port . ' timeout=300ms', $redis->url ]);
my ($cut, $well) = $all->machines;

sub put {
    my ($t, $value) = @_;

    return $t->post('/rewards', qq({"id":1,"x":1,"y":1,"value":$value}))
             ->{status};
}

sub tap { return $_[0]->request(tap_of('anna')) }

is(tap($cut)->{json}{balance}, 1, 'it is there');

$proxy->set(held => 1);

my @refused = map { $cut->client } 1 .. 2;

$refused[0]->send_request('POST', '/rewards',
                          { 'Content-Type' => 'application/json' },
                          '{"id":1,"x":1,"y":1,"value":1}');
$refused[1]->send_request(tap_of('anna'));
is($_->response->{status}, 503, 'refused: Redis does not answer') for @refused;

is(put($well, 2), 200, 'another machine writes');
is(tap($well)->{json}{balance}, 2, 'and is answered');

$proxy->well;

my $tapped;

ok(wait_until(sub { ($tapped = tap($cut))->{status} == 200 }),
   'it takes writes again');
is($tapped->{json}{balance}, 3, 'and has not carried out what it had refused');

# one that Redis itself has, but did not look at in time

my @unread = map { $well->client } 1 .. 2;

$redis->signal('STOP');
$unread[0]->send_request('POST', '/rewards',
                         { 'Content-Type' => 'application/json' },
                         '{"id":1,"x":1,"y":1,"value":1}');
$unread[1]->send_request(tap_of('anna'));
is($_->response->{status}, 503, 'refused: Redis stands still') for @unread;
$redis->signal('CONT');

ok(wait_until(sub { ($tapped = tap($well))->{status} == 200 }),
   'it goes on');
is($tapped->{json}{balance}, 4, 'and has not carried out what came too late');

$all->agree($redis, 'then');
is($_->get_json('/poll?x=1&y=1&r=1&detail=1')->{rewards}[0]{value}, 2,
   'what was acknowledged is there') for $all->machines;

done_testing;
