#!/usr/bin/perl

# A user of Redis has the rights that the README names, and no others; where one
# of them is taken away nothing is written, not even a part, and the log names
# it; once it is given again all goes on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my $redis = Trove::Redis->start;

open my $f, '<', "$FindBin::Bin/../README.md" or die "README.md: $!\n";
my ($rule) = do { local $/; <$f> }
             =~ /^ +(ACL SETUSER hunter .*(?:\n +[+].*)*)/m;
close $f;

ok($rule, 'the README has the rights');

my @rule = split ' ', $rule;

is($redis->command(@rule), 'OK', 'which Redis takes');

my $url = 'redis://hunter:secret@127.0.0.1:' . $redis->port;
my $t = Trove::Nginx->start(workers => 2, level => 'info', http => <<"HTTP",
    trove hunt {
        capacity rewards=100 players=100;
        store    $url timeout=400ms;
        board    daily rows=10 reset=daily;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
    server => play_endpoints('hunt')
              . "location /board/ { trove_board hunt; }\n");

ok(wait_until { $t->get('/poll?x=0&y=0')->{status} == 200 }, 'it is loaded')
    or diag $t->log;

my ($seq, $id) = (0, 0);

sub tap { return $t->request(tap_of('anna', seq => $seq)) }

sub ends_with {
    my ($what, $want, $status) = @_;
    my $said = '';

    return ok(wait_until(sub { ($said = $want->()->{status}) == $status }),
              $what) || diag "$said\n" . $t->log;
}

my %asks = (
    xadd => \&tap,
    hset => \&tap,
    pexpireat => sub { $t->request(score_of('daily', 'anna', 1)) },
    hdel => sub { $t->request('DELETE', "/rewards?id=$id") }
);

sub log_of { return $redis->command('HGET', 'trove:{hunt}', 'log') }

sub entries { return $redis->command('XLEN', 'trove:{hunt}:log') }

for my $right (sort keys %asks) {
    $id++;
    ends_with("a reward before $right",
              sub { $t->post('/rewards', qq({"id":$id,"x":0,"y":0})) }, 200);

    my ($log, $entries) = (log_of(), entries());

    $seq++;
    $redis->command(qw(ACL SETUSER hunter), "-$right");
    my $command = uc $right;
    my $named = qr/\(denied\).*NOPERM the user may not $command \(trove/;

    ok(wait_until(sub { $asks{$right}->()->{status} == 503
                        && $t->log =~ $named }),
       "not without $right, and the log names it") or diag $t->log;
    is(log_of(), $log, 'the log is where it was');
    is(entries(), $entries, 'and has nothing more');

    $redis->command(qw(ACL SETUSER hunter), "+$right");
    ends_with("with $right", $asks{$right}, 200);
}

done_testing();
