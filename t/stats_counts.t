#!/usr/bin/perl

# Each request is counted once by its endpoint and code, whichever worker had
# it, and stays counted after reloads and the deaths of workers.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 3, listen => 'reuseport',
                            http => <<'HTTP', server => <<'SERVER');
    trove hunt { capacity rewards=50; arena 64k; epoch 20ms; %%SIMD%% }
    client_body_timeout 1s;
    keepalive_requests 1000000;
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; client_max_body_size 1m; }
    location = /stats   { trove_stats write=on; }
SERVER

my $of = $t->clients;
my (%want, %lines, $all);


# counts by what was answered

sub ask {
    my ($c, $endpoint, $method, $args, $body, $type) = @_;
    my $res = $c->request($method, "/$endpoint$args",
                          { 'Content-Type' => $type // 'application/json' },
                          $body);

    $want{$endpoint}{ $res->{status} }++;

    return $res;
}


sub clients {
    $of = $t->clients;

    return values %$of;
}


# some of each kind, by each worker

sub requests {
    for my $c (clients()) {
        my $id = 1 + int rand 40;

        ask($c, 'poll', 'GET', '?x=1&y=1') for 1 .. 10;
        ask($c, 'poll', 'HEAD', '?x=1&y=1');
        ask($c, 'poll', 'POST', '', '{"x":1,"y":1}') for 1 .. 5;
        ask($c, 'poll', 'POST', '', '{"x":1}');
        ask($c, 'poll', 'GET', '?x=1&y=z');
        ask($c, 'poll', 'DELETE', '');
        ask($c, 'rewards', 'POST', '', qq({"id":$id,"x":1,"y":1}));
        ask($c, 'rewards', 'POST', '', '{"id":0}');
        ask($c, 'rewards', 'GET', "?id=$id");
        ask($c, 'rewards', 'DELETE', "?id=$id");
        ask($c, 'rewards', 'DELETE', "?id=$id");
        ask($c, 'rewards', 'GET', '');
        ask($c, 'rewards', 'HEAD', '');
        ask($c, 'rewards', 'PUT', '?id=1', '');
        ask($c, 'stats', 'GET', '?format=xml');
        ask($c, 'stats', 'POST', '?cycle=hunt', '');
        ask($c, 'stats', 'POST', '?cycle=none', '');

        my $res = ask($c, 'poll', 'POST', '', qq({"x":1,"y":1}\n) x 7 . "1\n",
                      'application/x-ndjson');

        $lines{poll}{ok} += 7;
        $lines{poll}{error} += 1;

        $res = ask($c, 'rewards', 'POST', '',
                   join('', map { qq({"id":$_,"x":1,"y":1}\n) } 1 .. 60),
                   'application/x-ndjson');

        $lines{rewards}{ok} += $res->{json}{accepted};
        $lines{rewards}{error} += $res->{json}{rejected};
    }
}


sub compare {
    my $when = shift;
    my $stats = ask((clients())[0], 'stats', 'GET', '')->{json}{troves}{hunt};
    my $text = ask((clients())[0], 'stats', 'GET', '?format=prometheus')
               ->{body};

    # a request of stats does not count itself

    my %had = map { $_ => { %{ $want{$_} } } } keys %want;

    $had{stats}{200} -= 2;

    is_deeply({ map { $_ => $stats->{endpoints}{$_}{requests} }
                qw(poll rewards stats) }, \%had, "$when: JSON");

    for my $e (qw(poll rewards)) {
        is_deeply([ @{ $stats->{endpoints}{$e} }{qw(lines_ok lines_error)} ],
                  [ @{ $lines{$e} }{qw(ok error)} ], "$when: lines of $e");
    }

    for my $e (qw(poll rewards stats)) {
        my ($sum, %got) = (0);

        $sum += $_ for values %{ $had{$e} };

        is($stats->{latency}{$e}{count}, $sum, "$when: durations of $e");

        $got{$1} = $2 while $text =~ /^trove_requests_total\{trove="hunt",
                                      endpoint="$e",code="(\w+)"\}\ ([1-9]\d*)
                                      $/mgx;

        $had{stats}{200}++ if $e eq 'stats';
        is_deeply(\%got, $had{$e}, "$when: Prometheus of $e");
    }
}


requests() for 1 .. 3;
compare('three workers');

is_deeply([ sort { $a <=> $b } keys %{ $want{poll} } ], [200, 400, 405],
          'there were all kinds of polls');
is_deeply([ sort { $a <=> $b } keys %{ $want{rewards} } ],
          [200, 400, 404, 405, 507], 'and of rewards');

ok($t->hup(gone => 1), 'a reload');
compare('after it');
requests();
compare('by new workers');

for my $pid (($t->workers)[0, 2]) {
    $t->kill_worker($pid);
}

compare('after the death of two');
requests();
compare('by those in their places');

$t->configure(workers => 5);
ok($t->hup, 'a reload to more workers');
requests();
ok($t->hup(gone => 1), 'and another one');
requests();
compare('by more workers');

$t->kill_worker($_) for $t->workers;
compare('after the death of all');

# requests that are not answered

my $c = $t->client;

$c->send("POST /rewards HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
$want{rewards}{408}++;
ok($c->closed, 'a body that does not come');

$c = $t->client;
$c->send("POST /poll HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
         . "Expect: 100-continue\r\n\r\n{");
ok($c->take(qr/ 100 Continue/), 'a client');
$c->abort;
$want{poll}{499}++;

ok(wait_until {
       $want{stats}{200}++;
       $t->get_json('/stats')->{troves}{hunt}
           {endpoints}{poll}{requests}{499}
   }, 'that goes away while it sends');

compare('after these');

# what is too much for the arena, and for the body

ask($t->client, 'poll', 'POST', '', '{"x":1,"y":1,"z":"' . 'z' x 70_000
                                    . '"}');
is($want{poll}{413}, 1, 'one that is too long');
ask($t->client, 'rewards', 'POST', '', 'z' x 100_000);
is($want{rewards}{413}, 1, 'of rewards, too');
is($t->client->request('POST', '/poll', { 'Content-Encoding' => 'gzip' }, 'z')
     ->{status}, 415, 'and a coded one');
$want{poll}{415}++;
compare('after those');

done_testing;
