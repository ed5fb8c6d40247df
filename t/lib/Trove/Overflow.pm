package Trove::Overflow;

# A trove that overflows into a Redis of a test's own, and clients who want more
# room than there is and know what must come of each write, whether it was
# carried out at once or had to wait.
#
#   my $t = Trove::Nginx->start(overflow_conf(url => $redis->url, ...));
#
#   url       of Redis, with the directive's parameters
#   rewards   the capacity, default 10; players, 10; rows of each board, 4
#   store     default off
#   trove     more directives of the trove, which is "hunt"
#
# A seed is told by what uses this; TROVE_SEED repeats it.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;
use Test::More ();
use Time::HiRes qw(sleep time);

use Trove::Board;
use Trove::Load;
use Trove::Nginx;
use Trove::Play;


our @EXPORT = qw(overflow_conf figure waiting ask fill empty_queues);

our $SECONDS = 30;

our $SEED = $ENV{TROVE_SEED} // int(rand(2**31));

my $JSON = JSON::PP->new->canonical->utf8;

srand $SEED;
Test::More::note("TROVE_SEED=$SEED");

END { Test::More::diag("TROVE_SEED=$SEED repeats this") if $? }


sub overflow_conf {
    my %arg = (rewards => 10, players => 10, rows => 4, store => 'off', @_);
    my $trove = $arg{trove} // '';

    return (workers => $arg{workers} // 2, daemon => $arg{daemon} // 0,
            level => 'info', env => $arg{env} // {}, http => <<"HTTP",
    trove hunt {
        capacity rewards=$arg{rewards} players=$arg{players} claims=1k;
        coin     one value=1 weight=1;
        board    sums rows=$arg{rows} keep=sum;
        store    $arg{store};
        overflow $arg{url};
        $trove
        %%SIMD%%
    }
    keepalive_requests 1000000;
HTTP
            server => play_endpoints('hunt')
                      . "location /board/ { trove_board hunt; }\n");
}


sub figure {
    my ($t, $name) = @_;

    return $t->get_json('/stats')->{troves}{hunt}{$name};
}


# How many wait, by queue, of those that have any

sub waiting {
    my $t = shift;
    my $of = figure($t, 'overflow');

    return { map { $of->{$_}{pending} ? ($_ => $of->{$_}{pending}) : () }
             keys %$of };
}


# Until nothing waits any more

sub empty_queues {
    my ($t, $what) = @_;
    my $left;

    return Test::More::ok(wait_until(sub {

               # until it is looked after it is not known what waits

               my $known = figure($t, 'overflow_up');

               $left = waiting($t);
               $known && !%$left;
           }, $SECONDS), "$what: nothing waits any more")
           || Test::More::diag(Test::More::explain($left), $t->log);
}


# Asks until it is answered, and not with "come back later": "of" has what is
# kept from one call to the next.  The answer.

