#!/usr/bin/perl

# What a configuration may say of stores, what is refused at start and at a
# reload, and that nginx -t changes nothing.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Store;


sub troves { return join '', map { "trove $_ }\n" } @_ }

sub refused {
    my ($what, $http, $why) = @_;
    my ($ok, $said) = Trove::Nginx->check(http => $http);

    ok(!$ok, $what);
    like($said, $why, 'and why');
}

refused('another one', troves('a { store postgres://127.0.0.1/0;'),
        qr{invalid store "postgres://127\.0\.0\.1/0", must be .* in \S+:\d+});
refused('no path', troves('a { store sqlite:;'), qr/invalid store "sqlite:"/);
refused('a folder', troves('a { store sqlite:/tmp/;'),
        qr{invalid store "sqlite:/tmp/", it is a folder});
refused('no scheme', troves('a { store /tmp/a.db;'),
        qr{invalid store "/tmp/a\.db"});
refused('two', troves('a { store off; store off;'),
        qr/"store" directive is duplicate/);
refused('one of another', troves('a { store sqlite:a.db;',
                                 'b { store sqlite:%%DIR%%/a.db;'),
        qr{store "sqlite:\S+/a\.db" is that of trove "a" already});
refused('one of another, by another name',
        troves('a { store sqlite:a.db;', 'b { store sqlite:./logs/../a.db;'),
        qr{store "sqlite:\./logs/\.\./a\.db" is that of trove "a" already});
refused('no such folder', troves('a { store sqlite:/nonexistent/a.db;'),
        qr{"/nonexistent/a\.db" cannot be made: No such file});
refused('commit without a store', troves('a { ack commit;'),
        qr/"ack commit" of trove "a" needs a "store"/);
refused('another ack', troves('a { ack disk;'),
        qr/invalid parameter "disk"/);
refused('a timeout of memory', troves('a { ack memory timeout=1s;'),
        qr/invalid parameter "timeout=1s"/);
refused('no timeout', troves('a { store sqlite:a.db; ack commit timeout=0;'),
        qr/invalid parameter "timeout=0"/);
refused('two acks', troves('a { ack memory; ack memory;'),
        qr/"ack" directive is duplicate/);

my ($ok, $said) = Trove::Nginx->check(http => troves('a { store off;'));
ok($ok, 'off') or diag $said;


# nginx -t makes nothing, and beside a server it changes nothing

my $t = Trove::Nginx->new(http => <<'HTTP',
    trove hunt {
        capacity rewards=100 players=100;
        store    sqlite:hunt.db;
        ack      commit;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt'));

my $db = $t->dir . '/hunt.db';

ok(scalar $t->check, 'a test');
is_deeply([ glob "$db*" ], [], 'makes no file');
$t->again;
is($t->client->request(tap_of('a'))->{status}, 200, 'a path of the prefix');

sub files {
    return { map { $_ => join ' ', (stat)[0 .. 7, 9, 10] } glob "$db*" };
}

my $before = files();
ok(scalar $t->check, 'a test beside a server');
is_deeply(files(), $before, 'changes no file');
is($t->client->request(tap_of('a'))->{json}{balance}, 2, 'it goes on');


# A reload keeps all, and cannot change where

my $http = $t->{arg}{http};

ok($t->hup(gone => 1), 'a reload');
is($t->client->request(tap_of('a'))->{json}{balance}, 3, 'keeps all');

for my $change ([ 'another store', 's/hunt\.db/other.db/', 'store' ],
                [ 'no store', 's/store .*|ack .*//g', 'store' ],
                [ 'another capacity', 's/=100 /=200 /', 'capacity' ])
{
    my ($what, $how, $name) = @$change;
    my $new = $http;

    eval "\$new =~ $how; 1" or die $@;
    $t->configure(http => $new);
    $t->expect(qr/"$name" of trove "hunt" cannot be changed by a reload/);
    ok(!$t->hup, "$what is refused");
    like($t->log,
         qr/"$name" of trove "hunt" cannot be changed by a reload, rest/,
         'and why');
    is($t->client->request(tap_of('b'))->{status}, 200, 'and it serves');
}

ok(!-e $t->dir . '/other.db', 'nothing was made');
$t->configure(http => $http =~ s/ack .*/ack memory;/r);
ok($t->hup(gone => 1), 'ack is another by a reload');
is($t->client->request(tap_of('a'))->{json}{balance}, 4, 'and all is kept');


# Files that are none of ours are refused, and left as they are

$t->quit;

sub start_refused {
    my ($what, $file, $text, $why) = @_;
    my $u = Trove::Nginx->new(http => $http, server => '');

    $u->write_file($file, $text);

    my ($ok, $said) = $u->check;
    ok(!$ok, "$what: a test says so");
    like($said, $why, 'and why');
    is($u->read_file($file), $text, 'the file is as it was');
}

start_refused('no database', 'hunt.db', 'x' x 200, qr/is no SQLite database/);
start_refused('no ledger', 'hunt.db-ledger', 'x' x 8000,
              qr/hunt\.db-ledger" .*/);

system('sqlite3', "$db.other", 'CREATE TABLE a (b); PRAGMA user_version = 3');
rename "$db.other", $db;
($ok, $said) = $t->check;
ok(!$ok, 'a database of another program');
like($said, qr/"\Q$db\E" is a database of another program/, 'is named');
unlink $db;


# A pair that does not belong together

my $u = Trove::Nginx->start(http => $http, server => play_endpoints('hunt'));
my $other = $u->dir . '/hunt.db';
$u->client->request(tap_of('x'));
$u->quit;
system('cp', $other, $db);

my $log = length $t->log;
$t->expect(qr/\[emerg\].* cannot have the store/);
$t->{leaks} = 0;                     # what is refused frees nothing
eval { $t->again };
like(substr($t->log, $log),
     qr/store "\Q$db\E" and the ledger "\Q$db\E-ledger": .* another ledger/,
     'another ledger\'s');
$t->{failing} = 1;

done_testing();
