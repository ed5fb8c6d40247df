#!/usr/bin/perl

# Both configurations that are shipped pass nginx -t and serve: rewards are
# loaded, the first poll finds the nearest, the stats have counted it.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


sub conf {
    my $name = shift;

    open my $f, '<', "$FindBin::Bin/../conf/$name" or die "$name: $!\n";
    local $/;

    return scalar <$f>;
}


# nginx.conf with what a test has to have in its own place

sub whole {
    my $conf = conf('nginx.conf');
    my $load = $Trove::Nginx::MODULE eq ''
               ? '' : "load_module $Trove::Nginx::MODULE;";
    my $user = $> == 0 ? 'user root;' : '';
    my $http = join '', "access_log off;\n",
               map { "${_}_temp_path %%DIR%%/$_;\n" }
               qw(client_body proxy),
               $Trove::Nginx::MODULE eq '' ? () : qw(fastcgi uwsgi scgi);

    $conf =~ s{^load_module .*\n}{} or die;
    $conf =~ s{listen +8080;}{listen 127.0.0.1:%%PORT%%;} or die;
    $conf =~ s{http \{}{http \{\n$http} or die;

    return "$load\n$user\ndaemon off;\npid %%DIR%%/nginx.pid;\n"
           . "error_log %%DIR%%/error.log notice;\n$conf";
}


sub included {
    my $conf = conf('trove.conf');

    $conf =~ s{listen +8080;}{listen 127.0.0.1:%%PORT%%;} or die;

    return $conf;
}


for my $case ([ 'nginx.conf', conf => whole() ],
              [ 'trove.conf', http => included() ])
{
    my ($name, @conf) = @$case;

    my ($ok, $said) = Trove::Nginx->check(@conf);

    ok($ok, "$name passes nginx -t") or diag $said;

    my $t = Trove::Nginx->start(@conf);
    my $res = $t->post('/rewards', ndjson(
        { id => 7, x => 12.4922, y => 41.8902, value => 50 },
        { id => 8, x => 12.4923, y => 41.8902, value => 10 },
        { id => 9, x => -40, y => -30 }));

    is($res->{status}, 200, "$name: rewards are loaded");
    is($res->{json}{accepted}, 3, 'all three');

    my $poll = '/poll?x=12.4922&y=41.8903';
    my $wide = $name eq 'nginx.conf' ? 2 : 3;

    ok(wait_until { ($t->get_json($poll)->{version} // -1)
                    >= $res->{json}{version} },
       'polls come to the version of the load');

    $res = $t->get($poll);

    is($res->{status}, 200, 'a poll is answered');
    is_deeply($res->{json}{rewards}, $wide == 2 ? [7, 8] : [7, 8, 9],
              'the nearest first');
    is($res->{json}{found}, $wide, 'and how many there are');

    $res = $t->get('/stats');

    is($res->{status}, 200, 'the stats are readable');
    like($res->{body}, qr/"hunt"/, 'and know the trove');

    if ($name eq 'trove.conf') {
        is($t->get('/public/rewards?id=7')->{status}, 200,
           'a limit_except lets who may read');
        is($t->post('/public/rewards', '{"id":10,"x":1,"y":2}')->{status},
           200, 'and who may write');
        is($t->post('/board/best', '{"player":"p","score":7}')->{json}{rank},
           1, 'scores are taken');
        is($t->get_json('/board/best')->{list}[0]{score}, 7, 'and shown');
    }

    $res = $t->post('/rewards', "\n" x (1 << 20) . ndjson({ id => 7, x => 0,
                                                            y => 0 }));

    is($res->{status}, 200, 'a batch may be longer than 1 MB');

    is($t->post('/stats?cycle=hunt', '')->{status}, 405,
       'and cannot be written');

    $t->stop;
}

done_testing;
