#!/usr/bin/perl

# Reloads under polls and writes: no request fails, and what was written is
# there afterwards, all of it.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Load;
use Trove::Nginx;


my $RELOADS = 8;

my $t = Trove::Nginx->start(workers => 2, http => <<'HTTP', server => <<'END');
    trove hunt { capacity rewards=50k; radius 100 max=1000000; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
    location = /stats   { trove_stats; }
END


# writes ids of its own, each a connection of its own: one, a batch, removes;
# returns what must be there

sub writes {
    my ($first, $ends) = @_;
    my (%is, @failed);
    my ($n, $version) = (0, 0);

    until ($ends->()) {
        my @ids = map { $first + int rand 2000 } 1 .. 1 + rand 50;
        my %of = map { $_ => ++$n } @ids;
        my ($res, $body);

        if (rand() < 0.3) {
            $res = $t->request('DELETE', "/rewards?id=$ids[0]");

            push @failed, $res->{status}
                if $res->{status} != (exists $is{$ids[0]} ? 200 : 404);

            delete $is{$ids[0]};
            next;
        }

        $body = join '', map { qq({"id":$_,"x":$_,"y":1,"value":$of{$_}}\n) }
                         sort keys %of;

        $res = $t->post('/rewards', $body,
                        { 'Content-Type' => 'application/x-ndjson' });

        push @failed, "$res->{status} $res->{body}"
            if $res->{status} != 200
               || $res->{json}{accepted} != keys %of
               || $res->{json}{version} < $version + keys %of;

        $version = $res->{json}{version};
        @is{keys %of} = values %of;
    }

    return { is => \%is, failed => \@failed, n => $n };
}


# polls each a connection of its own, some of them a batch; whatever is
# written, of the thousand rewards that stay none is missed

sub polls {
    my $ends = shift;
    my (@failed, %by);
    my ($n, $least) = (0, 0);

    until ($ends->()) {
        my $res = $n % 3
            ? $t->get('/poll?x=500&y=-5000&r=4000&limit=1')
            : $t->post('/poll', qq({"x":500,"y":-5000,"r":4000,"limit":1}\n)
                                x 50,
                       { 'Content-Type' => 'application/x-ndjson' });
        my @answers = $n % 3 ? $res->{json} : @{ $res->{lines} || [] };

        $n++;
        $by{ $res->{headers}{'x-worker'} }++;

        push @failed, "$res->{status} $res->{body}"
            if $res->{status} != 200 || $res->{truncated}
               || grep { ($_->{found} // -1) != 1000 } @answers;
    }

    return { n => $n, failed => \@failed, workers => scalar keys %by };
}


is($t->load('/rewards', '/poll?x=0&y=0',
            map { { id => $_, x => $_, y => -5000 } } 1 .. 1000)
     ->{json}{accepted}, 1000, 'rewards that stay');

my @writers = map {
    my $first = $_;
    Trove::Load->start(sub { writes($first, @_) })
} 10_000, 20_000;
my $poller = Trove::Load->start(\&polls);

for my $n (1 .. $RELOADS) {
    ok($t->hup, 'a reload');

    # not before the load has met the new workers

    my $before = $t->get_json('/stats')->{troves}{hunt}{rewards_accepted};

    ok(wait_until {
           $t->get_json('/stats')->{troves}{hunt}{rewards_accepted}
               > $before + 300
       }, 'and writes go on');
}

my @wrote = map { $_->finish } @writers;
my $polled = $poller->finish;

note "$polled->{n} polls, ", join(' and ', map { $_->{n} } @wrote), ' writes';

is_deeply($_->{failed}, [], 'no write failed') for @wrote;
is_deeply($polled->{failed}, [], 'no poll failed');
cmp_ok($polled->{workers}, '>', $RELOADS, 'by many generations of workers');

my %is = map { $_ => 0 } 1 .. 1000;

%is = (%is, %{ $_->{is} }) for @wrote;

my %got = map { my $r = decode_json($_); ($r->{id}, $r->{value}) }
          split /\n/, $t->get('/rewards')->{body};

is_deeply(\%got, \%is, 'all that was written is there');

ok($t->hup(gone => 1), 'the old workers have ended');

done_testing;
