# Writes so many lines of 63 bytes one by one, as a program on a terminal does, notes when it began and when it was done, and
# ends when it is told to. Usage: flood.pl LINES NOTE GO END; GO and END are files that it waits for.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($lines, $note, $go, $end) = @ARGV;
sleep 0.002 until -e $go;
my $rest = 'the quick brown fox jumps over the lazy dog and on';
my $begun = time;
for my $n (1 .. $lines) {
    my $line = sprintf "%011d %s\n", $n, $rest;
    for (my $at = 0; $at < length $line;) {
        $at += syswrite(STDOUT, $line, length($line) - $at, $at) // die "Cannot write: $!";
    }
}
my $done = time;
open my $file, '>', "$note.new" or die;
printf $file "%.6f %.6f\n", $begun, $done;
close $file;
rename "$note.new", $note;
sleep 0.002 until -e $end;
