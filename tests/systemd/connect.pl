#!/usr/bin/perl
# As many idle sandboxes as asked for: connects, shakes hands, says "ready" when all are answered, and holds the
# connections until it is killed. usage: connect.pl SOCKET COUNT
use strict;
use warnings;
use Socket;

my ($path, $count) = @ARGV;
my $version = "\x08\x01";    # gVisor's handshake: field 1, version 1
my @connections;
for my $n (1 .. $count) {
    socket(my $socket, PF_UNIX, SOCK_SEQPACKET, 0) or die "socket $n: $!\n";
    connect($socket, pack_sockaddr_un($path)) or die "connect $n: $!\n";
    defined(send($socket, $version, 0)) or die "send $n: $!\n";
    defined(recv($socket, my $answer, 16, 0)) or die "recv $n: $!\n";
    $answer eq $version or die "answer $n is not version 1\n";
    push @connections, $socket;
}
$| = 1;
print "ready\n";
sleep 1 while 1;
