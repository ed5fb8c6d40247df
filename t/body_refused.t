#!/usr/bin/perl

# A body that nginx itself refuses, or cannot keep, is on record as what its
# client was told.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { %%SIMD%% }
    log_format trove '$request_method $status $trove_status';
    client_body_buffer_size 1k;
    client_max_body_size 8k;
HTTP
    access_log %%DIR%%/access.log trove;
    client_body_temp_path %%DIR%%/bodies;

    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; access_log off; }
SERVER


sub refused {
    my ($name, $path, $type, $body, $status, $word) = @_;
    my $endpoint = substr $path, 1;
    my $c = $t->client;

    $c->send("POST $path HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
             . "Content-Type: $type\r\n\r\n$body");

    is($c->response->{status}, $status, "$name: refused");
    $c->close;

    ok(wait_until(sub {
        $t->get_json('/stats')->{troves}{hunt}{endpoints}{$endpoint}{requests}
            {$status}
    }), 'and counted as that');

    my $log = $t->read_file('access.log');

    is((split /\n/, $log)[-1], "POST $status $word", 'and logged');
}


my $chunk = sub { sprintf "%x\r\n%s\r\n", length $_[0], $_[0] };

for my $type ('application/json', 'application/x-ndjson') {
    refused("$type: no chunk", '/poll', $type, "zz\r\n", 400, 'INVALID');
}

refused('more than allowed', '/rewards', 'application/json',
        $chunk->(' ' x 9000), 413, 'INVALID');

# where bodies are kept nothing can be written

$t->expect(qr/open\(\) ".*bodies.*failed/);
rename $t->dir . '/bodies', $t->dir . '/gone';
$t->write_file('bodies', '');

refused('no room', '/poll', 'application/json',
        $chunk->(' ' x 4000) . $chunk->(' ' x 2000), 500, 'FAILED');

is($t->get_json('/stats')->{troves}{hunt}{endpoints}{poll}{requests}{499},
   undef, 'none of them as a client that went away');

$t->stop;

done_testing();
