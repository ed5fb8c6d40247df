#!/usr/bin/perl

# limit_rate slows an export down and does not stop it.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $n = 4000;

# an export that waits for send_timeout instead of limit_rate gets no further

my $t = Trove::Nginx->start(workers => 1, http => <<'END', server => <<'END2');
send_timeout 60s;

trove hunt {
    capacity rewards=10k;
    arena 1m;
    %%SIMD%%
}
END
location = /rewards { trove_rewards hunt; }
location = /slow    { trove_rewards hunt; limit_rate 512k; }
END2

my $rewards = join '', map { qq({"id":$_,"x":$_,"y":$_}\n) } 1 .. $n;

my $r = $t->request(POST => '/rewards',
    { 'Content-Type' => 'application/x-ndjson' }, $rewards);

is $r->{json}{accepted}, $n, 'rewards are loaded';

$r = $t->request(GET => '/slow', {});

is $r->{status}, 200, 'an export at a limited rate';
is scalar(() = $r->{body} =~ /\n/g), $n, 'is whole';

done_testing;
