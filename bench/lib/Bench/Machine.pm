package Bench::Machine;

# Where it runs, and what else ran there.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(sum0);
use POSIX qw(strftime);
use Time::HiRes qw(time);

use Trove::Nginx;


our @EXPORT = qw($SERVER $CLIENT about facts busy worked others slurp);

# CPUs of the server and of the load

our ($SERVER, $CLIENT) = cpus();


sub cpus {
    my ($list) = `taskset -cp $$` =~ /: ([\d,-]+)\n/;
    my @cpus = map { /(\d+)-(\d+)/ ? ($1 .. $2) : $_ } split /,/, $list // 0;

    return @cpus[-2, -1] if @cpus > 1;

    print "there is but one CPU: the load takes from the server's\n";

    return @cpus[0, 0];
}


# Shows what facts() says

sub about {
    my @rows = facts();

    while (my ($name, $value) = splice @rows, 0, 2) {
        printf "%-10s %s\n", $name, $value;
    }
}


sub facts {
    my $git = "git -C $Trove::Nginx::ROOT";
    my $commit = `$git log -1 --format='%h %cs %s' 2>/dev/null` || "?\n";
    my $changed = () = `$git status --porcelain -- src 2>/dev/null`;
    my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;
    my ($memory) = slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
    my ($huge) = slurp('/sys/kernel/mm/transparent_hugepage/enabled')
                 =~ /\[(\w+)\]/;

    chomp $commit;
    $commit .= " and $changed changed files in src" if $changed;

    return (
        date => strftime('%Y-%m-%d %H:%M %Z', localtime),
        commit => $commit,
        machine => sprintf('%s, %d CPUs, %.0f GB', $model // '?',
                           scalar(() = slurp('/proc/stat') =~ /^cpu\d/mg),
                           $memory / 1048576),
        kernel => (`uname -sr` =~ s/\n//r)
                  . ', transparent large pages ' . ($huge // 'none'),
        compiler => `gcc --version` =~ s/\n.*//sr,
        nginx => `$Trove::Nginx::NGINX -v 2>&1` =~ s/.*\/|\n//gr,
        placed => "server on CPU $SERVER, load on CPU $CLIENT",
        load => (split ' ', slurp('/proc/loadavg'))[0] . ' at the begin',
    );
}


# Ticks that all CPUs have worked, and that this and all its children have

sub busy {
    my ($user, $nice, $system, $idle, $wait, $irq, $soft, $steal)
        = slurp('/proc/stat') =~ /^cpu +(.*)/ ? split ' ', $1 : ();
    my @processes = map { stat_fields($_) } glob '/proc/[0-9]*';
    my %of = map { $_->[0] => $_ } @processes;
    my $own = 0;

    for my $p (@processes) {
        my $pid = $p->[0];

        $pid = $of{$pid}[1] while $pid != $$ && $of{$pid};
        $own += $p->[2] if $pid == $$;
    }

    return { time => time, own => $own, steal => $steal,
             all => $user + $nice + $system + $irq + $soft + $steal };
}


# pid, parent, and ticks with those of the children that have ended

sub stat_fields {
    my $dir = shift;

    open my $f, '<', "$dir/stat" or return;
    my ($pid, $rest) = (<$f> // '') =~ /^(\d+) \(.*\) (.*)/ or return;
    my @f = split ' ', $rest;

    return [$pid, $f[1], sum0(@f[11 .. 14])];
}


# Seconds that all CPUs have worked between for others, and for other machines

sub worked {
    my ($before, $now) = @_;
    my %of = map { ($_ => $now->{$_} - $before->{$_}) } qw(all own steal);

    return map { $_ / POSIX::sysconf(POSIX::_SC_CLK_TCK()) }
           $of{all} - $of{own}, $of{steal};
}


# Tells what ran beside it since then

sub others {
    my $before = shift;
    my $now = busy();
    my $seconds = $now->{time} - $before->{time};
    my ($others, $steal) = worked($before, $now);

    return if $others < 0.04 * $seconds;

    printf "  beside it, other work took %.0f %% of a CPU%s\n",
           100 * $others / $seconds,
           $steal > 0.01 * $seconds
           ? sprintf(', %.0f %% of it other machines', 100 * $steal / $others)
           : '';
}


sub slurp {
    my $name = shift;

    open my $f, '<', $name or return '';
    local $/;

    return scalar(<$f>) // '';
}


1;
