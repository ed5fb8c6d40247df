#!/usr/bin/perl

# USR1 has the logs reopened while all goes on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'END');
    trove hunt { %%SIMD%% }
    log_format trove '$request_method $trove_status $trove_version';
HTTP
    access_log %%DIR%%/access.log trove;

    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
END

is($t->post('/rewards', '{"id":1,"x":1,"y":1}')->{json}{version}, 1,
   'a reward');
ok(wait_until { $t->read_file('access.log') =~ /^POST STORED 1$/m },
   'is in the log');

ok(wait_until { $t->workers == 2 }, 'both workers run');

my @workers = $t->workers;

for my $log (qw(access error)) {
    rename $t->dir . "/$log.log", $t->dir . "/$log.old" or die "rename: $!\n";
}

$t->signal('USR1');

ok(wait_until { -e $t->dir . '/access.log' && -e $t->dir . '/error.log' },
   'new logs');

ok(wait_until { $t->get('/poll?x=1&y=1');
                $t->read_file('access.log') =~ /^GET HIT 1$/m },
   'are written');
is_deeply([ $t->workers ], \@workers, 'by the same workers');
is($t->get_json('/rewards?id=1')->{x}, 1, 'who have the rewards');

ok($t->hup, 'a reload');
like($t->read_file('error.log'), qr/\[notice\].*reconfiguring/,
     'is told to the new log');
is($t->get_json('/rewards?id=1')->{x}, 1, 'and keeps the rewards');

done_testing;
