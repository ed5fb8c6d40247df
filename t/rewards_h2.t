#!/usr/bin/perl

# Rewards by HTTP/2: loads and exports that are larger than its windows.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $N = 40_000;

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { capacity rewards=50k; limit 3 max=1000; %%SIMD%% }
    client_max_body_size 100m;

    server {
        listen 127.0.0.1:%%PORT1%% http2;

        location = /poll    { trove_poll    hunt; }
        location = /rewards { trove_rewards hunt; }
        location = /stats   { trove_stats; }
    }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
SERVER


sub h2 {
    my ($method, $path, $body) = @_;

    return $t->h2($method, $path,
                  { defined $body ? ('Content-Type' => 'application/x-ndjson')
                                  : () }, $body, port => $t->port(1));
}


sub export { return (split /\r\n\r\n/, $t->raw("GET /rewards HTTP/1.0\r\n\r\n"),
                     2)[1] }


my $body = join '', map { qq({"id":$_,"x":$_,"y":0.5,"value":7}\n) } 1 .. $N;
my $res = h2('POST', '/rewards', $body);

is($res->{status}, 200, 'a load of a megabyte');
is_deeply($res->{json}, { accepted => $N, rejected => 0, version => $N,
                          errors => [] }, 'is taken whole');

$res = h2('GET', '/rewards');

is($res->{status}, 200, 'an export of megabytes');
is($res->{headers}{'content-type'}, 'application/x-ndjson', 'of NDJSON');
ok($res->{body} eq export(), 'is whole and the same as by HTTP/1');

$res = h2('HEAD', '/rewards');

is($res->{status}, 200, 'HEAD is answered');
is($res->{body}, '', 'without a body');

is(h2('GET', '/rewards?id=77')->{json}{x}, 77, 'one can be read');
is(h2('DELETE', '/rewards?id=77')->{json}{removed}, 77, 'and removed');
is(h2('GET', '/rewards?id=77')->{status}, 404, 'and is gone');
is(h2('POST', '/rewards', "nonsense\n{}\n")->{json}{rejected}, 2,
   'what is wrong is told');
is(h2('PUT', '/rewards', '')->{headers}{allow}, 'GET, HEAD, POST, DELETE',
   'and what is allowed');
is(h2('GET', '/poll?x=77&y=0.5&r=2')->{json}{found}, 4, 'polls find them');
is(h2('GET', '/stats')->{json}{troves}{hunt}{rewards}, $N - 1,
   'and stats count them');

done_testing;
