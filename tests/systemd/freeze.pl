#!/usr/bin/perl
# Stops one thread of a process, as a hang would, until this is killed or the process is. usage: freeze.pl TID
use strict;
use warnings;

my ($tid) = @ARGV;
use constant { SYS_PTRACE => 101, SEIZE => 0x4206, INTERRUPT => 0x4207, WALL => 0x40000000 };
$tid += 0;
syscall(SYS_PTRACE, SEIZE, $tid, 0, 0) == 0 or die "seize $tid: $!\n";
syscall(SYS_PTRACE, INTERRUPT, $tid, 0, 0) == 0 or die "interrupt $tid: $!\n";
waitpid($tid, WALL) == $tid or die "wait $tid: $!\n";
$| = 1;
print "frozen\n";
# Its end has to be waited for, or the whole process stays.
waitpid($tid, WALL);
