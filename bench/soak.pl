#!/usr/bin/perl

# bench/soak.pl HOURS PAUSE GROWTH: what bench/soak does when all is built.
# .build/soak/soak.csv has the samples, soak.svg a picture of them.

use strict;
use warnings;

use FindBin;
use List::Util qw(max min sum0);
use POSIX qw(ceil);
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";

BEGIN { $ENV{TROVE_TEST_SECONDS} = 10000 * 3600 }

use Bench::Data;
use Bench::Figures;
use Bench::Machine;
use Bench::Picture;
use Bench::Programs;
use Bench::Servers;
use Trove::Nginx;


my ($HOURS, $PAUSE, $GROWTH) = @ARGV;

my $SECONDS = 3600 * $HOURS;
my $EVERY = $SECONDS > 1800 ? 5 : 2;
my $WARM = max(60, min(600, $SECONDS / 5));     # memory is judged from then
my $SPARED = 0.5;                       # MB of growth, however short it is
my $FITTED = 400;                       # points that a line is fitted to

my $WORKERS = 2;
my $CLAIMERS = 20_000;
my $CLAIMS = 200;                       # a second, each a new one
my $TAPPERS = 50_000;
my $OUT = "$Trove::Nginx::BUILD/soak";
my $MB = 1048576;
my $MAIN = $$;

my (@samples, $server, $reported);

$| = 1;

about();

soak();

exit(report() ? 0 : 1);


END {
    my $status = $?;

    if ($$ == $MAIN) {
        end_all();
        report() if @samples > 1 && !$reported;
        $? = $status;
    }
}


sub soak {
    my $file = polls(places());
    my %polls = (path => '/earth/poll', file => $file);

    my $rewards = ceil($CLAIMS * $SECONDS / $CLAIMERS) + 1;
    my $players = $CLAIMERS + $TAPPERS + 1000;
    my $claims = $rewards * $CLAIMERS;

    $server = nginx({ earth => "400k players=$players claims=$claims" },
                    workers => $WORKERS, listen => 'reuseport',
                    trove => 'store sqlite:%%DIR%%/earth.db;');

    fill($server, 'earth', places());
    fill($server, 'earth', claimable($rewards, $CLAIMERS));

    my @streams = map { stream(to => at($server), %$_) } (
        { %polls, name => 'polls', kind => 'get', rate => 8000,
          connections => 256 },
        { %polls, name => 'batches', kind => 'batch', rate => 20,
          lines => 1000, connections => 8 },
        { name => 'rewards', kind => 'post', rate => 20, lines => 500,
          path => '/earth/rewards', file => moving(), connections => 4 },
        { name => 'claims', kind => 'claim', rate => $CLAIMS, fresh => 1,
          players => $CLAIMERS, rewards => $rewards, letter => 'c',
          path => '/earth/claim', connections => 32 },
        { name => 'taps', kind => 'tap', rate => 1000, fresh => 1,
          players => $TAPPERS, letter => 't', path => '/earth/tap',
          connections => 32 },
        { name => 'others', kind => 'any', rate => 100, file => paths(),
          connections => 4 },
    );

    printf "soaking for %s, a sample each %d s\n", spell($SECONDS), $EVERY;

    my ($row, $lag, $before) = ({}, lag(), busy());
    my $begin = $before->{time};

    each_line(sub {
        my $line = shift;

        $row->{$line->{name} // 'all'} = $line;
        return if $line->{name};

        my $now = busy();
        my $then = $lag;

        $lag = lag();
        push @samples, sample($row, $now->{time} - $begin, $then, $lag,
                              (worked($before, $now))[0]);
        ($row, $before) = ({}, $now);

        write_csv();
        tell() if @samples % (60 / $EVERY) == 0;
    }, 'soak', $SECONDS, $EVERY, @streams);

    $server->stop;
}


# All that is known of the last seconds.  Times in ms, memory in MB.

sub sample {
    my ($of, $at, $then, $now, $others) = @_;
    my @streams = grep { $_->{name} } values %$of;
    my @workers = $server->workers;
    my %s = (
        seconds => $at,
        requests => sum0(map { $_->{requests} } @streams),
        lines => sum0(map { $_->{lines} } @streams),
        wrong => sum0(map { $_->{wrong} } @streams),
        map({ ("polls_$_" => $of->{polls}{$_} / 1e6) } qw(p50 p99 p999 max)),
        longest => max(map { $_->{max} } @streams) / 1e6,
        gap => $of->{all}{gap} / 1e6,
        lag_mean => lag_mean($then, $now),
        lag_p99 => lag_p99($then, $now),
        others => 1000 * max(0, $others),
        rss_master => rss($server->master)->{all} / $MB,
        own_master => rss($server->master)->{own} / $MB,
    );

    for my $i (0 .. $WORKERS - 1) {
        my $rss = $workers[$i] ? rss($workers[$i]) : { all => 0, own => 0 };

        $s{"rss_worker$i"} = $rss->{all} / $MB;
        $s{"own_worker$i"} = $rss->{own} / $MB;
    }

    $s{pause} = max($s{longest}, $s{gap});

    return \%s;
}


# How late the epochs were: the counts of the histogram, by its bounds

sub lag {
    my $text = $server->get('/stats?format=prometheus')->{body};
    my $name = 'trove_epoch_lag_seconds';
    my %lag;

    $lag{buckets}{$1} = $2
        while $text =~ /^${name}_bucket\{.*le="([^"]+)".*\} (\d+)/mg;
    ($lag{sum}) = $text =~ /^${name}_sum\{.*\} (\S+)/m;
    ($lag{count}) = $text =~ /^${name}_count\{.*\} (\d+)/m;

    return \%lag;
}


