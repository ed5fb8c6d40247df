#!/usr/bin/perl

# The master or a worker dies at each point that a start comes to, with the
# ledger that the killed have left, and with nothing but the store: the next
# start makes it good, and all that was answered is there.

use strict;
use warnings;

use FindBin;
use List::Util qw(shuffle);
use Test::More;

use lib "$FindBin::Bin/../lib";
use Trove::Crowd;
use Trove::Fault;
use Trove::Nginx;
use Trove::Play;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $fault = Trove::Fault->new;
my $t = Trove::Nginx->start(workers => 2, env => $fault->env,
    http => Trove::Crowd::conf('hunt', 'store sqlite:%%DIR%%/hunt.db;',
                               'ack commit;',
                               'board sums rows=10k row=128 keep=sum;'),
    server => play_endpoints('hunt')
              . 'location /board/ { trove_board hunt; }');

my $file = $t->dir . '/hunt.db';


# The points that a start comes to that nothing happens to

sub met_by {
    my $before = shift;
    my %met = map { $_ => $fault->met($_) } $fault->points;

    $before->();
    $t->again;
    wait_until { $t->workers == 2 };
    $t->clients;
    $t->kill_all;

    return grep { $fault->met($_) > $met{$_} } $fault->points;
}


# Whether somebody dies at the point at a start: of workers others come

sub dies_at {
    my ($point, $before) = @_;

    for (1 .. 3) {
        $fault->arm($point, 1, 'KILL');
        $before->();
        eval { $t->again };

        my $dies = wait_until { $fault->victim($point) } 1;

        $fault->disarm($point);
        $t->kill_all;

        return 1 if $dies;
    }

    return 0;
}


my $crowd = Trove::Crowd->start($t, $SEED, qw(churn race taps sums));

select undef, undef, undef, 1;
$crowd->finish;
$t->kill_all;

is_deeply($crowd->{wrong}, [], 'no answer is wrong');

my %before = ('the ledger and the store' => sub { },
              'the store alone' => sub { unlink "$file-ledger" });

for my $from (sort keys %before) {
    my @points = met_by($before{$from});
    my (@missed, @wrong);

    cmp_ok(@points, '>=', 3, "from $from: a start comes to " . @points);

    for my $point (shuffle(@points)) {
        my $name = $fault->name($point);

        dies_at($point, $before{$from}) or push @missed, $name;

        $t->again;
        push @wrong, map { "$name: $_" } $crowd->lies;
        $t->kill_all;
    }

    is_deeply(\@missed, [], 'a process dies at each');
    is_deeply(\@wrong, [], 'and at the next start all is there');
}

$t->expect(qr/worker process \d+ exited on signal 9\b/);
$t->again;
$crowd->adds_up($fault, $file, 1);

done_testing;
