#!/usr/bin/perl

# What a configuration may say of the queues for what there is no room for.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


sub refused {
    my ($what, $more, $why) = @_;
    my ($ok, $said) = Trove::Nginx->check(http => "trove a { $more }\n");

    ok(!$ok, $what);
    like($said, $why, 'and why');
}

refused('no host', 'overflow redis://;', qr/invalid overflow: /);
refused('no number', 'overflow redis://a:b/0;', qr/invalid overflow: /);
refused('another scheme', 'overflow sqlite:a.db;',
        qr{invalid overflow "sqlite:a\.db", must be "redis://HOST" in });
refused('off, which it is without', 'overflow off;',
        qr/invalid overflow "off"/);
refused('two', 'overflow redis://127.0.0.1; overflow redis://127.0.0.1;',
        qr/"overflow" directive is duplicate/);
refused('no host of that name', 'overflow redis://nobody.invalid;',
        qr/the host "nobody\.invalid" of the overflow of trove "a" is not fo/);

for my $max (qw(0 -1 1.5 x 1000000001 1001m), '') {
    refused("a queue of '$max'", "overflow redis://127.0.0.1 max=$max;",
            qr/invalid parameter "max=\Q$max\E", must be "max=" and 1 to 1000/);
}

refused('no timeout', 'overflow redis://127.0.0.1 timeout=0;',
        qr/invalid parameter "timeout=0"/);
refused('too many replicas', 'overflow redis://127.0.0.1 replicas=17;',
        qr/invalid parameter "replicas=17"/);
for my $twice (qw(max=1m timeout=1s replicas=1)) {
    refused("$twice twice", "overflow redis://127.0.0.1 $twice $twice;",
            qr/invalid parameter "$twice", must be .*, each once/);
}

refused('another parameter', 'overflow redis://127.0.0.1 min=1;',
        qr/invalid parameter "min=1"/);

for my $both ('overflow redis://127.0.0.1; store redis://127.0.0.1;',
              'store redis://127.0.0.1; overflow redis://127.0.0.1;')
{
    refused('a store in Redis, too', $both,
            qr/"overflow" of trove "a" is for a ledger of this machine: what/);
}

my ($ok, $said) = Trove::Nginx->check(http => <<'HTTP');
    trove a { overflow redis://me:secret@127.0.0.1:1,127.0.0.1:2/3 max=1k
                       timeout=500ms replicas=1; }
    trove b { overflow redis://unix:/nonexistent:0; store sqlite:b.db; }
    trove c { overflow redis://127.0.0.1 max=1000000000; store off; }
    trove d { overflow REDIS://:secret@127.0.0.1; }
    trove e { store Redis://:secret@127.0.0.1; }
HTTP
ok($ok, 'a test makes no connection') or diag $said;
unlike($said, qr/secret/, 'and tells no password');

done_testing();