sub lag_mean {
    my ($then, $now) = @_;
    my $n = $now->{count} - $then->{count};

    return $n ? 1000 * ($now->{sum} - $then->{sum}) / $n : 0;
}


# The bound that 99 % keep

sub lag_p99 {
    my ($then, $now) = @_;
    my $n = $now->{count} - $then->{count};
    my $least = 0;

    for my $le (sort { $a <=> $b } grep { !/Inf/ } keys %{ $now->{buckets} }) {
        $least = 1000 * $le;
        last if $now->{buckets}{$le} - $then->{buckets}{$le} >= 0.99 * $n;
    }

    return $least;
}


sub names {
    return (qw(seconds requests lines wrong polls_p50 polls_p99 polls_p999
               polls_max longest gap lag_mean lag_p99 others rss_master
               own_master),
            map { ("rss_worker$_", "own_worker$_") } 0 .. $WORKERS - 1);
}


# One line more; the first one has the names

sub write_csv {
    my $first = @samples == 1;

    open my $f, $first ? '>' : '>>', "$OUT/soak.csv"
        or die "$OUT/soak.csv: $!\n";
    print $f join(',', names()), "\n" if $first;
    print $f join(',', map { sprintf '%.7g', $samples[-1]{$_} } names()),
             "\n";
    close $f or die "$OUT/soak.csv: $!\n";
}


sub tell {
    my @last = @samples[-min(60 / $EVERY, scalar @samples) .. -1];

    printf "  %8s  polls' p50 %.3f  p99 %.2f  p99.9 %.2f ms, longest pause"
           . " %.1f ms, resident %s MB\n", spell($last[-1]{seconds}),
           map({ my $name = "polls_$_"; median(map { $_->{$name} } @last) }
               qw(p50 p99 p999)),
           max(map { $_->{pause} } @last),
           join ' ', map { sprintf '%.2f', $last[-1]{"rss_worker$_"} }
                     0 .. $WORKERS - 1;
}


# Tells how it went, draws it, and returns whether all is well

sub report {
    my $ok = 1;
    my @text;

    $reported = 1;

    for my $judge (\&memory, \&pauses, \&answers) {
        my ($good, @lines) = $judge->();

        $ok &&= $good;
        push @text, @lines;
    }

    print "\n";
    print "$_\n" for @text;

    draw($ok, @text);
    print "\n$OUT/soak.csv\n$OUT/soak.svg\n";

    return $ok;
}


# The ledger is not judged: all of it was taken at start, and a worker has what
# it has touched

sub memory {
    my @judged = grep { $_->{seconds} >= $WARM } @samples;
    my $ok = 1;
    my @text;

    return (1, 'it was too short to judge memory') if @judged < 20;

    my $hours = ($judged[-1]{seconds} - $judged[0]{seconds}) / 3600;
    my $limit = max($GROWTH * $hours, $SPARED);

    for my $name (grep { /^own_/ } names()) {
        my $slope = slope(map { [$_->{seconds} / 3600, $_->{$name}] }
                          @judged);
        my $good = $slope * $hours <= $limit;

        $ok &&= $good;
        push @text, sprintf '%s: %.2f MB resident, %.2f of its own, after the'
                            . ' warm-up growing by %.3f MB an hour%s',
                            $name =~ s/own_//r,
                            $judged[-1]{$name =~ s/own/rss/r},
                            $judged[-1]{$name}, $slope,
                            $good ? '' : ': TOO MUCH';
    }

    return ($ok, @text);
}


# The median of the slopes of all pairs (Theil 1950, Sen 1968): what few
# samples do is of no weight

