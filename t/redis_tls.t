#!/usr/bin/perl

# Redis by TLS: a certificate of an authority that the system trusts is asked
# for, is read once, and nothing spins while the handshake waits for Redis.

use strict;
use warnings;

use FindBin;
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Trove::Nginx;
use Trove::Play;
use Trove::Proxy;
use Trove::Redis;


# Only what was configured with the library can say this

my $program = $Trove::Nginx::MODULE || $Trove::Nginx::NGINX;

open my $f, '<:raw', $program or die "$program: $!\n";
my $has = do { local $/; <$f> } =~ /TLS trusts nobody/;
close $f;

plan skip_all => 'hiredis has no TLS' if !$has;

my $dir = tempdir(CLEANUP => 1);

chmod 0755, $dir;


sub openssl {
    system("openssl @_ 2>>$dir/log") == 0 or die "openssl @_: $?\n";
}


# Two authorities, and a certificate of each for the name

my $key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';

for my $ca (qw(good bad)) {
    openssl("req -x509 $key -days 2 -subj /CN=$ca -keyout $dir/$ca.ca.key"
            . " -out $dir/$ca.ca");
    openssl("req $key -subj /CN=localhost -keyout $dir/$ca.key"
            . " -out $dir/$ca.csr");

    open my $ext, '>', "$dir/ext" or die "ext: $!\n";
    print $ext "subjectAltName=DNS:localhost\n";
    close $ext;

    openssl("x509 -req -days 2 -in $dir/$ca.csr -CA $dir/$ca.ca"
            . " -CAkey $dir/$ca.ca.key -CAcreateserial -extfile $dir/ext"
            . " -out $dir/$ca.crt");
}

my $port = Trove::Nginx::free_port();
my $redis = Trove::Redis->start(conf => [
    "tls-port $port", "tls-cert-file $dir/good.crt",
    "tls-key-file $dir/good.key", 'tls-auth-clients no'
]);
my $proxy = Trove::Proxy->start($port);
my $url = 'rediss://localhost:' . $proxy->port;

sub conf {
    my $url = shift;

    return (level => 'info', server => play_endpoints('hunt'),
            http => <<"HTTP");
    trove hunt {
        capacity rewards=100 players=100;
        store    $url timeout=3s;
        coin     one value=1 weight=1;
        %%SIMD%%
    }
HTTP
}


# What cannot be read is told when the configuration is

$ENV{SSL_CERT_FILE} = "$dir/none";
$ENV{SSL_CERT_DIR} = "$dir/nor/that";

my ($ok, $said) = Trove::Nginx->check(conf($url));

ok(!$ok, 'nobody to trust');
like($said, qr/\[emerg\].*neither \S+none nor \S+that/, 'is an error');

$ENV{SSL_CERT_FILE} = "$dir/good.ca";
$ENV{SSL_CERT_DIR} = "$dir/none";

my $t = Trove::Nginx->start(workers => 1, conf($url));
my ($worker) = $t->workers;
my $taps = 0;

sub tap {
    my $status = $t->request(tap_of('anna'))->{status};

    $taps++ if $status == 200;

    return $status;
}

sub figure { return $t->get_json('/stats')->{troves}{hunt}{$_[0]} }

ok(wait_until(sub { tap() == 200 }), 'it is there') or diag $t->log;
is((grep { $_ eq '200' } map { tap() } 1 .. 100), 100, 'and takes writes');

my $res = $t->request('POST', '/rewards',
                      { 'Content-Type' => 'application/x-ndjson' },
                      ndjson(map { { id => $_, x => $_, y => 0 } } 1 .. 100));

like($res->{body}, qr/"accepted":100,/, 'long ones, too');


# The authority's certificate was read when nginx started

rename "$dir/good.ca", "$dir/away";
$proxy->cut;
ok(wait_until(sub { tap() == 200 }), 'other connections');


# Redis says nothing in the handshake

sub ticks {
    open my $f, '<', "/proc/$worker/stat" or die "$worker: $!\n";

    my @field = split ' ', <$f> =~ s/^.*\) //r;

    return ($field[11] + $field[12]) / 100;
}

$proxy->set(replies => 1);
$proxy->cut;
sleep 0.5;

my $before = ticks();

sleep 2;
cmp_ok(ticks() - $before, '<', 0.15, 'is waited for');
$proxy->set(replies => 0);
ok(wait_until(sub { tap() == 200 }), 'and then goes on');


# A certificate of somebody else

$redis->command(qw(CONFIG SET), 'tls-cert-file' => "$dir/bad.crt",
                'tls-key-file' => "$dir/bad.key");
$proxy->cut;
ok(wait_until(sub { tap() == 503 && figure('breaker_state') }), 'is refused');
ok($t->wait_log(qr/breaker of trove "hunt" is open, .*certificate/),
   'and told');

$redis->command(qw(CONFIG SET), 'tls-cert-file' => "$dir/good.crt",
                'tls-key-file' => "$dir/good.key");
ok(wait_until(sub { tap() == 200 }), 'it recovers');
cmp_ok($t->get_json('/tap?player=anna')->{balance}, '>=', $taps,
       'and has what it was told');
is_deeply([ $t->workers ], [ $worker ], 'in the same worker');

done_testing();
