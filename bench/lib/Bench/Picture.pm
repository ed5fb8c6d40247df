package Bench::Picture;

# Figures over time, as an SVG that needs nothing else.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(max min);
use POSIX qw(ceil floor);


our @EXPORT = qw(picture);

my ($WIDTH, $HEIGHT) = (960, 150);      # of a panel's field
my ($LEFT, $RIGHT, $ABOVE, $BELOW) = (80, 20, 34, 26);
my $POINTS = 480;                       # of a line, at most
my $HEAD = 22;                          # of a line of text

my @COLOURS = map { "#$_" } qw(1b6ca8 d1495b 3a7d44 b8860b 6f4e9c 4a4a4a);


# picture(file, lines of text, panels): a panel is a hash,
#
#   title, unit
#   lines    [{ name, points => [[seconds, value], ...] }, ...]
#   log      1: of decades
#   limit    a value that is drawn across
#   least    where the scale begins, at the latest

sub picture {
    my ($file, $text, @panels) = @_;
    my $end = max map { $_->[0] } map { @{ $_->{points} } }
                  map { @{ $_->{lines} } } @panels;
    my $y = 12 + $HEAD * @$text;
    my $svg = '';

    for my $i (0 .. $#$text) {
        $svg .= text(20, 12 + $HEAD * ($i + 0.5), $text->[$i],
                     $i ? '' : 'font-weight="bold"');
    }

    for my $panel (@panels) {
        $svg .= panel($panel, $y + $ABOVE, $end || 1);
        $y += $ABOVE + $HEIGHT + $BELOW;
    }

    my $width = $LEFT + $WIDTH + $RIGHT;
    my $height = $y + 10;

    open my $f, '>', "$file.new" or die "$file: $!\n";
    print $f <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height"
     width="$width" height="$height" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
$svg</svg>
END
    close $f or die "$file: $!\n";
    rename "$file.new", $file or die "$file: $!\n";
}


sub panel {
    my ($panel, $top, $end) = @_;
    my @lines = map { { %$_, points => thin($_->{points}, $end) } }
                @{ $panel->{lines} };
    my $scale = scale($panel, map { $_->[1] } map { @{ $_->{points} } }
                              @lines);
    my $y = sub { $top + $HEIGHT * (1 - $scale->{of}->($_[0])) };
    my $x = sub { $LEFT + $WIDTH * $_[0] / $end };
    my $svg = text($LEFT, $top - 12, "$panel->{title}, $panel->{unit}",
                   'font-weight="bold"');

    for my $tick (@{ $scale->{ticks} }) {
        $svg .= line($LEFT, $y->($tick), $LEFT + $WIDTH, $y->($tick),
                     '#dddddd');
        $svg .= text($LEFT - 8, $y->($tick) + 4, short($tick),
                     'text-anchor="end"');
    }

    my ($each, $name) = $end > 7200 ? (3600, 'h')
                      : $end > 300 ? (60, 'min') : (1, 's');

    for my $tick (steps(0, $end / $each, 10)) {
        $svg .= line($x->($tick * $each), $top, $x->($tick * $each),
                     $top + $HEIGHT, '#eeeeee');
        $svg .= text($x->($tick * $each), $top + $HEIGHT + 16,
                     short($tick) . ($tick ? '' : " $name"),
                     'text-anchor="middle"');
    }

    if (defined $panel->{limit} && $panel->{limit} <= $scale->{max}) {
        $svg .= line($LEFT, $y->($panel->{limit}), $LEFT + $WIDTH,
                     $y->($panel->{limit}), '#ff0000',
                     'stroke-dasharray="6 4"');
    }

    my $at = $LEFT + $WIDTH;

    for my $i (reverse 0 .. $#lines) {
        my $colour = $COLOURS[$i % @COLOURS];
        my $points = join ' ', map {
            sprintf '%.1f,%.1f', $x->($_->[0]), $y->($_->[1])
        } @{ $lines[$i]{points} };

        $svg .= qq(<polyline points="$points" fill="none" stroke="$colour")
                . qq( stroke-width="1.3"/>\n);
        $svg .= text($at, $top - 12, $lines[$i]{name},
                     qq(text-anchor="end" fill="$colour"));
        $at -= 16 + 7.5 * length $lines[$i]{name};
    }

    return $svg;
}


# What stands for many points is the highest

sub thin {
    my ($points, $end) = @_;
    my (@kept, $last);

    return $points if @$points <= $POINTS;

    for my $p (@$points) {
        my $i = int $POINTS * $p->[0] / $end;

        if (defined $last && $i == $last) {
            $kept[-1] = $p if $p->[1] > $kept[-1][1];
        } else {
            push @kept, $p;
            $last = $i;
        }
    }

    return \@kept;
}


sub scale {
    my ($panel, @values) = @_;
    my $least = $panel->{least} // 0;
    my $min = min(@values, $least);
    my $max = max(@values, $least);

    if ($panel->{log}) {
        my $low = floor(log10(max($least, 1e-6)));
        my $high = max($low + 1, ceil(log10(max($max, 1e-6)) - 1e-9));

        return {
            ticks => [map { 10 ** $_ } $low .. $high], max => 10 ** $high,
            of => sub {
                my $v = (log10(max($_[0], 1e-9)) - $low) / ($high - $low);
                return max(0, $v);
            },
        };
    }

    my @ticks = steps($min, $max, 4);
    my $step = @ticks > 1 ? $ticks[1] - $ticks[0] : 1;
    my $low = $min < $ticks[0] ? $ticks[0] - $step : $ticks[0];
    my $high = max($max, $ticks[-1], $low + $step);

    return { ticks => \@ticks, max => $high,
             of => sub { ($_[0] - $low) / ($high - $low) } };
}


# Round numbers of the range

sub steps {
    my ($low, $high, $n) = @_;
    my $step = 10 ** floor(log10(max(($high - $low) / $n, 1e-9)));

    for my $times (2, 2.5, 2) {
        last if ($high - $low) / $step <= $n;
        $step *= $times;
    }

    return map { $_ * $step } ceil($low / $step) .. floor($high / $step);
}


sub log10 { return log($_[0]) / log 10 }

sub short { return sprintf '%g', $_[0] }


sub text {
    my ($x, $y, $text, $more) = @_;

    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;

    return sprintf qq(<text x="%.1f" y="%.1f" %s>%s</text>\n), $x, $y, $more,
           $text;
}


sub line {
    my ($x1, $y1, $x2, $y2, $colour, $more) = @_;

    return sprintf qq(<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f")
                   . qq( stroke="%s" %s/>\n), $x1, $y1, $x2, $y2, $colour,
                   $more // '';
}


1;
