#!/usr/bin/perl

# GET of all rewards gives a line each, to the last bit; posted back they are
# the same again.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


# any finite double, as often small as large, sometimes a special one

sub double {
    my @special = (0, 1, -1, 0.1, 1e-7, 1e21, 1e22, 1e23, 123456789.125,
                   4503599627370497.5, 9007199254740993, 5e-324, -5e-324,
                   2.2250738585072011e-308, 2.2250738585072014e-308,
                   1.7976931348623157e308, 0.30000000000000004);
    my $d;

    return $special[rand @special] if rand() < 0.2;
    return (rand(360) - 180) if rand() < 0.3;

    do {
        $d = unpack 'd', pack 'L2', int rand 2**32, int rand 2**32;
    } while ($d != $d || $d == 9**9**9 || $d == -9**9**9);

    return $d;
}


sub text {
    my $r = shift;

    return '{' . join(',', map { qq("$_":$r->{$_}) } sort keys %$r) . "}\n";
}


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove one { capacity rewards=20k; %%SIMD%% }
    trove two { capacity rewards=20k; %%SIMD%% }
HTTP
    location = /one { trove_rewards one; }
    location = /two { trove_rewards two; }
SERVER


sub export {
    my $path = shift;
    my $res = $t->get($path);

    $res->{status} == 200 && !$res->{truncated} or die "no export\n";

    return $res->{body};
}


my $res = $t->get('/one');

is($res->{status}, 200, 'an empty trove can be exported');
is($res->{body}, '', 'as nothing');
is($res->{headers}{'content-type'}, 'application/x-ndjson', 'of NDJSON');
is($res->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');

# what comes out is what went in

my (%bits, $body);

for my $id (1 .. 3000) {
    my ($x, $y, $level) = (double(), double(), double());

    $bits{$id} = join ' ', map { unpack 'H*', pack 'd>', $_ } $x, $y, $level;

    $body .= text({ id => $id, value => int(rand 2**32) - 2**31,
                    stock => int rand 2**32,
                    rand() < 0.5 ? (starts => 1 + int rand 2**31) : (),
                    rand() < 0.5 ? (expires => 2**31 + 1 + int rand 2**31)
                                 : (),
                    x => sprintf('%.17g', $x), y => sprintf('%.17g', $y),
                    level => sprintf('%.17g', $level) });
}

is($t->post('/one', [ $body =~ /(.{1,50000})/gs ])->{json}{accepted}, 3000,
   'three thousand rewards');

my $one = export('/one');
my ($same, $lost, %seen) = (0, 0);
my %sent = map { /"id":(\d+)/; ($1, decode_json($_)) } split /\n/, $body;

for my $line (split /\n/, $one) {
    my ($id) = $line =~ /"id":(\d+)/;
    my %got = %{ decode_json($line) };

    # numbers as Perl reads them, from text

    my ($x, $y, $level) = map { $line =~ /"$_":([^,}]+)/; 0 + $1 }
                          qw(x y level);

    $same++ if $bits{$id} eq join ' ', map { unpack 'H*', pack 'd>', $_ }
                                       $x, $y, $level;

    delete @$_{qw(x y level)} for \%got, $sent{$id};

    $lost++ if join(' ', map { "$_$got{$_}" } sort keys %got)
               ne join(' ', map { "$_$sent{$id}{$_}" }
                            sort keys %{ $sent{$id} });
    $seen{$id}++;
}

is(scalar keys %seen, 3000, 'each is exported');
is(scalar(grep { $_ != 1 } values %seen), 0, 'once');
is($same, 3000, 'with the coordinates that it had, to the bit');
is($lost, 0, 'and all else');

# there and back again

is($t->post('/two', [ $one =~ /(.{1,50000})/gs ])->{json}{accepted}, 3000,
   'it can be posted back');
is(export('/two'), $one, 'and is the same');
is($t->post('/one', [ $one ])->{json}{version}, 6000,
   'even to where it came from');
is(export('/one'), $one, 'and is still the same');

# holes are left out

for my $id (1, 1500, 1501, 3000) {
    $t->request('DELETE', "/one?id=$id");
    $one =~ s/^\{"id":$id,.*\n//m;
}

is(export('/one'), $one, 'what was removed is no longer exported');

# the other methods and versions of HTTP

$res = $t->request('HEAD', '/one');

is($res->{status}, 200, 'HEAD is answered');
is($res->{headers}{'content-type'}, 'application/x-ndjson', 'alike');

my $c = $t->client;

$c->request('HEAD', '/one') for 1 .. 3;
is($c->get('/one')->{body}, $one, 'and leaves the connection in order');
is(join('', map { $_->{body} } $c->pipeline((['GET', '/one']) x 3)),
   $one x 3, 'as do several in a row');

$res = $t->request('GET', '/one', {}, undef, version => '1.0');

is($res->{body}, $one, 'HTTP/1.0 gets it until the end of the connection');
is($res->{headers}{'transfer-encoding'}, undef, 'without chunks');

done_testing;
