#!/usr/bin/perl

# "nginx -t" beside a server that runs changes nothing: no reward, no figure,
# no file, no process; nor does that of a configuration that is wrong.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $server = <<'SERVER';
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER

my $t = Trove::Nginx->start(workers => 2, server => $server,
                            http => 'trove hunt { epoch 1h; %%SIMD%% }');


# files of the folder with their times and sizes; the log grows by what is
# said, and what is said is not here

sub files {
    my $dir = $t->dir;

    return { map { $_ => join ' ', (stat)[1, 2, 7, 9] }
             grep { -f && !m{/(?:nginx\.conf|check|error\.log)$} }
             glob "$dir/* $dir/*/*" };
}


# shared memory that this user's processes have made, and eventfds

sub held {
    return join "\n", map { my $pid = $_;
                            "$pid: " . grep { (readlink // '') =~ /eventfd/ }
                                       glob "/proc/$pid/fd/*" }
                      $t->master, $t->workers;
}


# what a request of stats says, but for what it changes itself

sub figures {
    my $s = $t->get_json('/stats')->{troves}{hunt};

    delete $s->{endpoints}{stats};
    delete $s->{latency}{stats};
    delete $_->{resident} for @{ $s->{workers} };

    return $s;
}


is($t->load('/rewards', '/poll?x=0&y=0',
            map { { id => $_, x => $_, y => $_ } } 1 .. 5000)
     ->{json}{accepted}, 5000, 'rewards');

my $export = $t->get('/rewards')->{body};

my %before = (export => $export, figures => figures(), files => files(),
              held => held(), workers => [ $t->workers ],
              pid => $t->read_file('nginx.pid'));

for my $case ([ 1, 'the same', 'epoch 1h; %%SIMD%%' ],
              [ 1, 'another epoch', 'epoch 7ms; %%SIMD%%' ],
              [ 1, 'another capacity', 'capacity rewards=9; %%SIMD%%' ],
              [ 1, 'another space', 'space earth; %%SIMD%%' ],
              [ 1, 'an arena that nobody has', 'arena 100000g; %%SIMD%%' ],
              [ 0, 'a wrong one', 'epoch 0; %%SIMD%%' ])
{
    my ($good, $what, $inside) = @$case;

    $t->configure(http => "trove hunt { $inside }");

    my ($ok, $said) = $t->check;

    is(!!$ok, !!$good, "nginx -t of $what") or diag $said;

    my %after = (export => $t->get('/rewards')->{body}, files => files(),
                 held => held(), workers => [ $t->workers ],
                 pid => $t->read_file('nginx.pid'));

    $before{figures}{endpoints}{rewards}{requests}{200}++;
    $after{figures} = figures();

    delete $_->{figures}{latency}{rewards} for \%before, \%after;

    is_deeply(\%after, \%before, 'has changed nothing');
}

# a trove that the server has not, and no server at all

$t->configure(http => 'trove hunt { epoch 1h; %%SIMD%% } trove new { }');
ok(scalar $t->check, 'nginx -t of a new trove');
is_deeply([ keys %{ $t->get_json('/stats')->{troves} } ], ['hunt'],
          'does not make it');

ok($t->hup(gone => 1), 'a reload does');
is_deeply([ sort keys %{ $t->get_json('/stats')->{troves} } ],
          ['hunt', 'new'], 'and now it is there');
is($t->get('/rewards')->{body}, $export, 'with all rewards');

# the memory that only a start takes is not asked for

my $start = time;

ok(scalar Trove::Nginx->check(http => 'trove big { capacity rewards=100m; }'),
   'nginx -t of what takes gigabytes passes');
cmp_ok(time - $start, '<', 5, 'and takes no time');

done_testing;
