package Trove::Held;

# A ledger as it is while the process that writes it is stopped in the middle
# of a row: made so from outside, in the memory that nginx's processes share.
#
#   my $held = Trove::Held->new($nginx, 0);  # of its only trove, that row
#   my $held = Trove::Held->board($nginx, 0);  # before any row of that board
#   $held->release;                          # the writer has gone on

use strict;
use warnings;
no warnings 'portable';

use File::Basename qw(dirname);


my $CORE = dirname(__FILE__) . '/../../../src/core';


# Where things are, as the compiler says.

sub layout {
    my $program = "/tmp/trove-layout-$$";
    my $code = <<'END';
#include <stdio.h>
#include "trove_board_data.h"

int main(void)
{
    printf("%zu %zu %zu %zu %zu %zu %zu\n",
           offsetof(struct trove_ledger_s, at.rows_at),
           offsetof(struct trove_ledger_s, lock),
           offsetof(trove_ledger_row_t, state), sizeof(trove_ledger_row_t),
           offsetof(struct trove_ledger_s, at.boards_at),
           offsetof(trove_board_t, lock), sizeof(trove_board_t));
    return 0;
}
END

    open my $cc, '|-', 'cc', '-D_GNU_SOURCE', "-I$CORE", '-x', 'c', '-', '-o',
                       $program
        or die "cc: $!";
    print $cc $code;
    close $cc or die 'cc failed';

    my $line = `$program`;

    unlink $program;

    return split ' ', $line;
}


sub new {
    my ($class, $t, $row) = @_;
    my $self = bless { lock => 0 }, $class;
    my ($rows, $lock, $state, $size) = layout();
    my $pid = $t->master;

    open $self->{mem}, '+<:raw', "/proc/$pid/mem" or die "mem: $!";

    my $at = $self->find($pid);

    $self->{lock} = $at + $lock;
    $self->{row} = $at + $self->word($at + $rows) + $row * $size + $state;
    $self->{state} = $self->word($self->{row});

    # of the master, which is alive, whenever it started

    $self->word($self->{lock}, $pid << 32);
    $self->word($self->{row}, $self->{state} | 1 << 63);

    return $self;
}


sub board {
    my ($class, $t, $board) = @_;
    my $self = bless { lock => 0 }, $class;
    my ($boards, $lock, $size) = (layout())[4 .. 6];
    my $pid = $t->master;

    open $self->{mem}, '+<:raw', "/proc/$pid/mem" or die "mem: $!";

    my $at = $self->find($pid);

    $self->{lock} = $at + $self->word($at + $boards) + $board * $size + $lock;
    $self->word($self->{lock}, $pid << 32);

    return $self;
}


sub release {
    my ($self) = @_;

    $self->word($self->{row}, $self->{state}) if $self->{row};
    $self->word($self->{lock}, 0);
}


sub find {
    my ($self, $pid) = @_;

    open my $maps, '<', "/proc/$pid/maps" or die "maps: $!";

    while (<$maps>) {
        /^(\w+)-(\w+) rw-s/ or next;

        for (my $at = hex $1; $at < hex $2; $at += 4096) {
            return $at if $self->read($at) eq 'tvledger';
        }
    }

    die 'there is no ledger';
}


sub read {
    my ($self, $at) = @_;

    sysseek $self->{mem}, $at, 0 or die "seek: $!";
    sysread $self->{mem}, my $bytes, 8;

    return $bytes // '';
}


sub word {
    my ($self, $at, $value) = @_;

    return unpack 'Q<', $self->read($at) if @_ == 2;

    sysseek $self->{mem}, $at, 0 or die "seek: $!";
    syswrite($self->{mem}, pack 'Q<', $value) == 8 or die "mem: $!";
}


1;
