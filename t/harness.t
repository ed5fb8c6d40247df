#!/usr/bin/perl

# The harness finds what it looks for: each of these runs must fail.

use strict;
use warnings;

use FindBin;
use File::Path ();
use File::Temp qw(tempdir tempfile);
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


# the folders that those runs leave are found in one of their own

my $TMP = tempdir('trove-harness-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0755, $TMP;
$ENV{TMPDIR} = $TMP;


sub run_test {
    my $body = shift;
    my ($f, $name) = tempfile(UNLINK => 1);

    File::Path::remove_tree($_) for grep { !-e "$_/.lock" } folders();

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

    return ($?, $said);
}


sub folders { return glob "$TMP/trove-*" }


# what is kept is told, and nothing else is left

sub is_kept {
    my ($said, $n) = @_;
    my @kept = $said =~ /kept: (\S+)/g;

    is(@kept, $n, "folders that are kept: $n");
    is_deeply([ sort @kept ], [ sort(folders()) ], 'are told, and there');
    is(grep({ -s "$_/error.log" } @kept), $n, 'with their logs');
}


my ($status, $said);

($status, $said) = run_test('');

is($status, 0, 'a clean run passes') or diag $said;
is_kept($said, 0);

($status, $said) = run_test(<<'END');
my ($worker) = $t->workers;
kill 'SEGV', $worker;
wait_until { !grep { $_ == $worker } $t->workers };
END

isnt($status, 0, 'a worker that died fails the test');
like($said, qr/ok 1\n/, 'although the test itself saw nothing wrong');
like($said, qr/exited (?:on signal 11|with code [1-9])/, 'and is named');
is_kept($said, 1);

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
is_kept($said, 1);

# folders are kept if a test has failed, and only then

($status, $said) = run_test('ok(0);');
is_kept($said, 1);

($status, $said) = run_test('my $u = Trove::Nginx->new; die "for a reason";');
like($said, qr/for a reason/, 'a test that dies');
is(() = $said =~ /kept: /g, 2, 'keeps all');

($status, $said) = run_test('Trove::Nginx->new; Trove::Nginx->check;');
is($status, 0, 'a configuration that was not started') or diag $said;
is_kept($said, 0);

($status, $said) = run_test(<<'END');
eval { Trove::Nginx->start(http => 'unknown;', server => '') };
like($@, qr/nginx did not start/, 'a start that fails');
END

isnt($status, 0, 'a start that fails fails the test');
is_kept($said, 2);

# who was killed could not: the next one does

($status, $said) = run_test('kill "KILL", $$; sleep;');
is($status & 127, 9, 'a test that was killed');

my @left = folders();

is(@left, 1, 'leaves a folder');

# its nginx ends with it, and takes its pid file with it

my $pid = "$left[0]/nginx.pid";

if (open my $f, '<', $pid) {
    kill 'TERM', <$f> // 0;
}

ok(wait_until { !-e $pid }, 'and no nginx');

($status, $said) = run_test('');
is($status, 0, 'the next test passes') or diag $said;
is_kept($said, 0);

# A process lives as long as one of its threads

SKIP: {
    skip 'needs syscall.ph', 2 if !eval { require 'syscall.ph' };

    pipe my $end, my $held or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $held;
        require threads;
        threads->create(sub { readline $end });
        syscall(&SYS_exit, 0);
    }

    ok((wait_until { Trove::Nginx::stat_of($pid)->{state} eq 'Z' }),
       'the first thread has ended');
    ok(Trove::Nginx::alive($pid), 'the process has not');
    close $held;
    waitpid $pid, 0;
}

done_testing;
