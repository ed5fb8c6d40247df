#!/usr/bin/perl

# A bulk load through one machine is seen by all: what it was answered is the
# version that all come to, whose polls and exports are then the same; so is
# what others change while it goes on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;
use Trove::Redis;


my ($MACHINES, $ROUNDS, $REWARDS) = (3, 3, 2000);

my $redis = Trove::Redis->start;
my $all = Trove::Machines->start($MACHINES, url => $redis->url);
my %is;


sub reward {
    my $id = shift;

    return $is{$id} = { id => $id, x => int rand 1000, y => int rand 1000,
                        value => int rand 100, stock => 1 + int rand 9 };
}


for my $round (1 .. $ROUNDS) {
    my $at = $all->machine($round % $MACHINES);
    my @ids = map { 1 + int rand 10_000 } 1 .. $REWARDS;
    my %last = map { $_ => reward($_) } @ids;

    # while others put and remove some of their own

    my $beside = Trove::Load->start(sub {
        my $ends = shift;
        my %of;

        for my $id (1 .. 20) {
            my $one = 19_000 + 20 * $round + $id;

            $all->ask(\%of, 'POST', '/rewards',
                      { 'Content-Type' => 'application/json' },
                      qq({"id":$one,"x":1,"y":1}))->{status} == 200
                or die "put\n";
            next if $id % 2;
            $all->ask(\%of, 'DELETE', "/rewards?id=$one")->{status} =~
                /^(?:200|404)$/ or die "removal\n";
        }

        return 1;
    });

    my $res = $at->post('/rewards', ndjson(map { $last{$_} } @ids));

    is($res->{json}{accepted}, $REWARDS, "load $round");
    $is{19_000 + 20 * $round + 2 * $_ - 1} = 1 for 1 .. 10;

    $_->wait_version('/poll?x=0&y=0', $res->{json}{version})
        for $all->machines;
    pass('all polls come to its version');
    $beside->finish;

    my $have = $all->agree($redis, "load $round");

    is(() = $have->{rewards} =~ /^\{/mg, keys %is, 'as many as there are');

    $_->wait_version('/poll?x=0&y=0', $have->{version}) for $all->machines;

    my @polls = map { "/poll?x=" . int(rand 1000) . '&y=' . int(rand 1000)
                      . '&r=' . int(rand 300) . '&limit=64&detail=1' } 1 .. 10;
    my ($first, @more) = map {
        my $c = $_->client;
        join "\n", map { $c->get($_)->{body} } @polls;
    } $all->machines;

    is($_, $first, 'and the same polls') for @more;
}


# Each is what was put last

my $export = $all->machine(0)->client(raw => 1)->get('/rewards')->{body};
my %have = map { /"id":(\d+)/ ? ($1 => $_) : () } split /\n/, $export;
my @wrong;

for my $id (grep { ref $is{$_} } sort keys %is) {
    for my $field (qw(x y value stock)) {
        push @wrong, "$id: $have{$id}, not $field $is{$id}{$field}"
            if $have{$id} !~ /"$field":(\d+)/ || $1 != $is{$id}{$field};
    }
}

is_deeply(\@wrong, [], 'each is what was put last');

done_testing;
