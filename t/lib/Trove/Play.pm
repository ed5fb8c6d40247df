package Trove::Play;

# What the tests of claims and taps share: requests, and a model that replays
# all answers, in whatever order they were given.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;
use Time::HiRes qw(time);

use Trove::Client;
use Trove::Nginx;


our @EXPORT = qw(play_endpoints claim_of tap_of batch_of persist claims
                 contradictions chi_square);

# A line's way to say 503: the player's record was with a process that the
# kernel has stopped in the middle

our $BUSY = qr/^the ledger is held by another process$/;

my $JSON = JSON::PP->new->canonical->utf8;


# Locations of all endpoints of a trove

sub play_endpoints {
    my $trove = shift;

    return <<"END";
        location = /poll    { trove_poll    $trove; }
        location = /claim   { trove_claim   $trove; }
        location = /tap     { trove_tap     $trove; }
        location = /rewards { trove_rewards $trove; }
        location = /stats   { trove_stats; }
END
}


# The arguments of a client's request()

sub claim_of {
    my ($player, $reward, %more) = @_;

    return ('POST', '/claim', { 'Content-Type' => 'application/json' },
            $JSON->encode({ player => $player, reward => $reward, %more }));
}


sub tap_of {
    my ($player, %more) = @_;

    return ('POST', '/tap', { 'Content-Type' => 'application/json' },
            $JSON->encode({ player => $player, %more }));
}


sub batch_of {
    my ($path, @lines) = @_;

    return ('POST', $path, { 'Content-Type' => 'application/x-ndjson' },
            join '', map { ref $_ ? $JSON->encode($_) . "\n" : $_ } @lines);
}


# Sends a request on new connections until it is answered, and not with "come
# back later": workers may end or be killed meanwhile.  $$c is the connection to
# begin with, and to go on with.  Returns the answer, how many were lost, how
# long the slowest took that was not, and how many said to come back.

sub persist {
    my ($t, $c, @request) = @_;
    my ($lost, $slowest, $later) = (0, 0, 0);

    for (1 .. 200) {
        my $start = time;
        my $res = eval {
            $$c //= $t->client;
            $$c->request(@request);
        };

        die $@ if $@ =~ /no answer within/;

        if (!$res || $res->{truncated}) {
            $$c = undef;
            $lost++;
            next;
        }

        $slowest = time - $start if time - $start > $slowest;
        $$c = undef if ($res->{headers}{connection} || '') eq 'close';

        return ($res, $lost, $slowest, $later) if $res->{status} != 503;

        die "503 without Retry-After\n"
            if ($res->{headers}{'retry-after'} // '') !~ /^\d+$/;
        $later++;
    }

    die "nobody answers\n";
}


# Claims [player, reward] one by one or as a batch, until each is answered.
# Returns [player, reward, status, value, balance] of each, and as above.

sub claims {
    my ($t, $c, @claims) = @_;
    my (@answers, @again);

    if (@claims == 1) {
        my ($res, $lost, $slowest) = persist($t, $c, claim_of(@{ $claims[0] }));

        return ([ [ @{ $claims[0] }, $res->{status},
                    @{ $res->{json} }{qw(value balance)} ] ], $lost, $slowest);
    }

    my ($res, $lost, $slowest) = persist($t, $c, batch_of('/claim',
        map { { player => $_->[0], reward => $_->[1] } } @claims));

    for my $i (0 .. $#claims) {
        my $line = $res->{lines}[$i];
        my $error = $line->{error} // '';

        if ($error =~ $BUSY) {
            push @again, $claims[$i];
            next;
        }

        push @answers, [ @{ $claims[$i] },
                         $error =~ /stock is gone/ ? 409 : $error || 200,
                         @$line{qw(value balance)} ];
    }

    for my $claim (@again) {
        my ($more, $n, $took) = claims($t, $c, $claim);

        push @answers, @$more;
        $lost += $n;
        $slowest = $took if $took > $slowest;
    }

    return (\@answers, $lost, $slowest);
}


# What is wrong with [player, reward, status, value, balance] of all answers to
# claims, each of which was asked until it was answered, when no balance
# changes otherwise: nothing, in any order of the claims, may contradict them.
#
# stock and value are by reward.

sub contradictions {
    my ($stock, $value, @answers) = @_;
    my (%had, %got, %gone, @wrong);

    for (@answers) {
        my ($player, $reward, $status, $of, $balance) = @$_;

        if ($status eq '409') {
            $gone{$reward}++;
            push @{ $got{$reward}{refused} }, $player;
            next;
        }

        if ($status ne '200') {
            push @wrong, "$player was answered $status of $reward";
            next;
        }

        if ($of != $value->{$reward}) {
            push @wrong, "$player got $of for $reward";
        }

        my $before = $had{$player}{$reward} //= $balance;

        if ($before != $balance) {
            push @wrong, "$player got $reward with $before and $balance";
        }

        $got{$reward}{by}{$player} = 1;
    }

    for my $reward (sort { $a <=> $b } keys %got) {
        my @by = sort keys %{ $got{$reward}{by} || {} };

        push @wrong, @by . " had $reward, of which there were "
                     . $stock->{$reward}
            if @by > $stock->{$reward};
        push @wrong, "$reward was gone when " . @by . ' had it, of '
                     . $stock->{$reward}
            if $gone{$reward} && @by != $stock->{$reward};

        for my $player (@{ $got{$reward}{refused} || [] }) {
            push @wrong, "$player had $reward and was refused"
                if $got{$reward}{by}{$player};
        }
    }

    # each balance is the one before and the value

    for my $player (sort keys %had) {
        my $of = $had{$player};
        my $sum = 0;

        for my $reward (sort { $of->{$a} <=> $of->{$b} } keys %$of) {
            $sum += $value->{$reward};

            if ($of->{$reward} != $sum) {
                push @wrong, "$player had $of->{$reward} after $reward, not "
                             . $sum;
                last;
            }
        }
    }

    return @wrong;
}


sub chi_square {
    my ($got, $weight) = @_;
    my ($n, $total, $chi) = (0, 0, 0);

    $n += $_ for values %$got;
    $total += $_ for values %$weight;

    for (keys %$weight) {
        my $want = $n * $weight->{$_} / $total;

        $chi += (($got->{$_} // 0) - $want) ** 2 / $want;
    }

    return $chi;
}


1;
