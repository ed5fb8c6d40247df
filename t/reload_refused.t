#!/usr/bin/perl

# A reload that would lose the rewards, or that could not serve, is refused
# with [emerg]: the configuration from before goes on serving them.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


sub troves {
    my ($hunt, $more) = @_;

    return "trove first { %%SIMD%% } trove hunt { $hunt %%SIMD%% }"
           . ($more // '');
}


my $boards = 'board a rows=10k reset=weekly; board b rows=1k;';
my $good = troves("capacity rewards=10k; space earth; $boards");

my $t = Trove::Nginx->start(workers => 2, http => $good,
                            server => <<'SERVER');
    location /board/    { trove_board   hunt; }
    location = /first   { trove_rewards first; }
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
SERVER

is($t->load('/rewards', '/poll?x=0&y=0',
            map { { id => $_, x => $_ / 10, y => $_ / 20 } } 1 .. 1000)
     ->{json}{version}, 1000, 'rewards');
is($t->post('/first', '{"id":1,"x":1,"y":1}')->{status}, 200,
   'in two troves');

is($t->post("/board/$_", '{"player":"p","score":7}')->{status}, 200,
   'and scores') for 'a', 'b';

my $before = $t->get('/rewards')->{body};
my @workers = $t->workers;


sub refused {
    my ($what, $http, $re) = @_;
    my $log = length $t->log;

    $t->expect($re);
    $t->configure(http => $http);

    ok(!$t->hup, "$what: is refused");

    like(substr($t->log, $log), qr/\[emerg\] [^\n]*$re/,
         'and the log says why');
    is_deeply([ $t->workers ], \@workers, 'the workers stay');
    is($t->get('/rewards')->{body}, $before, 'and the rewards');
    is($t->get_json('/poll?x=0&y=0&r=5000')->{version},
       $t->get_json('/stats')->{troves}{hunt}{ledger_version},
       'which are polled');

    my $res = $t->post('/rewards', '{"id":1,"x":0.1,"y":0.05}');

    is($res->{status}, 200, 'and written');
    is($t->post('/board/b', '{"player":"q","score":6}')->{json}{rank}, 2,
       'and so are scores');
}


my $kept = qr/of trove "hunt" cannot be changed by a reload, the rewards/;

# a size that another zone would have, and one within the same pages

refused('a larger capacity', troves('capacity rewards=20k; space earth;'),
        qr/"capacity" $kept/);
refused('a smaller one', troves('capacity rewards=5k; space earth;'),
        qr/"capacity" $kept/);
refused('one a little larger', troves('capacity rewards=10001; space earth;'),
        qr/"capacity" $kept/);
refused('the default one', troves('space earth;'), qr/"capacity" $kept/);
refused('room for players',
        troves('capacity rewards=10k players=10; space earth;'),
        qr/"capacity" $kept/);
refused('another space', troves('capacity rewards=10k; space plane;'),
        qr/"space" $kept/);
refused('no space', troves('capacity rewards=10k;'), qr/"space" $kept/);

# boards are laid out as they are

for my $case (['a larger board', 'board a rows=20k reset=weekly; board b '
               . 'rows=1k;'],
              ['other rows', 'board a rows=10k reset=weekly row=128; '
               . 'board b rows=1k;'],
              ['another order', 'board a rows=10k reset=weekly; '
               . 'board b rows=1k order=asc;'],
              ['other periods', 'board a rows=10k reset=daily; '
               . 'board b rows=1k;'],
              ['another name', 'board a rows=10k reset=weekly; '
               . 'board c rows=1k;'],
              ['boards the other way round', 'board b rows=1k; '
               . 'board a rows=10k reset=weekly;'],
              ['one less', 'board a rows=10k reset=weekly;'],
              ['one more', "$boards board c rows=1;"], ['none', ''])
{
    my ($what, $others) = @$case;

    refused($what, troves("capacity rewards=10k; space earth; $others"),
            qr/"board" $kept/);
}

# what is wrong elsewhere, before or after the zones were looked at

refused('a directive that is unknown',
        troves('capacity rewards=10k; space earth; unknown 1;'),
        qr/unknown directive "unknown" in/);
refused('a trove that is not there', "$good server { location / {"
        . ' trove_poll missing; } }', qr/unknown trove "missing" in/);
refused('a new trove beside one that is refused',
        troves('capacity rewards=20k; space earth;',
               'trove last { %%SIMD%% }'), qr/"capacity" $kept/);

# workers that could not start

refused('an arena that is not to be had',
        troves("capacity rewards=10k; space earth; $boards arena 100000g;"),
        qr/trove "hunt" needs \d{15} bytes at start,/);

# and coins without a weight, which are no matter of the zones

refused('coins without a weight',
        troves('capacity rewards=10k; space earth; '
               . 'coin gold value=1 weight=0;'),
        qr/no coin of trove "hunt" has a weight/);

# and then a good one

$t->configure(http => $good);
ok($t->hup(gone => 1), 'a reload that changes nothing passes');
is($t->get('/rewards')->{body}, $before, 'and keeps the rewards');
is($t->get_json("/board/$_")->{list}[0]{score}, 7, "and board $_")
    for 'a', 'b';
is($t->get_json('/stats')->{troves}{hunt}{ledger_version}, 1021,
   'and the version');

done_testing;
