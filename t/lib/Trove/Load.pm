package Trove::Load;

# Work that goes on beside a test, in a process of its own:
#
#   my $load = Trove::Load->start(sub {
#       my $ends = shift;
#       until ($ends->()) { ... }
#       return { polls => $n };
#   });
#   ...
#   my $did = $load->finish;
#
# What the sub returns must be JSON's.  A sub that dies makes finish() die.

use strict;
use warnings;

use IO::Handle;
use IO::Select;
use JSON::PP;
use POSIX ();


sub start {
    my ($class, $work) = @_;

    pipe my $go, my $stop or die "pipe: $!\n";
    pipe my $in, my $out or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);
        close $stop;

        # the end of the test ends it, too; it may wait some seconds for that

        my $ends = sub { return IO::Select->new($go)->can_read($_[0] // 0) };
        my $said = eval { { did => $work->($ends) } } || { died => $@ };

        print $out encode_json($said);
        $out->flush;
        POSIX::_exit(0);
    }

    close $out;

    return bless { pid => $pid, stop => $stop, in => $in }, $class;
}


sub finish {
    my $self = shift;

    # one that has died tells why

    local $SIG{PIPE} = 'IGNORE';

    syswrite $self->{stop}, '.';

    local $/;
    my $said = decode_json(readline($self->{in}) || '{"died":"silently"}');

    waitpid $self->{pid}, 0;

    if (exists $said->{died}) {
        die "the load died: $said->{died}\n";
    }

    return $said->{did};
}


1;
