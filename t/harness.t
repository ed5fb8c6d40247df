#!/usr/bin/perl

# The harness finds what it looks for: each of these runs must fail.

use strict;
use warnings;

use FindBin;
use File::Temp qw(tempfile);
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


sub run_test {
    my $body = shift;
    my ($f, $name) = tempfile(UNLINK => 1);

    print $f <<"END";
use strict; use warnings;
use lib '$FindBin::Bin/lib';
use Test::More;
use Trove::Nginx;
my \$t = Trove::Nginx->start(server => '');
$body
ok(1);
done_testing;
END
    close $f;

    my $said = `$^X $name 2>&1`;

    return ($? >> 8, $said);
}


my ($status, $said);

($status, $said) = run_test('');

is($status, 0, 'a clean run passes') or diag $said;

($status, $said) = run_test(<<'END');
my ($worker) = $t->workers;
kill 'SEGV', $worker;
wait_until { !grep { $_ == $worker } $t->workers };
END

isnt($status, 0, 'a worker that died fails the test');
like($said, qr/ok 1\n/, 'although the test itself saw nothing wrong');
like($said, qr/exited (?:on signal 11|with code [1-9])/, 'and is named');

if (($ENV{TROVE_TEST_VARIANT} || '') eq 'sanitized') {
    like($said, qr/ERROR: AddressSanitizer: SEGV/, 'the report is shown');
}

($status, $said) = run_test(<<'END');
my ($worker) = $t->workers;
$t->kill_worker($worker, 'KILL');
END

is($status, 0, 'a death that was announced passes') or diag $said;

($status, $said) = run_test(<<'END');
$t->configure(main => 'unknown_directive;');
ok(!$t->hup, 'refused');
END

isnt($status, 0, 'a refused reload fails the test');
like($said, qr/unknown directive/, 'and is named');

($status, $said) = run_test(<<'END');
kill 'KILL', $t->master;
wait_until { $t->ended };
END

isnt($status, 0, 'a master that was killed fails the test');

($status, $said) = run_test(<<'END');
open my $f, '>>', $t->dir . '/sanitizer.1';
print $f "src/core/x.c:1:2: runtime error: signed integer overflow\n";
close $f;
END

isnt($status, 0, 'an undefined behaviour fails the test');

done_testing;
