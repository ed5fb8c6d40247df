package Trove::Machines;

# Several nginx over one Redis, as many machines would be, and what a test asks
# of any or of all of them.
#
#   my $all = Trove::Machines->start(3, url => $redis->url, ...);
#
#   url      of Redis, with the directive's parameters; an array: of each
#   trove    more directives of the trove, which is "hunt"
#   http     more of the http block
#   server   more locations
#   workers  of each machine, default 2
#   wait     0: not until each has a copy
#
# A seed is told by what uses this; TROVE_SEED repeats it.

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();
use Time::HiRes qw(sleep time);

use Trove::Board;
use Trove::Client;
use Trove::Nginx;
use Trove::Play;


our @EXPORT = qw(machine_conf);

our $SECONDS = 30;

our $SEED = $ENV{TROVE_SEED} // int(rand(2**31));

srand $SEED;
Test::More::note("TROVE_SEED=$SEED");

END { Test::More::diag("TROVE_SEED=$SEED repeats this") if $? }


sub start {
    my ($class, $n, %arg) = @_;
    my $urls = ref $arg{url} ? $arg{url} : [ ($arg{url}) x $n ];
    my $self = bless { machines => [] }, $class;

    for my $url (@$urls) {
        push @{ $self->{machines} },
             Trove::Nginx->start(machine_conf(%arg, url => $url));
    }

    if ($arg{wait} // 1) {
        $self->wait_loaded;
    }

    return $self;
}


sub machine_conf {
    my %arg = @_;
    my $trove = $arg{trove} // '';
    my $http = $arg{http} // '';

    return (workers => $arg{workers} // 2, daemon => $arg{daemon} // 0,
            http => <<"HTTP",
    trove hunt {
        capacity rewards=20k players=20k claims=50k;
        coin     one value=1 weight=1;
        radius   100 max=10000;
        store    $arg{url};
        $trove
        %%SIMD%%
    }
    keepalive_requests 1000000;
    $http
HTTP
            server => play_endpoints('hunt')
                      . "location /board/ { trove_board hunt; }\n"
                      . ($arg{server} // ''));
}


sub add {
    my ($self, %arg) = @_;
    my $t = Trove::Nginx->start(machine_conf(%arg));

    push @{ $self->{machines} }, $t;

    return $t;
}


sub machines { return @{ $_[0]{machines} } }
sub machine { return $_[0]{machines}[$_[1]] }


# All have a copy, and each of their workers knows

sub wait_loaded {
    my $self = shift;

    for my $t ($self->machines) {
        $t->wait_ok('/poll?x=0&y=0', $SECONDS)
            or die "a machine has no copy\n" . $t->log;
    }
}


# Asks any of the machines until one answers, and not with "come back later";
# "of" has what is kept from one call to the next.  The answer.

sub ask {
    my ($self, $of, @request) = @_;
    my $end = time + $SECONDS;

    while (time < $end) {
        my $i = $of->{machine} // int rand @{ $self->{machines} };
        my $res = eval {
            $of->{c}{$i} //= $self->{machines}[$i]->client;
            $of->{c}{$i}->request(@request);
        };

        die $@ if $@ =~ /no answer within/;

        if (!$res || $res->{truncated}) {
            delete $of->{c}{$i};
            $of->{lost}++;
            sleep 0.01;
            next;
        }

        delete $of->{c}{$i}
            if ($res->{headers}{connection} || '') eq 'close';

        return $res if $res->{status} != 503;

        die "503 without Retry-After\n"
            if ($res->{headers}{'retry-after'} // '') !~ /^\d+$/;

        $of->{later}++;
        sleep 0.02;
    }

    die "nobody answers $request[0] $request[1]\n";
}


sub figure {
    my ($self, $i, $name) = @_;

    return $self->machine($i)->get_json('/stats')->{troves}{hunt}{$name};
}


# What a machine has

sub state_of {
    my ($self, $t, %of) = @_;
    my $c = $t->client;
    my $export = $t->client(raw => 1)->get('/rewards');

    $export->{status} == 200 && !$export->{truncated}
        or die "no export: $export->{status}\n";

    return {
        rewards => join("\n", sort split /\n/, $export->{body}),
        balances => { map { $_ => $c->get("/tap?player=$_")->{json}{balance} }
                      @{ $of{players} || [] } },
        boards => { map { $_ => walk($c, $_, 1000) } @{ $of{boards} || [] } },
        version => $t->get_json('/stats')->{troves}{hunt}{ledger_version},
    };
}


# That all machines come to have the same: once no writes are under way, and
# all are where the log of Redis ends.  What they have then.

sub agree {
    my ($self, $redis, $what, %of) = @_;
    my $key = $of{key} // 'trove:{hunt}';
    my $end = $redis->command('HGET', $key, 'log');
    my @positions;

    Test::More::ok(wait_until(sub {
        @positions = map { $self->figure($_, 'store_position') }
                     0 .. $#{ $self->{machines} };
        return !grep { $_ != $end } @positions;
    }, $SECONDS), "$what: all follow to the end")
        or Test::More::diag("at @positions of $end");

    my ($first, @more) = map { $self->state_of($_, %of) } $self->machines;

    Test::More::is_deeply($_, $first, "$what: they have the same") for @more;
    Test::More::is($first->{version}, $redis->command('HGET', $key, 'version'),
                   "$what: in the version of Redis");

    return $first;
}


1;
