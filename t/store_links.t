#!/usr/bin/perl

# Workers that are not root can make what they like in the store's folder:
# root follows no link there, and gives nothing away but what lies in it.

use strict;
use warnings;

use FindBin;
use POSIX qw(mkfifo);
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;


plan skip_all => 'needs root' if $> != 0;

my $t = Trove::Nginx->new(http => <<'HTTP', server => play_endpoints('hunt'));
    trove hunt {
        capacity rewards=1k players=1k;
        store    sqlite:%%DIR%%/store/hunt.db;
        ack      commit;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP

my $conf = $t->read_file('nginx.conf');
$conf =~ s/^user root;/user nobody nogroup;/m or die 'no user';
$t->write_file('nginx.conf', $conf);

my $nobody = (getpwnam 'nobody')[2];
my $folder = $t->dir . '/store';
my $db = "$folder/hunt.db";
my $file = $t->write_file('roots', '');

mkdir $folder;
chown $nobody, -1, $folder;

sub owner { return (lstat $_[0])[4] }


# Before a start

for my $name ('hunt.db', 'hunt.db-ledger') {
    symlink $file, "$folder/$name" or die "$name: $!\n";

    my ($ok, $said) = $t->check;

    ok(!$ok, "$name is a link");
    like($said, qr/\[emerg\].*"\Q$folder\E\/\Q$name\E" is a symbolic link/,
         'which is said');
    unlink "$folder/$name";
}

mkfifo $db, 0600 or die "mkfifo: $!\n";

my ($ok, $said) = $t->check;

ok(!$ok, 'a pipe');
like($said, qr/"\Q$db\E" is no /, 'is no database');
unlink $db;


# Before a reload

$t->again;
is($t->client->request(tap_of('a'))->{status}, 200, 'it serves');
is(owner("$db$_"), $nobody, "hunt.db$_ is the workers'")
    for '', '-wal', '-shm', '-ledger';

for my $name (map { "hunt.db$_" } '', '-wal', '-shm', '-ledger') {
    rename "$folder/$name", "$folder/before" or die "$name: $!\n";
    symlink $file, "$folder/$name" or die "$name: $!\n";

    $t->expect(qr/\[emerg\].*"\Q$folder\E\/\Q$name\E" is no file/);
    ok(!$t->hup, "$name has become one: no reload");
    is(owner($file), 0, 'what it leads to is given to nobody');
    rename "$folder/before", "$folder/$name";
}

ok($t->hup, 'a reload when all is as it was');
ok(wait_until { ($t->client->request(tap_of('a'))->{json}{balance} // 0) >= 2 },
   'and it goes on');

done_testing();
