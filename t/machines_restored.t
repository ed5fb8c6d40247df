#!/usr/bin/perl

# Redis is flushed: nothing is taken over, reads go on, and writes are refused,
# until it is restored from a backup.  That is older than what machines have
# seen, and others have played on when they meet it: they come to have what is
# there, whatever numbers their entries had.  A trove that is made anew is
# another one, which those that knew the old one do not follow before they are
# started again.

use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Board;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


my $redis = Trove::Redis->start;
my $proxy = Trove::Proxy->start($redis->port);
my $far = 'redis://127.0.0.1:' . $proxy->port . ' timeout=400ms';
my @trove = (trove => 'board top rows=100;', workers => 2);
my $all = Trove::Machines->start(2, url => $far, @trove);
my (%balance, %score, %of);


# So many taps, scores and rewards of a time of their own, which is the length
# of the rewards' value; whether they will be there when machines are compared

sub plays {
    my ($when, $n, $kept) = @_;

    for my $i (1 .. $n) {
        my $player = 'p' . $i % 7;
        my $res = $all->ask(\%of, tap_of($player));

        $res->{status} == 200 or die $res->{body};
        $all->ask(\%of, score_of('top', "$when$i", $i))->{status} == 200
            or die "no score\n";
        $all->ask(\%of, 'POST', '/rewards',
                  { 'Content-Type' => 'application/json' },
                  qq({"id":$i,"x":$i,"y":0,"value":@{[ length $when ]}}))
            ->{status} == 200 or die "no reward\n";

        next if !$kept;
        $balance{$player}++;
        $score{"$when$i"} = $i;
    }
}

sub agree {
    my ($what, $value) = @_;
    my $is = $all->agree($redis, $what, players => [ keys %balance ],
                         boards => [ 'top' ]);

    is_deeply($is->{balances}, \%balance, "$what: the balances");
    is_deeply({ map { @$_[1, 2] } @{ $is->{boards}{top} } }, \%score,
              "$what: the scores");
    is(() = $is->{rewards} =~ /"value":$value\b/g, 20, "$what: the rewards");
}

sub refused {
    my ($what, @machines) = @_;

    for my $t (@machines) {
        ok(wait_until(sub {
               $t->request(tap_of('p1'))->{status} == 503
           }), "$what: writes are refused");
        is($t->get('/poll?x=1&y=0&r=1')->{json}{found} > 0, 1,
           "$what: polls go on");
        is($t->get('/board/top?top=1')->{status}, 200, "$what: so do reads");
    }
}


plays('old', 20, 1);
agree('at first', 3);

$redis->command('SAVE');
copy($redis->dir . '/dump.rdb', $redis->dir . '/kept.rdb') or die "copy: $!\n";


# Flushed

plays('lost', 15, 0);
$redis->command('FLUSHALL');
refused('flushed', $all->machines);
ok($_->wait_log(qr/does not follow its store \(gone\)/),
   'flushed: the log tells') for $all->machines;
is_deeply($redis->command('KEYS', '*'), [], 'flushed: nothing is made');


# Restored; the machines do not see it before another one has written more than
# was lost

sub restore {
    $redis->stop;
    copy($redis->dir . '/kept.rdb', $redis->dir . '/dump.rdb')
        or die "copy: $!\n";
    $redis->launch;
}

$proxy->set(refuse => 1);
$proxy->cut;
restore();

my @away = $all->machines;

$all->{machines} = [];
$all->add(url => $redis->url, @trove);
$all->wait_loaded;
%of = ();
plays('newer', 20, 1);

push @{ $all->{machines} }, @away;
%of = ();
$proxy->well;
agree('restored', 5);

for my $t ($all->machines) {
    ok(wait_until(sub { $t->request(tap_of('p1'))->{status} == 200
                        && ++$balance{p1} }), 'it takes writes');
}

agree('then', 5);


# Restored once more, with nobody away

restore();
%balance = ();
%score = map { ("old$_" => $_) } 1 .. 20;
$balance{'p' . $_ % 7}++ for 1 .. 20;
ok(wait_until(sub {
       !grep { $_->get('/board/top?player=newer1&around=0')->{status} != 404 }
             $all->machines
   }), 'restored again: what came later is gone');
agree('restored again', 3);
%of = ();
plays('newest', 20, 1);
agree('restored again, then', 6);


# Another trove

$redis->command('FLUSHALL');
refused('flushed again', $all->machines);
@away = $all->machines;
$all->{machines} = [];

my $new = $all->add(url => $redis->url, @trove);

$all->wait_loaded;
(%of, %balance, %score) = ();
plays('other', 20, 1);
refused('another', @away);
is($_->get('/board/top?player=newest1&around=0')->{status}, 200,
   'another: they have what they had') for @away;
ok($_->wait_log(qr/another/), 'another: the log tells') for @away;

for my $t (@away) {
    $t->quit;
    $t->again;
    push @{ $all->{machines} }, $t;
}

$all->wait_loaded;
agree('another', 5);

done_testing;
