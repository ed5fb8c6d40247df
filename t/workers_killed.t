#!/usr/bin/perl

# Workers are killed at any moment under writes and polls: what was answered
# stays true, what was not is there whole or not at all, and no one waits.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Nginx;


my $SEED = $ENV{TROVE_SEED} // time ^ $$;
my $KILLS = 15;

srand $SEED;

END { diag "TROVE_SEED=$SEED" if !Test::More->builder->is_passing }


my $t = Trove::Nginx->start(workers => 3, http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=50k; radius 100 max=1000000; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
END


# an answer, or nothing if the connection has ended without one

sub ask {
    my ($method, $path, $body) = @_;
    my $start = time;
    my $res = eval {
        $t->request($method, $path,
                    { 'Content-Type' => 'application/x-ndjson' }, $body)
    };

    die $@ if $@ =~ /no answer within/;
    die "$method $path took " . (time - $start) . " s\n" if time - $start > 10;

    return $res && $res->{status} && !$res->{truncated} ? $res : undef;
}


# Writes ids of its own.  Of each, what it may be by now: the value answered
# last, undef if it was removed, and then those that were not answered.

sub writes {
    my ($first, $seed, $ends) = @_;
    my (%may, @wrong);
    my %did = (answered => 0, lost => 0);
    my $n = 0;

    srand $seed;

    until ($ends->()) {
        my @ids = map { $first + int rand 2000 } 1 .. (1, 1, 50, 1000)[rand 4];
        my %of = map { $_ => ++$n } @ids;
        my $remove = @ids == 1 && rand() < 0.5;

        push @{ $may{$_} //= [undef] }, $remove ? undef : $of{$_} for keys %of;

        my $res = $remove
            ? ask('DELETE', "/rewards?id=$ids[0]")
            : ask('POST', '/rewards', join '',
                  map { qq({"id":$_,"x":$_,"y":7,"value":$of{$_}}\n) }
                  sort keys %of);

        if (!$res) {
            $did{lost}++;
            next;
        }

        # a removal that finds nothing: as if it had been answered

        push @wrong, "$res->{status} $res->{body}"
            if $remove ? $res->{status} != 200 && $res->{status} != 404
                       : $res->{status} != 200
                         || $res->{json}{accepted} != keys %of;

        $may{$_} = [$may{$_}[-1]] for keys %of;
        $did{answered}++;
    }

    return { %did, may => \%may, wrong => \@wrong };
}


sub polls {
    my $ends = shift;
    my %did = (answered => 0, lost => 0);
    my @wrong;

    until ($ends->()) {
        my $res = ask('GET', '/poll?x=500&y=-9000&r=5000&limit=1');

        if (!$res) {
            $did{lost}++;
            next;
        }

        push @wrong, "$res->{status} $res->{body}"
            if $res->{status} != 200 || $res->{json}{found} != 1000;
        $did{answered}++;
    }

    return { %did, wrong => \@wrong };
}


# Kills the worker that is just carrying out a batch

my (%aimed, $n);

sub aim {
    my $c = $t->client;
    my $worker = $c->get('/.ready')->{headers}{'x-worker'};
    my %of = map { 30_000 + int rand 9000 => ++$n } 1 .. 4000;

    $c->send_request('POST', '/rewards',
                     { 'Content-Type' => 'application/x-ndjson' }, join '',
                     map { qq({"id":$_,"x":$_,"y":7,"value":$of{$_}}\n) }
                     keys %of);

    push @{ $aimed{$_} //= [undef] }, $of{$_} for keys %of;

    select undef, undef, undef, rand 0.0004;
    $t->kill_worker($worker);

    if (eval { $c->response }) {
        $aimed{$_} = [$aimed{$_}[-1]] for keys %of;
        return 0;
    }

    return 1;
}


is($t->load('/rewards', '/poll?x=0&y=0',
            map { { id => $_, x => $_, y => -9000 } } 1 .. 1000)
     ->{json}{accepted}, 1000, 'rewards that stay');

my @loads = map { my ($first, $seed) = ($_, int rand 2**31);
                  Trove::Load->start(sub { writes($first, $seed, @_) }) }
            10_000, 20_000;

push @loads, Trove::Load->start(\&polls);

my $hit = 0;

for (1 .. $KILLS) {
    my @workers = $t->workers;

    select undef, undef, undef, rand 0.05;
    $t->kill_worker($workers[rand @workers]);

    $hit += aim();
}

my @did = map { $_->finish } @loads;

note "$hit of $KILLS batches were hit";
note "$_->{answered} answered, $_->{lost} lost" for @did;

is_deeply($_->{wrong}, [], 'every answer is as it should be') for @did;
cmp_ok($_->{answered}, '>', 50, 'and there were many') for @did;

# the ledger has what was said

my %is = map { my $r = decode_json($_); ($r->{id}, $r) }
         split /\n/, $t->get('/rewards')->{body};
my (@lost, @torn);

for my $may ((map { $_->{may} } @did[0, 1]), \%aimed) {
    for my $id (keys %$may) {
        my $r = delete $is{$id};
        my $value = $r ? $r->{value} : undef;

        push @lost, "$id is " . ($value // 'gone') . ' and may be '
                    . join ' ', map { $_ // 'gone' } @{ $may->{$id} }
            if !grep { ($_ // '') eq ($value // '') } @{ $may->{$id} };
        push @torn, encode_json($r)
            if $r && ($r->{x} != $id || $r->{y} != 7 || $r->{stock} != 1);
    }
}

is_deeply(\@lost, [], 'what was answered is there');
is_deeply(\@torn, [], 'and nothing is half there');
is_deeply([ sort { $a <=> $b } keys %is ], [1 .. 1000],
          'the others are as they were');

# and all goes on

my $res = $t->post('/rewards', '{"id":5,"x":5,"y":-9000}');

is($res->{status}, 200, 'writes go on');
ok(wait_until {
       my $s = $t->get_json('/stats')->{troves}{hunt};

       $s->{workers_alive} == 3 && $s->{view_version} == $res->{json}{version}
   }, 'all views come to it');

my $found = () = $t->get('/rewards')->{body} =~ /\n/g;
my %found;

wait_until {
    my $answer = $t->get('/poll?x=0&y=0&r=1000000&level=99&limit=1');

    $found{ $answer->{headers}{'x-worker'} } = $answer->{json}{found};
    keys %found == 3
};

is_deeply([ values %found ], [ ($found) x 3 ], 'and show all that is there');

done_testing;
