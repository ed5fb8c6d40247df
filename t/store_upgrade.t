#!/usr/bin/perl

# USR2 with both masters serving, up and back, and workers that are not root:
# one ledger, one writer, and nothing is lost.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


plan skip_all => 'needs root' if $> != 0;

my $t = Trove::Nginx->new(workers => 2, daemon => 1, http => <<'HTTP',
    trove hunt {
        capacity rewards=1k players=1k;
        store    sqlite:%%DIR%%/store/hunt.db;
        ack      commit;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my $conf = $t->read_file('nginx.conf');
$conf =~ s/^user root;/user nobody nogroup;/m or die 'no user';
$t->write_file('nginx.conf', $conf);

my $folder = $t->dir . '/store';
mkdir $folder;
chown +(getpwnam 'nobody')[2, 3], $folder;

my $db = "$folder/hunt.db";

$t->again;
unlike($t->log, qr/\[warn\].*cannot make files/, 'the folder will do');

my $taps = 0;

sub taps {
    my $how = shift;
    my $bad = 0;

    for (1 .. 20) {
        my $res = $t->client->request(tap_of('a'));

        $bad++ if $res->{status} != 200
                  || $res->{json}{balance} != ++$taps;
    }

    is($bad, 0, "$how: each tap is one more");
    is((row($db, 'balance', 'FROM players'))[0], $taps, 'and stored');
}

taps('workers of nobody');

my $old = $t->usr2;
taps('both masters');
is((grep { /^\d/ } map { $t->workers(master => $_) } $old, $t->master), 4,
   'of two generations');
like($t->log, qr/"hunt" has 0 rewards, 1 players and 0 claims, kept in/,
     'one ledger');

# back to the old one

$t->quit;
$t->{master} = $old;
$t->{masters} = [];
taps('the old one again');

# and up for good

$old = $t->usr2;
$t->quit(master => $old);
taps('the new one alone');

# a folder that workers cannot write is told

my $warned = qr/\[warn\].*user "nobody" cannot make files in "\Q$folder\E"/;

$t->quit;
unlike(($t->check)[1], $warned, 'a test has nothing to say');
chown 0, 0, $folder;

my ($ok, $said) = $t->check;
ok($ok, 'a folder that will not do passes a test');
like($said, $warned, 'which warns of it');

my $log = length $t->log;
$t->again;
like(substr($t->log, $log), $warned, 'as a start does');
ok(wait_until {
    substr($t->log, $log) =~ /\[error\].* store .*: no files can be made beside/
}, 'and says what fails');
chown +(getpwnam 'nobody')[2, 3], $folder;
ok(wait_until { $t->client->request(tap_of('a'))->{status} == 200 },
   'until it does');

done_testing();