sub slope {
    my @points = @_;
    my $each = int(@points / $FITTED) + 1;
    my @some = @points[grep { $_ % $each == 0 } 0 .. $#points];
    my @slopes;

    for my $i (0 .. $#some) {
        for my $k (0 .. $i - 1) {
            push @slopes, ($some[$i][1] - $some[$k][1])
                          / ($some[$i][0] - $some[$k][0]);
        }
    }

    return median(@slopes);
}


# What other work took of the CPUs meanwhile is not the server's fault

sub pauses {
    my ($worst) = sort { own_pause($b) <=> own_pause($a) } @samples;
    my $longest = max(map { $_->{pause} } @samples);
    my $ok = own_pause($worst) <= $PAUSE;
    my @over = grep { $_->{pause} > $PAUSE } @samples;
    my @text = sprintf 'longest pause: %.1f ms; polls, medians of all'
                       . ' samples: p50 %.3f, p99 %.2f, p99.9 %.2f ms',
                       $longest,
                       map { my $name = "polls_$_";
                             median(map { $_->{$name} } @samples) }
                       qw(p50 p99 p999);

    if (!$ok) {
        push @text, sprintf '%.1f ms after %s: TOO LONG, other work took but'
                            . ' %.0f ms', $worst->{pause},
                            spell($worst->{seconds}),
                            $worst->{pause} - own_pause($worst);

    } elsif (@over) {
        push @text, sprintf 'in %d of %d samples a pause was longer than'
                            . ' %g ms, but by less than other work took of'
                            . ' the CPUs', scalar @over, scalar @samples,
                            $PAUSE;
    }

    return ($ok, @text);
}


sub own_pause {
    my $s = shift;
    my $since = $s->{seconds} - $EVERY - $s->{pause} / 1000;
    my @meanwhile = grep { $_->{seconds} > $since
                           && $_->{seconds} <= $s->{seconds} } @samples;

    return $s->{pause} - sum0(map { $_->{others} } @meanwhile);
}


sub answers {
    my $wrong = sum0(map { $_->{wrong} } @samples);
    my $asked = @samples * $EVERY < 0.95 * ($SECONDS - $EVERY);

    return (!$wrong && !$asked,
            sprintf('%d requests, %d of them answered wrongly%s',
                    sum0(map { $_->{requests} } @samples), $wrong,
                    $wrong ? ': WRONG' : ''),
            $asked ? 'it ENDED EARLY' : ());
}


sub draw {
    my ($ok, @text) = @_;
    my $line = sub {
        my ($label, $name) = @_;
        return { name => $label, points => [map { [$_->{seconds}, $_->{$name}] }
                                            @samples] };
    };
    my ($warm) = grep { $_->{seconds} >= $WARM || $_ == $samples[-1] }
                 @samples;
    my $growth = sub {
        my $of = $line->(@_);

        $_->[1] -= $warm->{$_[1]} for @{ $of->{points} };

        return $of;
    };

    picture("$OUT/soak.svg",
            ['trove, ' . spell($samples[-1]{seconds}) . ' of mixed load: '
             . ($ok ? 'all is well' : 'NOT well'), machine(), @text],
            { title => 'memory of its own, against the end of the warm-up',
              unit => 'MB',
              lines => [map({ $growth->("worker $_", "own_worker$_") }
                            0 .. $WORKERS - 1),
                        $growth->('master', 'own_master')] },
            { title => 'durations of polls', unit => 'ms', log => 1,
              least => 0.01,
              lines => [map { $line->($_->[0], "polls_$_->[1]") }
                        ['p50', 'p50'], ['p99', 'p99'], ['p99.9', 'p999']] },
            { title => 'longest pause', unit => 'ms', log => 1, least => 0.1,
              limit => $PAUSE,
              lines => [$line->('an answer took', 'longest'),
                        $line->('no answer came', 'gap')] },
            { title => 'how late epochs were', unit => 'ms', log => 1,
              least => 0.01,
              lines => [$line->('mean', 'lag_mean'),
                        $line->('p99', 'lag_p99')] },
            { title => 'requests', unit => "in $EVERY s",
              lines => [$line->('requests', 'requests'),
                        $line->('wrong answers', 'wrong')] },
            { title => 'CPU that other work took', unit => "ms in $EVERY s",
              least => 10, lines => [$line->('', 'others')] });
}


sub machine {
    my %of = facts();

    return ("$of{machine}; $of{kernel}; nginx $of{nginx}", $of{commit});
}


sub spell {
    my $seconds = shift;

    return $seconds >= 7200 ? sprintf '%.1f h', $seconds / 3600
         : $seconds >= 120 ? sprintf '%.1f min', $seconds / 60
         : sprintf '%.0f s', $seconds;
}
