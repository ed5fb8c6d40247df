package Trove::Prometheus;

# A Prometheus that scrapes an nginx of a test, with what conf/ has for it, and
# what its tools say.

use strict;
use warnings;

use Exporter qw(import);
use HTTP::Tiny;
use JSON::PP;
use POSIX ();

use Trove::Nginx;


our @EXPORT = qw(exported promtool);

my @running;


# The names of all series that the module exports, { name => type }

sub exported {
    my $t = shift;
    my $text = $t->get('/stats?format=prometheus')->{body};
    my %type = $text =~ /^# TYPE (\w+) (\w+)$/mg;

    for my $name (grep { $type{$_} eq 'histogram' } keys %type) {
        $type{"${name}_$_"} = 'histogram' for qw(bucket sum count);
        delete $type{$name};
    }

    return \%type;
}


# promtool(@args): whether it is content, and what it said

sub promtool {
    my @args = @_;
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec 'promtool', @args or POSIX::_exit(127);
    }

    local $/;
    my $said = <$out> // '';

    close $out;

    return ($? == 0, $said);
}


# start(nginx): with conf/prometheus.yml, but quicker than it; on %%PORT9%%

sub start {
    my ($class, $t) = @_;
    my $port = $t->port(9);
    my $self = bless { port => $port, http => HTTP::Tiny->new(timeout => 20),
                       log => "$t->{dir}/prometheus.log", of => $$ }, $class;

    open my $f, '<', "$Trove::Nginx::ROOT/conf/prometheus.yml"
        or die "prometheus.yml: $!\n";
    local $/;
    my $conf = <$f>;

    $conf =~ s/127\.0\.0\.1:8080/'127.0.0.1:' . $t->port/ge;
    $conf =~ s/_interval: 15s/_interval: 500ms/g;
    $conf =~ s{rules/\*\.yml}{$Trove::Nginx::ROOT/conf/rules/*.yml};

    my $file = $t->write_file('prometheus.yml', $conf);

    $self->{pid} = fork // die "fork: $!\n";

    if ($self->{pid} == 0) {
        open STDOUT, '>', $self->{log};
        open STDERR, '>&', \*STDOUT;

        # it ends with the test, however that ends

        exec 'setpriv', '--pdeathsig', 'KILL', 'prometheus',
             "--config.file=$file", "--storage.tsdb.path=$t->{dir}/tsdb",
             "--web.listen-address=127.0.0.1:$port", '--log.level=warn',
             '--enable-feature=exemplar-storage'
            or POSIX::_exit(127);
    }

    push @running, $self;

    wait_until { $self->{http}->get("http://127.0.0.1:$port/-/ready")
                 ->{success} } 30
        or die "prometheus does not answer:\n" . $self->log;

    return $self;
}


# What its API answers, without the envelope; undef, and the error is kept

sub api {
    my ($self, $path, %args) = @_;
    my $args = $self->{http}->www_form_urlencode(\%args);
    my $res = $self->{http}->get(
        "http://127.0.0.1:$self->{port}/api/v1/$path?$args");
    my $json = eval { decode_json($res->{content}) } || {};

    $self->{error} = $json->{error} // $res->{content};

    return ($json->{status} // '') eq 'success' ? $json->{data} : undef;
}


# The samples of an expression: a list of { label => value, '' => number }

sub query {
    my ($self, $expr) = @_;
    my $data = $self->api('query', query => $expr);

    return undef if !$data;
    return [ map { { %{ $_->{metric} }, '' => $_->{value}[1] } }
             @{ $data->{result} } ];
}


sub error { return $_[0]{error} }


sub log {
    my $self = shift;

    open my $f, '<', $self->{log} or return '';
    local $/;

    return <$f> // '';
}


sub stop {
    my $self = shift;

    @running = grep { $_ != $self } @running;

    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}


END {
    my $status = $?;

    $_->stop for grep { $_->{of} == $$ } @running;
    $? = $status;
}


1;
