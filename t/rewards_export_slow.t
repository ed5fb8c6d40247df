#!/usr/bin/perl

# An export takes as long as its reader does and no more memory for it, goes
# on while rewards are written, and ends when its reader goes away.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $N = 60_000;

my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { capacity rewards=100k; %%SIMD%% }
    client_max_body_size 100m;
    send_timeout 1h;
HTTP
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }

    location = /hurry {
        trove_rewards hunt;
        send_timeout 500ms;
    }
SERVER

my ($worker) = $t->workers;
my $before;


# what the worker has grown by since; AddressSanitizer keeps what was freed

sub grown {
    return 0 if ($ENV{TROVE_TEST_VARIANT} // '') eq 'sanitized';
    return $t->resident($worker) - $before;
}


# an export that has begun, on a connection that takes little at once

sub reader {
    my $c = $t->client(rcvbuf => 4096);

    $c->send_request('GET', $_[0] // '/rewards', {}, undef, version => '1.0');
    $c->wait_more;

    return $c;
}


sub rest { return (split /\r\n\r\n/, $_[0]->rest, 2)[1] // '' }


# connections that nginx has, as the kernel tells; those that it has closed
# already have no inode

sub connections {
    my $port = sprintf '0100007F:%04X', $t->port;

    open my $f, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!\n";

    return scalar grep { $_->[1] eq $port && $_->[3] ne '0A' && $_->[9] }
           map { [ split ] } <$f>;
}


my @rewards = map { qq({"id":$_,"x":$_,"y":0.5,"value":1}\n) } 1 .. $N;

is($t->post('/rewards', [ map { join '', splice @rewards, 0, 1000 }
                          1 .. $N / 1000 ])->{json}{accepted},
   $N, 'many rewards');

cmp_ok(length rest(reader()), '>', 3e6, 'their export is large');

# readers that do not read, when the view of the rewards is built

my $last = 0;

wait_until {
    sleep 0.5;
    $before = $t->resident($worker);
    (my $was, $last) = ($last, $before);
    $was == $before
};

my @readers = map { reader() } 1 .. 20;

is($t->get('/rewards?id=77')->{json}{x}, 77, 'they stand in nobody\'s way');
cmp_ok(grown(), '<', 20 * 200_000, 'each of them takes less than 200 KB');

# writes meanwhile

my $bad = 0;

for my $id ($N - 9 .. $N) {
    $bad++ if $t->request('DELETE', "/rewards?id=$id")->{status} != 200;
}

for my $id ($N - 29 .. $N - 10, $N + 1 .. $N + 300) {
    my $body = qq({"id":$id,"x":0,"y":0,"value":2});

    $bad++ if $t->post('/rewards', $body)->{status} != 200;
}

is($bad, 0, 'rewards are written meanwhile');

my $export = rest(shift @readers);
my (%times, %value);

while ($export =~ /^\{"id":(\d+),.*"value":(\d+),.*\}$/mg) {
    $times{$1}++;
    $value{$1} = $2;
}

is($export =~ tr/\n//, keys %times, 'no line is torn, nothing is there twice');
is(scalar(grep { !$times{$_} } 1 .. $N - 10), 0,
   'what is there all along is exported');
is(scalar(grep { $value{$_} != 2 } $N - 29 .. $N - 10), 0,
   'as it is when its turn comes');
is(scalar(grep { $times{$_} } $N - 9 .. $N), 0,
   'what is removed before is not');
is(rest(shift @readers) =~ tr/\n//, $N + 290, 'another reader gets the same');

# readers that go away

$_->abort for splice @readers, 0, 10;
$_->close for @readers;

ok(wait_until { connections() == 0 }, 'an export ends without its reader');

$before = $t->resident($worker);

for (1 .. 100) {
    my $c = reader();

    $_ % 2 ? $c->abort : $c->close;
}

ok(wait_until { connections() == 0 }, 'a hundred times');
cmp_ok(grown(), '<', 1_000_000, 'and leaves nothing');

# one that is too slow is not waited for

my $slow = reader('/hurry');

ok(wait_until { connections() == 0 }, 'who does not read is not waited for');
unlike(rest($slow), qr/"id":\Q$N\E,/, 'and does not get all');

is(rest(reader()) =~ tr/\n//, $N + 290, 'all can still be exported');

is_deeply($t->get_json('/stats')->{troves}{hunt}{endpoints}{rewards}{requests},
          { 200 => 2 + 1 + 10 + 320 + 2 + 1, 408 => 1, 499 => 18 + 100 },
          'each export is counted once, as what became of it');

done_testing;
