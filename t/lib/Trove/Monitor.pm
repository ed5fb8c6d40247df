package Trove::Monitor;

# The npm package of conf/monitor, built outside of the source tree: from a
# clean state with build(), or once for all tests with built().

use strict;
use warnings;

use Digest::SHA;
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Find ();
use File::Path qw(make_path remove_tree);
use JSON::PP;

use Trove::Nginx;


our @EXPORT = qw(run validate);

our $SOURCE = "$Trove::Nginx::ROOT/conf/monitor";


# Runs a command in a folder; its status, and all that it said

sub run {
    my ($dir, @command) = @_;
    my $pid = open(my $f, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        alarm 0;
        chdir $dir or die "$dir: $!\n";
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    local $/;
    my $said = <$f> // '';

    close $f;

    return ($?, $said);
}


# What of conf/monitor is source

sub sources {
    my @files;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my $name = $_ eq $SOURCE ? '' : substr $_, length($SOURCE) + 1;

        if ($name =~ m{^(?:node_modules|dist|\.test)$}) {
            $File::Find::prune = 1;
        } elsif (-f $_ && $name ne 'src/stats.ts') {
            push @files, $name;
        }
    } }, $SOURCE);

    return sort @files;
}


# Copies the sources to a folder and builds there

sub build {
    my $dir = shift;

    for my $file (sources()) {
        make_path(dirname("$dir/$file"));
        copy("$SOURCE/$file", "$dir/$file") or die "$file: $!\n";
    }

    return run($dir, 'npm', 'ci', '--no-audit', '--no-fund',
               '--loglevel=error');
}


# The folder of one that is built, with its tests; built anew if the sources
# are others

sub built {
    my $dir = "$Trove::Nginx::BUILD/monitor";

    make_path($Trove::Nginx::BUILD);
    open my $lock, '>', "$dir.lock" or die "$dir.lock: $!\n";
    flock $lock, LOCK_EX;

    my $sum = Digest::SHA->new(256);

    $sum->add($_)->addfile("$SOURCE/$_") for sources();

    my $stamp = $sum->hexdigest;

    return $dir if slurp("$dir/.stamp") eq $stamp;

    remove_tree($dir);

    my ($status, $said) = build($dir);

    ($status, $said) = run($dir, qw(npm run --silent pretest)) if !$status;
    die "the monitor cannot be built:\n$said" if $status;

    open my $f, '>', "$dir/.stamp" or die "$dir/.stamp: $!\n";
    print $f $stamp;
    close $f;

    return $dir;
}


sub slurp {
    my $file = shift;

    open my $f, '<', $file or return '';
    local $/;

    return <$f> // '';
}


# What is wrong with the JSON of files, by the schema: nothing, or lines

sub validate {
    my @files = @_;
    my ($status, $said) = run('/', 'node',
                              built() . '/.test/test/validate.js', @files);

    return $said || ($status ? "it ended with $status" : '');
}


sub schema {
    return decode_json(slurp("$SOURCE/stats.schema.json"));
}


1;
