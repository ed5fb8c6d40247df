package Trove::Players;

# Players who tap, claim and score through any of several machines while these,
# Redis and the ways between them fail.  Each asks until it is answered, knows
# what the answer must be, and has an account of what must be there in the end.
#
#   my $all = Trove::Machines->start(3, trove => $Trove::Players::BOARDS, ..);
#   my $players = Trove::Players->start($all, clients => 4, rewards => 4000);
#   ...
#   $players->finish;
#   $players->adds_up($redis, 'then');

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use Trove::Board;
use Trove::Load;
use Trove::Machines;
use Trove::Nginx;
use Trove::Play;


our $BOARDS = join "\n", 'board sums rows=1k keep=sum;',
                         'board earned rows=5k from=claims;';


sub start {
    my ($class, $all, %arg) = @_;
    my $n = $arg{rewards} // 4000;
    my $self = bless { all => $all, began => time, rewards => $n,
                       stock => { map { $_ => 1 + $_ % 3 } 1 .. $n },
                       value => { map { $_ => 1 + $_ % 7 } 1 .. $n } }, $class;

    # lines may be put off

    my @rewards = map { { id => $_, x => 0, y => 0,
                          stock => $self->{stock}{$_},
                          value => $self->{value}{$_} } } 1 .. $n;

    ok(wait_until(sub {
           $all->machine(0)->load('/rewards', '/poll?x=0&y=0', @rewards)
               ->{json}{accepted} == $n;
       }), 'rewards');

    $self->{loads} = [ map {
        my ($number, $seed) = ($_, int rand 2**31);

        Trove::Load->start(sub { $self->play($number, $seed, @_) });
    } 1 .. $arg{clients} // 4 ];

    return $self;
}


# Taps and scores of a player of one's own, claims that others want, too: what
# is raced for goes up by time, so that it does whatever others wait for

sub play {
    my ($self, $number, $seed, $ends) = @_;
    my $all = $self->{all};
    my ($taps, $seq, $sum, @claims, @wrong, %of, %put) = (0, 0, 0);

    srand $seed;

    until ($ends->()) {
        my $dice = rand;

        if ($dice < 0.35) {
            my $res = $all->ask(\%of, tap_of("t$number", seq => ++$taps));

            push @wrong, "tap $taps: $res->{body}"
                if ($res->{json}{balance} // -1) != $taps;

        } elsif ($dice < 0.65) {
            my $score = 1 + int rand 1000;
            my $res = $all->ask(\%of, score_of('sums', "s$number", $score,
                                               seq => ++$seq));

            $sum += $score;
            push @wrong, "score $seq: $res->{body}, not $sum"
                if ($res->{json}{score} // -1) != $sum;

        } elsif ($dice < 0.75) {
            $self->keep(\%of, \%put, 100_000 * $number, \@wrong);

        } else {
            my $player = 'p' . int rand 50;
            my $reward = 1 + (int(200 * (time - $self->{began})) + int rand 20)
                             % $self->{rewards};
            my $res = $all->ask(\%of, claim_of($player, $reward));

            push @claims, [ $player, $reward, $res->{status},
                            @{ $res->{json} }{qw(value balance)} ];
        }

        sleep rand 0.01;
    }

    return { taps => $taps, seq => $seq, sum => $sum, claims => \@claims,
             wrong => \@wrong, put => \%put, number => $number,
             later => $of{later} // 0,
             lost => $of{lost} // 0 };
}


# Rewards of one's own, one or many; now and then one is removed, if it is sure
# that it was put only once: another time may come after that

sub keep {
    my ($self, $of, $put, $first, $wrong) = @_;
    my @ids = map { $first + keys(%$put) + $_ } 0 .. (rand() < 0.1 ? 199 : 0);
    my %value = map { $_ => int rand 1000 } @ids;
    my $tries = ($of->{later} // 0) + ($of->{lost} // 0);
    my $res = $self->{all}->ask($of, batch_of('/rewards', map {
        { id => $_, x => 9000, y => 9000, value => $value{$_} } } @ids));

    push @$wrong, "put: $res->{status} $res->{body}"
        if $res->{status} != 200 || $res->{json}{accepted} != @ids;

    my $sure = $tries == ($of->{later} // 0) + ($of->{lost} // 0);

    $put->{$_} = $value{$_} for @ids;

    my $id = $ids[rand @ids];

    return if !$sure || rand() < 0.5;

    $res = $self->{all}->ask($of, 'DELETE', "/rewards?id=$id");
    push @$wrong, "removal: $res->{status} $res->{body}"
        if $res->{status} !~ /^(?:200|404)$/;
    $put->{$id} = 'removed';
}


# They have stopped, and no answer was wrong or contradicts another

sub finish {
    my $self = shift;
    my @did = map { $_->finish } @{ $self->{loads} };
    my @claims = map { @{ $_->{claims} } } @did;
    my (%earned, %had);

    for my $did (@did) {
        note "$did->{number}: $did->{taps} taps, $did->{seq} scores, "
             . @{ $did->{claims} } . " claims, $did->{later} put off, "
             . "$did->{lost} lost";
        cmp_ok($did->{taps} + $did->{seq}, '>', 0, 'there was load');
        is_deeply($did->{wrong}, [], 'what has a number counts once');
    }

    is_deeply([ contradictions(@$self{qw(stock value)}, @claims) ], [],
              'no answer to a claim contradicts another');

    for (@claims) {
        my ($player, $reward, $status) = @$_;

        $earned{$player} += $self->{value}{$reward}
            if $status eq '200' && !$had{"$player $reward"}++;
    }

    $self->{put} = { map { %{ $_->{put} } } @did };
    $self->{earned} = \%earned;
    $self->{sums} = { map { $_->{seq} ? ("s$_->{number}" => $_->{sum}) : () }
                      @did };
    $self->{balances} = { %earned, map { $_->{taps} ? ("t$_->{number}"
                                                       => $_->{taps}) : () }
                                   @did };

    return $self;
}


# All machines have the same, and that is what was acknowledged

sub adds_up {
    my ($self, $redis, $what) = @_;
    my $is = $self->{all}->agree($redis, $what, boards => [ qw(sums earned) ],
                                 players => [ keys %{ $self->{balances} } ]);

    is_deeply($is->{balances}, $self->{balances},
              "$what: each balance is what was acknowledged");
    is_deeply({ map { @$_[1, 2] } @{ $is->{boards}{$_} } }, $self->{$_},
              "$what: so is each score of $_") for qw(earned sums);

    my %has = $is->{rewards} =~ /"id":(\d{6,}),.*?"value":(-?\d+)/g;
    my %put = map { $_ => $self->{put}{$_} }
              grep { $self->{put}{$_} ne 'removed' } keys %{ $self->{put} };

    is_deeply(\%has, \%put, "$what: and each reward");
}


# All machines take writes again, nobody waits, and all breakers are closed

sub well {
    my ($self, $what) = @_;
    my $n = 0;

    for my $t ($self->{all}->machines) {
        ok(wait_until(sub {
               my $trove = eval { $t->get_json('/stats')->{troves}{hunt} };

               $trove && !$trove->{store_waiting} && !$trove->{breaker_state};
           }), "$what: nobody waits for machine $n, whose breaker is closed");
        ok(wait_until(sub {
               eval { $t->post('/rewards', '{"id":10000,"x":0,"y":9999}')
                        ->{status} == 200 };
           }), "$what: it takes writes");
        $n++;
    }
}


1;