sub ask {
    my ($t, $of, @request) = @_;
    my $end = time + $SECONDS;

    while (time < $end) {
        my $res = eval {
            $of->{c} //= $t->client;
            $of->{c}->request(@request);
        };

        die $@ if $@ =~ /no answer within/;

        if (!$res || $res->{truncated}) {
            delete $of->{c};
            $of->{lost}++;
            sleep 0.01;
            next;
        }

        delete $of->{c} if ($res->{headers}{connection} || '') eq 'close';

        return $res if $res->{status} != 503;

        die "503 without Retry-After\n"
            if ($res->{headers}{'retry-after'} // '') !~ /^\d+$/;

        $of->{later}++;
        sleep 0.02;
    }

    die "nobody answers $request[0] $request[1]\n";
}


# Rewards 1 .. n, players f1 .. fn, rows of these: all that there is room for

sub fill {
    my ($t, %n) = @_;
    my $c = $t->client;

    for my $i (1 .. $n{rewards} // 0) {
        $c->request('POST', '/rewards', {},
                    qq({"id":$i,"x":0,"y":0,"value":5,"stock":1000}))->{status} == 200
            or die "there is no room for reward $i\n" . $t->log;
    }

    for my $i (1 .. $n{players} // 0) {
        $c->request(tap_of("f$i"))->{status} == 200
            or die "there is no room for player $i\n" . $t->log;
    }

    for my $i (1 .. $n{rows} // 0) {
        $c->request(score_of('sums', "f$i", $i))->{status} == 200
            or die "there is no room for row $i\n" . $t->log;
    }
}


# Clients who want more room than there is, each for targets of its own:
#
#   my $load = Trove::Overflow->start($t, clients => 4);
#   ...
#   $load->finish;                     # each answer was one that may be
#   $load->goes_on;                    # the same ones begin again
#   empty_queues($t, 'then');          # once there is room for all
#   $load->adds_up('then');            # and each write came to what it had to

sub start {
    my ($class, $t, %arg) = @_;
    my $self = bless { t => $t, of => { map { $_ => {} }
                                        1 .. $arg{clients} // 4 } }, $class;

    $self->goes_on;

    return $self;
}


sub goes_on {
    my $self = shift;

    $self->{loads} = [ map {
        my ($number, $seed) = ($_, int rand 2**31);

        Trove::Load->start(sub {
            play($self->{t}, $number, $seed, $self->{of}{$number}, @_);
        });
    } keys %{ $self->{of} } ];
}


# Scores and taps with a seq: one that came behind a later one, or twice, would
# not be in the sum

sub play {
    my ($t, $number, $seed, $did, $ends) = @_;
    my $first = $number * 1_000_000;
    my ($queued, $writes, %of, @wrong) = (0, 0);
    my ($seq, $sum, $taps, $put) = map { $did->{$_} || {} }
                                   qw(seq sum taps put);

    srand $seed;

    until ($ends->()) {
        my $i = int rand 12;
        my $dice = rand;
        my ($res, $what);

        if ($dice < 0.5) {
            my $player = "p$number-$i";
            my $score = 1 + int rand 1000;

            $what = "score of $player";
            $res = ask($t, \%of, score_of('sums', $player, $score,
                                          seq => ++$seq->{$player}));
            $sum->{$player} += $score;

        } elsif ($dice < 0.75) {
            my $player = "t$number-$i";

            $what = "tap of $player";
            $res = ask($t, \%of, tap_of($player, seq => ++$taps->{$player}));

        } else {
            my $id = $first + keys %$put;

            $what = "reward $id";
            $put->{$id} = int rand 1000;
            $res = ask($t, \%of, 'POST', '/rewards', {},
                       qq({"id":$id,"x":1,"y":1,"value":$put->{$id}}));
        }

        $writes++;
        $queued++ if $res->{status} == 202;
        push @wrong, "$what: $res->{status} $res->{body}"
            if $res->{status} != 200 && $res->{body} ne '{"queued":true}';

        sleep rand 0.01;
    }

    return { number => $number, writes => $writes, queued => $queued,
             later => $of{later} // 0, lost => $of{lost} // 0,
             seq => $seq, sum => $sum, taps => $taps, put => $put,
             wrong => \@wrong };
}


sub finish {
    my $self = shift;
    my @did = map { $_->finish } @{ $self->{loads} };

    for my $did (@did) {
        Test::More::note("$did->{number}: $did->{writes} writes, "
                         . "$did->{queued} queued, $did->{later} put off, "
                         . "$did->{lost} lost");
        $self->{queued} += $did->{queued};
        Test::More::is_deeply($did->{wrong}, [], 'each was taken');
    }

    $self->{of} = { map { $_->{number} => $_ } @did };

    for my $what (qw(sum taps put)) {
        $self->{$what} = { map { %{ $_->{$what} } } @did };
    }

    return $self;
}


# Of what clients have written all is there, and no more

sub adds_up {
    my ($self, $what) = @_;
    my $c = $self->{t}->client;
    my %taps = map { $_ => $c->get("/tap?player=$_")->{json}{balance} }
               keys %{ $self->{taps} };
    my %sum = map { @$_[1, 2] } grep { $_->[1] =~ /^p/ }
              @{ walk($c, 'sums', 100) };
    my %put = map { $_->{id} => $_->{value} } grep { $_->{id} >= 1_000_000 }
              @{ $c->get('/rewards')->{lines} };

    Test::More::cmp_ok($self->{queued}, '>', 0, 'some had to wait');
    Test::More::is_deeply(\%taps, $self->{taps}, "$what: each tap counts once");
    Test::More::is_deeply(\%sum, $self->{sum}, "$what: so does each score");
    Test::More::is_deeply(\%put, $self->{put}, "$what: and rewards are there");
}


1;
