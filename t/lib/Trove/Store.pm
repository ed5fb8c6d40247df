package Trove::Store;

# What an operator sees of an SQLite store, by the command sqlite3, and other
# programs that hold it.

use strict;
use warnings;

use Exporter qw(import);
use IPC::Open2;
use JSON::PP;

use Trove::Nginx;


our @EXPORT = qw(sql row hold_store let_store_go counters);


# All rows of a query, as objects

sub sql {
    my ($file, $query) = @_;

    # the program says nothing where there are no rows

    open my $f, '-|', 'sqlite3', '-readonly', '-json', '-cmd',
         '.timeout 5000', $file, $query or die "sqlite3: $!\n";
    local $/;
    my $text = <$f>;

    close $f or die "sqlite3 $file: $query\n";

    return length $text ? @{ decode_json($text) } : ();
}


# The values of the one row of a query

sub row {
    my ($file, $columns, $rest) = @_;
    my ($row) = sql($file, "SELECT $columns $rest");

    return map { $row->{$_} } split /, */, $columns;
}


# A program that writes and does not come to an end

sub hold_store {
    my $file = shift;
    my $pid = open2(my $out, my $in, 'sqlite3', $file);

    $in->autoflush;
    print $in ".timeout 5000\nBEGIN IMMEDIATE;\nSELECT 'held';\n";
    <$out> =~ /held/ or die "the store could not be held\n";

    return { pid => $pid, in => $in, out => $out };
}


sub let_store_go {
    my $holder = shift;

    close $holder->{in};
    waitpid $holder->{pid}, 0;
}


# The figures of the store, of the one trove of GET /stats

sub counters {
    my $t = shift;
    my $json = $t->get_json('/stats');
    my ($trove) = values %{ $json->{troves} };

    return { map { /^store_(.*)/ ? ($1 => $trove->{$_}) : () } keys %$trove };
}


1;
