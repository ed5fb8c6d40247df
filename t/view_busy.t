#!/usr/bin/perl

# A process that was stopped while it wrote keeps a view from being built: the
# worker tries again once in an epoch, and not all the time.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Held;
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=50k; epoch 1h; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats write=on; }
END


# seconds of the processor that a process has used

sub used {
    my $pid = shift;

    open my $f, '<', "/proc/$pid/stat" or return 0;
    my @fields = split ' ', <$f> =~ s/^.*\) //r;

    return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


my $clients = $t->clients;
my ($writer, $other) = sort { $a <=> $b } keys %$clients;

my $res = $clients->{$writer}->request('POST', '/rewards',
    { 'Content-Type' => 'application/x-ndjson' },
    join '', map { qq({"id":$_,"x":1,"y":1}\n) } 1 .. 7_000);

is($res->{json}{accepted}, 7_000, 'rewards, that one worker does not know of');

my $held = Trove::Held->new($t, 6000);
my $poll = '/poll?x=1&y=1';

$res = $clients->{$other}->get($poll)->{json};
is($res->{found}, 6000, 'it is asked for, and what comes before it is seen');

ok($t->wait_log(qr/\[error\] .* new view .* could not be built/),
   'a new view would have it, too');

my $before = used($other);

sleep 1;
cmp_ok(used($other) - $before, '<', 0.3, 'there is no hurry to build another');

is($clients->{$other}->get($poll)->{json}{found}, 6000, 'polls go on');

$held->release;

# the next epoch

$clients->{$other}->request('POST', '/stats?cycle=hunt');

ok(wait_until {
       $clients->{$other}->get($poll)->{json}{found} == 7_000
   }, 'it is written, and all are found');

done_testing;
