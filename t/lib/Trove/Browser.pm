package Trove::Browser;

# Chromium without a window, over its pipe of the DevTools protocol: opens
# pages, calls JavaScript in them, presses keys, takes pictures, and remembers
# what it was asked for and what was said on the console.

use strict;
use warnings;

use File::Temp;
use IO::Select;
use JSON::PP;
use MIME::Base64;
use POSIX ();
use Time::HiRes qw(sleep time);


our $TIMEOUT = 60;


# Its profile goes to a folder that ends with it.

sub new {
    my $class = shift;
    my $dir = File::Temp->newdir('trove-browser-XXXXXX', TMPDIR => 1);

    pipe my $in, my $to or die "pipe: $!\n";
    pipe my $from, my $out or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        POSIX::setsid();

        my ($rfd, $wfd) = map { POSIX::dup(fileno $_) + 0 } $in, $out;

        # out of the way of 3 and 4, then there

        ($rfd, $wfd) = map { POSIX::dup2($_->[0], $_->[1]) }
                       [ $rfd, 20 ], [ $wfd, 21 ];
        POSIX::dup2($rfd, 3);
        POSIX::dup2($wfd, 4);
        POSIX::close($_) for 5 .. 30;

        CORE::open STDIN, '<', '/dev/null';
        CORE::open STDOUT, '>', "$dir/log";
        CORE::open STDERR, '>&', \*STDOUT;

        exec 'chromium', '--headless=new', '--no-sandbox', '--disable-gpu',
             '--disable-dev-shm-usage', '--disable-background-networking',
             '--disable-component-update', '--no-first-run',
             '--hide-scrollbars', "--user-data-dir=$dir/profile",
             '--remote-debugging-pipe', 'about:blank' or POSIX::_exit(127);
    }

    my $b = bless { pid => $pid, dir => $dir, to => $to, from => $from,
                    in => '', n => 0, answers => {}, main => $$,
                    console => [], requests => [] }, $class;

    $to->autoflush(1);

    my $target = $b->command('Target.createTarget',
                             { url => 'about:blank' })->{targetId};

    $b->{session} = $b->command('Target.attachToTarget',
                                { targetId => $target,
                                  flatten => JSON::PP::true })->{sessionId};

    $b->command("$_.enable") for qw(Page Runtime Log Network);

    return $b;
}


# One command; returns its result.

sub command {
    my ($b, $method, $params) = @_;
    my $id = ++$b->{n};

    my $text = encode_json({ id => $id, method => $method,
                             params => $params || {},
                             $b->{session} ? (sessionId => $b->{session})
                                           : () });

    syswrite $b->{to}, "$text\0" or die "the browser is gone\n";

    my $end = time + $TIMEOUT;

    until ($b->{answers}{$id}) {
        $b->take($end);
    }

    my $answer = delete $b->{answers}{$id};

    die "$method: $answer->{error}{message}\n" if $answer->{error};

    return $answer->{result};
}


# Takes what comes; dies if nothing does until then.

