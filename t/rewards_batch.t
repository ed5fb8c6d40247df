#!/usr/bin/perl

# A batch of rewards is carried out line by line, and summed up: what was
# accepted, what was not, and of the first twenty where and why.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Trove::Nginx;


my $t = Trove::Nginx->start(http => <<'HTTP', server => <<'SERVER');
    trove hunt { limit 3 max=1000; %%SIMD%% }
HTTP
    location = /poll    { trove_poll    hunt; }
    location = /rewards { trove_rewards hunt; }
SERVER


sub batch {
    my ($body, %header) = @_;

    return $t->post('/rewards', $body,
                    { 'Content-Type' => 'application/x-ndjson', %header });
}


sub reward { return qq({"id":$_[0],"x":$_[1],"y":0}) }


my $res = batch(join '', map { reward($_, $_) . "\n" } 1 .. 300);

is($res->{status}, 200, 'a batch is taken');
is($res->{headers}{'content-type'}, 'application/json', 'one answer for all');
is_deeply($res->{json}, { accepted => 300, rejected => 0, version => 300,
                          errors => [] }, 'each line made a version');
is($t->get_json('/poll?x=0&y=0&r=500')->{found}, 300, 'all are there');

# lines end as they like, and empty ones count but are nothing

$res = batch("\n" . reward(1, 1) . "\r\n\r\n\n" . reward(2, 2) . "\n\n"
             . '{"id":0}' . "\n\t" . reward(3, 3) . " \n" . reward(4, 4));

is_deeply($res->{json}{errors},
          [{ line => 7, error =>
             'id: must be an integer from 1 to 4294967295, not 0' }],
          'lines are counted as they stand there');
is($res->{json}{accepted}, 4, 'the last one needs no end');
is($res->{json}{rejected}, 1, 'a bad one is none of the good');
is($res->{json}{version}, 304, 'and makes no version');

# bad lines stand in nobody's way; the first twenty are told

my @lines = map { $_ % 3 ? reward($_, 7) : $_ % 2 ? '{"id":"a"}' : 'nonsense' }
            1 .. 90;

$res = batch(join "\n", @lines);

is($res->{status}, 200, 'a batch with bad lines is taken');
is($res->{json}{accepted}, 60, 'its good lines are');
is($res->{json}{rejected}, 30, 'its bad ones are counted');
is_deeply([ map { $_->{line} } @{ $res->{json}{errors} } ],
          [ map { 3 * $_ } 1 .. 20 ], 'the first twenty are told');
like($res->{json}{errors}[0]{error}, qr/^id: .*"a"/, 'what is wrong');
like($res->{json}{errors}[1]{error}, qr/^not a JSON object: ./, 'with each');
is($t->get_json('/poll?x=7&y=0&r=0.5')->{found}, 60, 'polls find the good');

# the same id twice in a batch: the last one stays

$res = batch(reward(5, 50) . "\n" . reward(5, 51) . "\n");

is($res->{json}{accepted}, 2, 'both are accepted');
is($t->get_json('/rewards?id=5')->{x}, 51, 'the last one stays');

# all bad, or nothing at all

$res = batch("{}\n[]\n");

is($res->{status}, 200, 'a batch of bad lines only');
is_deeply([ @{ $res->{json} }{qw(accepted rejected version)} ], [0, 2, 366],
          'says what the version is');

for my $nothing ('', "\n", "\r\n\n") {
    $res = batch($nothing);
    is_deeply($res->{json}, { accepted => 0, rejected => 0, version => 366,
                              errors => [] }, 'an empty batch');
}

# a line that is too long is not the end of the batch

$res = batch(join "\n", reward(6, 60), '{"id":7,"z":"' . 'z' x 66000 . '"}',
                        reward(8, 80));

is_deeply([ @{ $res->{json} }{qw(accepted rejected)} ], [2, 1],
          'a line that is too long is refused alone');
is($res->{json}{errors}[0]{line}, 2, 'and is the one');

# the names of the type, and other types

for my $type ('application/x-ndjson', 'application/ndjson',
              'application/jsonl', 'Application/X-NDJSON; charset=utf-8')
{
    is(batch(reward(9, 1) . "\n" . reward(10, 2), 'Content-Type' => $type)
         ->{json}{accepted}, 2, "$type is a batch");
}

for my $type ('application/json', 'text/plain', 'application/x-ndjsonx', undef)
{
    is(batch(reward(9, 1) . "\n" . reward(10, 2), 'Content-Type' => $type)
         ->{status}, 400, ($type // 'nothing') . ' is one object');
}

done_testing;
