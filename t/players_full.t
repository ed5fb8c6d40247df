#!/usr/bin/perl

# When there is no room for another player, or another claim, 507 says so:
# nobody is evicted, and those who are there go on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Poll qw(is_problem);


my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'SERVER'
    trove hunt {
        capacity players=50 claims=120;
        coin gold value=1 weight=1;
        %%SIMD%%
    }
HTTP
        add_header X-Status $trove_status always;
SERVER
    . play_endpoints('hunt'));


sub claim { return $t->request(claim_of(@_)) }


sub tap { return $t->request(tap_of(@_)) }


$t->load('/rewards', '/poll?x=0&y=0',
         map { { id => $_, x => 0, y => 0, stock => 1000 } } 1 .. 9) or die;

# players

is_deeply([ grep { tap("p$_")->{status} != 200 } 1 .. 50 ], [],
          'fifty players');

my $res = tap('p51');

is_problem($res, 507, qr/^the trove has no room for another player$/,
           'there is no room for one more');
is($res->{headers}{'x-status'}, 'FULL', '$trove_status');

$res = claim('p51', 1);

is_problem($res, 507, qr/^the trove has no room for another player or claim$/,
           'who claims neither');
is($res->{headers}{'x-status'}, 'FULL', '$trove_status');
is_problem(claim('p51', 99), 404, qr/no such reward/,
           'what is refused for another reason is said');
is_problem($t->get('/tap?player=p51'), 404, qr/no such player/,
           'and that one is not there');

is_deeply([ grep { tap("p$_")->{json}{balance} != 2 } 1 .. 50 ], [],
          'those who are there go on');

# claims

is_deeply([ grep { claim('p' . (1 + $_ % 50), 1 + int $_ / 50)->{status}
                   != 200 } 0 .. 119 ], [], 'a hundred and twenty claims');
is_problem(claim('p21', 3), 507, qr/no room/, 'there is no room for one more');
is(claim('p1', 1)->{json}{repeat}, JSON::PP::true, 'those of before are there');

# lines of batches

$res = $t->request(batch_of('/claim', { player => 'p21', reward => 3 },
                            { player => 'p51', reward => 1 },
                            { player => 'p1', reward => 2 }));

is_deeply([ map { $_->{error} // 'ok' } @{ $res->{lines} } ],
          [ ('the trove has no room for another player or claim') x 2, 'ok' ],
          'lines of a batch');

$res = $t->request(batch_of('/tap', { player => 'p51' }, { player => 'p1' }));

is_deeply([ map { $_->{error} // 'ok' } @{ $res->{lines} } ],
          [ 'the trove has no room for another player', 'ok' ], 'of taps, too');

# figures, and a reload

my $stats = $t->get_json('/stats')->{troves}{hunt};

is_deeply([ @$stats{qw(players players_capacity claims claims_capacity)} ],
          [50, 50, 120, 120], 'all room is used');
is_deeply([ @$stats{qw(taps_full claims_full)} ], [2, 4], 'and it is counted');

ok($t->hup(gone => 1), 'a reload');
is(tap('p51')->{status}, 507, 'changes nothing');
is(tap('p50')->{json}{balance}, 3, 'for anybody');

done_testing;