sub take {
    my ($b, $end) = @_;

    IO::Select->new($b->{from})->can_read($end - time)
        or die "the browser says nothing\n";

    sysread $b->{from}, $b->{in}, 1 << 20, length $b->{in}
        or die "the browser is gone: " . $b->log;

    while ($b->{in} =~ s/^([^\0]*)\0//) {
        my $m = decode_json($1);

        if ($m->{id}) {
            $b->{answers}{$m->{id}} = $m;
            next;
        }

        my $p = $m->{params};

        if ($m->{method} eq 'Runtime.consoleAPICalled') {
            push @{ $b->{console} },
                 join ' ', $p->{type}, map { $_->{value} // $_->{description}
                                                         // '' }
                                       @{ $p->{args} };

        } elsif ($m->{method} eq 'Runtime.exceptionThrown') {
            push @{ $b->{console} },
                 $p->{exceptionDetails}{exception}{description}
                 // $p->{exceptionDetails}{text};

        } elsif ($m->{method} eq 'Log.entryAdded') {
            push @{ $b->{console} }, "$p->{entry}{level} $p->{entry}{text}";

        } elsif ($m->{method} eq 'Network.requestWillBeSent') {
            push @{ $b->{requests} }, $p->{request}{url};
        }
    }
}


sub log {
    my $b = shift;

    CORE::open my $f, "<", "$b->{dir}/log" or return '';
    local $/;

    return scalar <$f>;
}


# What was said on the console, errors of loading among it, and the addresses
# that were asked for, since the page was opened

sub console { return @{ $_[0]->settle->{console} } }
sub requests { return @{ $_[0]->settle->{requests} } }


# What has come by now is taken.

sub settle {
    my $b = shift;

    $b->command('Runtime.evaluate', { expression => '0' });

    return $b;
}


sub open {
    my ($b, $url) = @_;

    @$b{qw(console requests)} = ([], []);

    my $said = $b->command('Page.navigate', { url => $url })->{errorText};

    die "$url: $said\n" if $said;

    $b->until('document.readyState === "complete"');
}


# The value of an expression; a promise is waited for.

sub eval {
    my ($b, $js) = @_;
    my $r = $b->command('Runtime.evaluate', {
        expression => $js, returnByValue => JSON::PP::true,
        awaitPromise => JSON::PP::true });

    die "$js: $r->{exceptionDetails}{exception}{description}\n"
        if $r->{exceptionDetails};

    return $r->{result}{value};
}


# Waits until an expression is true, and returns its value.

sub until {
    my ($b, $js) = @_;
    my $end = time + $TIMEOUT;

    while (1) {
        my $value = eval { $b->eval($js) };

        return $value if $value;
        die "in vain: $js; " . join("\n", @{ $b->{console} }) . "\n"
            if time > $end;

        sleep 0.05;
    }
}


# width, height; dark => 1; phone => 1

sub look {
    my ($b, $width, $height, %opt) = @_;

    $b->command('Emulation.setDeviceMetricsOverride', {
        width => $width, height => $height,
        deviceScaleFactor => $opt{phone} ? 2 : 1,
        mobile => $opt{phone} ? JSON::PP::true : JSON::PP::false });

    $b->command('Emulation.setEmulatedMedia', { features => [
        { name => 'prefers-color-scheme',
          value => $opt{dark} ? 'dark' : 'light' } ] });
}


# Presses a key by its name: Tab, Enter, ArrowDown ...

sub key {
    my ($b, $key) = @_;
    my %code = (Tab => 9, Enter => 13, ' ' => 32, ArrowLeft => 37,
                ArrowUp => 38, ArrowRight => 39, ArrowDown => 40, '+' => 187);
    my %text = (Enter => "\r", ' ' => ' ', '+' => '+');

    $b->command('Input.dispatchKeyEvent', {
        type => $_, key => $key, code => $key eq ' ' ? 'Space' : $key,
        windowsVirtualKeyCode => $code{$key} // ord uc $key,
        $_ eq 'keyDown' && $text{$key} ? (text => $text{$key}) : () })
        for 'keyDown', 'keyUp';
}


sub click {
    my ($b, $x, $y) = @_;

    $b->command('Input.dispatchMouseEvent', {
        type => $_, x => $x, y => $y, button => 'left', clickCount => 1 })
        for 'mousePressed', 'mouseReleased';
}


# A picture of the whole page, as PNG

sub picture {
    my ($b, $file) = @_;

    my $png = decode_base64($b->command('Page.captureScreenshot', {
        captureBeyondViewport => JSON::PP::true })->{data});

    CORE::open my $f, '>:raw', $file or die "$file: $!\n";
    print $f $png;
    close $f;

    return length $png;
}


sub DESTROY {
    my $b = shift;

    return if $b->{main} != $$;

    local ($?, $@, $!);

    close $b->{to};                     # with its pipe it ends

    for (1 .. 100) {
        return if waitpid($b->{pid}, POSIX::WNOHANG()) != 0;
        sleep 0.05;
    }

    kill 'KILL', -$b->{pid};
    waitpid $b->{pid}, 0;
}


1;
