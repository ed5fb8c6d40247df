#!/usr/bin/perl

# Random polls over random rewards, and over real places: a naive model in
# float64 says the same, and every SIMD path says it with the same bytes.

use strict;
use warnings;

use FindBin;
use List::Util qw(min shuffle);
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Model;
use Trove::Nginx;
use Trove::Poll;
use Trove::Random;


my %MAX = (plane => 1e150, earth => 3e7);
my %RADIUS = (plane => 'max=1e150', earth => 'max=3e7');

# the path that the run is about, and all that this processor has

my @paths = ('%%SIMD%%', map { "simd $_;" } grep {
    Trove::Nginx->check(http => "trove t { simd $_; }");
} qw(scalar avx2 avx512));

note("paths: @paths");

my (@http, @server);

for my $space (qw(plane earth)) {
    for my $i (0 .. $#paths) {
        push @http, "trove $space$i { space $space; radius 100 $RADIUS{$space};"
                    . " arena 2m; $paths[$i] }\n";
        push @server, endpoints("$space$i", "/$space$i");
    }
}

my $t = Trove::Nginx->start(http => "client_max_body_size 0;\n@http",
                            server => "@server");
my $now = time;

for my $space (qw(plane earth)) {
    my $model = Trove::Model->new($space, $now);

    for my $size (0, 1, 31, 33, 70, 500, 1500) {
        grow($model, $space, $size);
        ask($model, $space, "$space: $size rewards",
            queries($model, $size < 100 ? 100 : 250));
    }

    change($model, $space, 500);
    remove($model, $space, 500);
    ask($model, $space, "$space: changed and removed", queries($model, 250));

    places($model) if $space eq 'earth';

    note("$space: $model->{doubtful} of $model->{polls} polls were too close "
         . 'to call');
    cmp_ok($model->{doubtful}, '<', $model->{polls} * 0.15,
           "$space: few polls are too close to call");
}

done_testing;


sub grow {
    my ($model, $space, $size) = @_;
    my %taken = map { $_ => 1 } $model->ids;

    while (keys %taken < $size) {
        $taken{1 + int rand(rand() < 0.5 ? 2 * $size + 9 : 4294967295)} ||= 2;
    }

    write_to($model, $space, grep { $taken{$_} == 2 } sort keys %taken);
}


sub change {
    my ($model, $space, $n) = @_;
    my @ids = shuffle(sort $model->ids);

    write_to($model, $space, @ids[0 .. $n - 1]);
}


sub write_to {
    my ($model, $space, @ids) = @_;
    my @known = known($model);
    my @rewards = map { Trove::Random::reward($space, $now, $_, @known) } @ids;

    $model->put(@rewards);
    send_to($space, Trove::Random::text(@rewards)) if @rewards;
}


sub remove {
    my ($model, $space, $n) = @_;
    my @ids = (shuffle(sort $model->ids))[0 .. $n - 1];

    $model->remove(@ids);

    for my $path (map { "/$space$_" } 0 .. $#paths) {
        my @gone = $t->client->pipeline(map { [ 'DELETE',
                                                "$path/rewards?id=$_" ] }
                                            @ids);

        $t->wait_version("$path/poll?x=0&y=0", $gone[-1]{json}{version});
    }
}


sub known {
    my $model = shift;

    return @{ $model->{rewards} }{ sort $model->ids };
}


# The same bytes to each of the space's troves

sub send_to {
    my ($space, $body) = @_;

    for my $path (map { "/$space$_" } 0 .. $#paths) {
        my $res = $t->client->request(batch($body, "$path/rewards"));

        is($res->{json}{rejected}, 0, "$path: loaded") or diag $res->{body};
        $t->wait_version("$path/poll?x=0&y=0", $res->{json}{version});
    }
}


sub queries {
    my ($model, $n) = @_;
    my $space = $model->{space};
    my @known = known($model);

    return map { Trove::Random::query($space, $MAX{$space}, @known) } 1 .. $n;
}


# Asks the troves of the space, and the model; returns the bytes of the answers

sub ask {
    my ($model, $space, $name, @queries) = @_;
    my $body = Trove::Random::text(@queries);
    my @answers = answers($space, $body);
    my @lines = split /\n/, $answers[0];
    my @wrong;

    is(scalar @lines, scalar @queries, "$name: each poll is answered");

    for my $i (0 .. $#queries) {
        my $wrong = $model->wrong($queries[$i], $lines[$i] // '');

        push @wrong, Trove::Random::text($queries[$i]) . "$lines[$i]\n$wrong\n"
            if $wrong;
    }

    is(scalar @wrong, 0, "$name: as the model says")
        or diag @wrong[0 .. min(4, $#wrong)];

    for my $i (1 .. $#paths) {
        ok($answers[$i] eq $answers[0], "$name: the same with $paths[$i]")
            or diag first_difference($body, $answers[0], $answers[$i]);
    }

    return ($body, @answers);
}


sub answers {
    my ($space, $body) = @_;

    return map {
        $t->client(raw => 1)->request(batch($body, "/$space$_/poll"))->{body}
    } 0 .. $#paths;
}


sub first_difference {
    my ($body, @answers) = @_;
    my ($asked, $one, $other) = map { [ split /\n/ ] } $body, @answers;

    for my $i (0 .. $#$asked) {
        return "$asked->[$i]\n$one->[$i]\n$other->[$i]\n"
            if $one->[$i] ne ($other->[$i] // '');
    }
}


# The cities that the demo serves, on top of what the earth has; and the same
# again from views that a reload has built anew

sub places {
    my $model = shift;
    my $file = "$FindBin::Bin/../conf/cities.ndjson.gz";
    my $text = `gzip -dc $file`;
    my @places = map {
        /"id":(\d+),"x":([-\d.]+),"y":([-\d.]+),"value":(\d+),"level":0,/
            ? { id => $1, x => $2, y => $3, value => $4 } : ()
    } split /\n/, $text;

    cmp_ok(@places, '>', 10000, 'real places');

    $model->put(@places);
    send_to('earth', $text);

    my ($body, @before) = ask($model, 'earth', 'places',
                              queries($model, 60));

    $t->hup(gone => 1);

    is_deeply([ answers('earth', $body) ], \@before,
              'places: the same after a reload');
}
