package Bench::Data;

# Rewards and polls.

use strict;
use warnings;

use Exporter qw(import);

use Bench::Machine;
use Bench::Programs;


our @EXPORT = qw(places more moving claimable paths polls answer_size);

my $POLLS = 32768;                      # different ones
my $RADIUS = 28000;                     # metres: about 50 places are found
my $MORE = 1_000_000;                   # rewards to load


sub places { return "$DIR/places.ndjson" }


# Rewards all over the earth, with ids that no place has

sub more {
    my $file = "$DIR/rewards.ndjson";

    return made($file, sub {
        my $f = shift;

        srand 7;

        for my $i (1 .. $MORE) {
            my $z = 2 * rand() - 1;

            printf $f '{"id":%d,"x":%.5f,"y":%.5f,"value":%d,"stock":%d}'
                      . "\n", 1_000_000 + $i, 360 * rand() - 180,
                   57.29577951308232 * atan2($z, sqrt(1 - $z * $z)),
                   1 + int rand 100, 1 + int rand 100;
        }
    });
}


# Rewards that come, move and change near the south pole, where no poll looks

sub moving {
    return made("$DIR/moving.ndjson", sub {
        my $f = shift;

        srand 8;

        for my $i (1 .. 100_000) {
            printf $f '{"id":%d,"x":%.5f,"y":%.5f,"value":%d}' . "\n",
                   1_000_000 + int rand 20_000, 360 * rand() - 180,
                   -86 - 3 * rand, 1 + int rand 100;
        }
    });
}


# Rewards as bench/load claims them: so many, each for so many players

sub claimable {
    my ($rewards, $stock) = @_;

    return made("$DIR/claimable-$rewards-$stock", sub {
        my $f = shift;

        for my $n (1 .. $rewards) {
            printf $f '{"id":%d,"x":0,"y":-85,"value":%d,"stock":%d}' . "\n",
                   2_000_000 + $n, $n, $stock;
        }
    });
}


sub paths {
    return made("$DIR/paths", sub {
        my $f = shift;

        print $f "$_\n" for '/stats', '/stats?format=prometheus',
                            '/earth/poll?x=1', '/earth/poll?x=999&y=0',
                            '/earth/rewards?id=17',
                            '/earth/rewards?id=99999999',
                            '/earth/poll?x=2&y=48&r=100000&limit=64&detail=1',
                            '/earth/poll?x=2&y=48&w=9000&h=9000', '/nothing';
    });
}


sub made {
    my ($file, $make) = @_;

    return $file if -s $file;

    open my $f, '>', "$file.new" or die "$file: $!\n";
    $make->($f);
    close $f or die "$file: $!\n";
    rename "$file.new", $file or die "$file: $!\n";

    return $file;
}


# Polls with their answers, by a naive program; how many it has found

sub polls {
    my @files = @_;
    my $file = "$DIR/polls-$POLLS-$RADIUS-" . @files;
    my $found;

    made($file, sub {
        my $f = shift;

        print $f lines_of($CLIENT, 'polls', $POLLS, $RADIUS, @files);
    });

    open my $f, '<', $file or die "$file: $!\n";
    $found += (split ' ')[3] while <$f>;

    printf "  %d different polls within %d km of random places, %.1f found on"
           . " average; all answers are checked\n", $POLLS, $RADIUS / 1000,
           $found / $POLLS;

    return $file;
}


# Bytes of the average answer to them

sub answer_size {
    my $file = shift;
    my $bytes = 0;

    open my $f, '<', $file or die "$file: $!\n";

    while (<$f>) {
        my ($found, $ids) = (split ' ')[3, 4];

        $bytes += length qq({"version":171075,"found":$found,"rewards":[]})
                  . ($ids eq '-' ? '' : $ids);
    }

    return $bytes / $POLLS;
}


1;
