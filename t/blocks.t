#!/usr/bin/perl

# A location's endpoint is that of its "if" and "limit_except" blocks, too,
# which may have one of their own; nested locations have none.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove one { %%SIMD%% }
    trove two { %%SIMD%% }
HTTP
    location = /poll {
        trove_poll one;
        add_header X-Trove "$trove_name $trove_status";

        if ($arg_if) {
            add_header X-If yes;
            add_header X-Trove "$trove_name $trove_status";
        }

        if ($arg_two) {
            trove_poll two;
        }
    }

    location /rewards {
        trove_rewards one;

        limit_except GET {
            allow 127.0.0.2;
            deny all;
        }

        location /rewards/nested { }
    }

    location = /write {
        trove_rewards one;
        limit_except GET { allow 127.0.0.1; deny all; }
    }

    location = /two {
        trove_rewards two;
    }

    location = /stats {
        trove_stats write=on;
        limit_except GET { allow 127.0.0.1; deny all; }
    }

    location = /deny {
        trove_stats;
        allow 127.0.0.2;
        deny all;
    }

    location = /rewritten {
        rewrite ^ /poll?x=1&y=1;
    }

    location = /error {
        error_page 404 = /poll?x=1&y=1;
        return 404;
    }

    location = /asks {
        auth_request /asked;
        trove_poll two;
    }

    location = /asked {
        internal;
        set $args x=1&y=1;
        trove_poll one;
    }
SERVER

is($t->post('/rewards', '{"id":1,"x":1,"y":1}')->{status}, 403,
   'limit_except denies a write');
is($t->request('DELETE', '/rewards?id=1')->{status}, 403, 'and a removal');
is($t->get('/rewards')->{body}, '', 'and nothing was written');
is($t->request('HEAD', '/rewards')->{status}, 200, 'who reads is let in');
is($t->get('/rewards/nested')->{status}, 404, 'a nested location is another');

is($t->post('/write', '{"id":1,"x":1,"y":1}')->{json}{version}, 1,
   'limit_except allows a write');
is($t->post('/two', '{"id":2,"x":1,"y":1}')->{json}{version}, 1,
   'another trove has one, too');

my $res = $t->get('/poll?x=1&y=1');

is_deeply($res->{json}{rewards}, [1], 'a poll');
is($res->{headers}{'x-trove'}, 'one HIT', 'of the location\'s trove');

$res = $t->get('/poll?x=1&y=1&if=1');

is_deeply($res->{json}{rewards}, [1], 'a poll in an "if"');
is($res->{headers}{'x-if'}, 'yes', 'which it is');
is($res->{headers}{'x-trove'}, 'one HIT', 'is of the same trove');

is_deeply($t->get_json('/poll?x=1&y=1&two=1')->{rewards}, [2],
          'an "if" may have another one');

is($t->get_json('/rewritten')->{found}, 1, 'a rewrite leads to it');
is($t->get_json('/error')->{found}, 1, 'and an error page');

is_deeply($t->get_json('/asks?x=1&y=1')->{rewards}, [2],
          'a subrequest to one may stand before another');

is($t->post('/stats?cycle=two', '')->{status}, 200,
   'write=on holds in limit_except');
is($t->get('/deny')->{status}, 403, 'deny hides the stats');

done_testing;
