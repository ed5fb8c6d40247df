package Trove::Poll;

# What the tests of the poll endpoint share.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

use Trove::Nginx;


our @EXPORT = qw(endpoints batch lines_of is_problem figure answered);


# Locations /poll, /rewards and /stats of a trove, behind a prefix if one is
# given

sub endpoints {
    my ($trove, $prefix) = @_;

    $prefix //= '';

    return <<"END";
        location = $prefix/poll { trove_poll $trove; }
        location = $prefix/rewards { trove_rewards $trove; }
        location = $prefix/stats { trove_stats; }
END
}


# The arguments of a client's request() for a batch of these bytes

sub batch {
    my ($body, $path, $headers) = @_;

    return ('POST', $path // '/poll',
            { 'Content-Type' => 'application/x-ndjson', %{ $headers || {} } },
            $body);
}


# The lines of an answer as they stand, without the versions, which depend on
# when a poll was carried out

sub lines_of {
    my $res = shift;

    return [ map { s/^\{"version":\d+,/{/r } split /\n/, $res->{body} // '' ];
}


# One test: whether the answer is the contract's kind of error

sub is_problem($$$$) {
    my ($res, $status, $detail, $name) = @_;
    my @bad;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    if (!$res) {
        fail($name);
        diag('there is no answer');
        return;
    }

    my $h = $res->{headers};
    my $problem = ref $res->{json} eq 'HASH' ? $res->{json} : {};

    push @bad, "status $res->{status}" if $res->{status} != $status;
    push @bad, 'type ' . ($h->{'content-type'} // 'none')
        if ($h->{'content-type'} // '') ne 'application/problem+json';
    push @bad, 'no Cache-Control: no-store'
        if ($h->{'cache-control'} // '') ne 'no-store';
    push @bad, 'wrong members'
        if join(' ', sort keys %$problem) ne 'detail status title';
    push @bad, 'another status inside'
        if ($problem->{status} // 0) != $status;
    push @bad, 'no title' if ($problem->{title} // '') !~ /^[A-Z]/;
    push @bad, "detail is not as $detail"
        if ($problem->{detail} // '') !~ $detail;

    ok(!@bad, $name) or diag join(', ', @bad), "\n", $res->{body} // '';
}


# A figure of the trove from /stats, "a.b" is b in a

sub figure {
    my ($t, $trove, $path, $name) = @_;
    my $at = $t->get_json($path)->{troves}{$trove};

    $at = $at->{$_} for split /\./, $name;

    return $at // 0;
}


# Whether the connection is still good for a poll that is right

sub answered {
    my ($c, $path) = @_;
    my $res = eval { $c->get($path // '/poll?x=0&y=0') };

    return $res && $res->{status} == 200;
}


1;
