#!/usr/bin/perl
# What captures hold that a detector can go by, one line each, in numbers. Fields are found by their text in the output
# of `gyrfalcon dump --json`, so perl-base is enough.
# usage, from the root of the tree: GYRFALCON=build/release/gyrfalcon perl tests/attacks/evidence.pl CAPTURE...
use strict;
use warnings;

my %syscall = (2 => 'open', 42 => 'connect', 59 => 'execve', 257 => 'openat', 322 => 'execveat');

sub text { my ($line, $key) = @_; return $line =~ /"\Q$key\E":"((?:[^"\\]|\\.)*)"/ ? $1 : undef; }
sub number { my ($line, $key) = @_; return $line =~ /"\Q$key\E":(-?\d+)/ ? $1 : undef; }

# The columns, in order, and what they mean.
my @columns = (
  messages => 'messages in all',
  dropped => 'the drop counter at the end',
  opens => 'open, openat, creat: enter and exit both there',
  raced => 'of those: enter and exit name different files',
  corrected => 'the fd_path of the same fd, later, is not what the exit named (by absolute path)',
  agreed => 'of those: enter and exit agreed on the wrong name',
  raw_alone => 'raw messages whose schematised twin is not the next message of the thread',
  interleaved => 'raw messages whose twin is the next message of the thread, but not of the connection',
  execs_alone => 'execve or execveat that returned 0, and no sentry/execve of the thread beside it',
  strangers => 'threads that no clone and no container/start introduced',
  vanished => 'threads of which no sentry/task_exit came',
  renamed => 'changes of process_name without an exec',
);
my @keys = @columns[grep { $_ % 2 == 0 } 0 .. $#columns];

sub evidence {
  my ($file) = @_;
  my %count = map { $_ => 0 } @keys;
  my (%open_enter, %claimed, %group, %known, %seen, %ended, %name, %exec_pending, %raw_pending, %exec_seen);
  open my $dump, '-|', $ENV{GYRFALCON}, 'dump', '--json', $file or die "no dump of $file\n";
  while (my $line = <$dump>) {
    my $point = text($line, 'point');
    my $tid = number($line, 'tid') // number($line, 'thread_id') // 0;
    my $tgid = number($line, 'tgid');
    $group{$tid} = $tgid if defined $tgid;
    my $process = $group{$tid} // $tid;
    $count{messages}++;
    $count{dropped} = number($line, 'dropped') // $count{dropped};
    my $failed = (number($line, 'errorno') // 0) != 0;

    # A raw message is judged by the next one of its thread.
    if (my $raw = delete $raw_pending{$tid}) {
      my ($twin, $at) = @$raw;
      if ($point ne $twin) { $count{raw_alone}++; }
      elsif ($count{messages} != $at + 1) { $count{interleaved}++; }
    }
    if ($point =~ m{^syscall/sysno/(\d+)/(enter|exit)$} && $syscall{$1}) {
      $raw_pending{$tid} = ["syscall/$syscall{$1}/$2", $count{messages}];
    }

    $known{$tid} = 1 if $point eq 'container/start';
    if ($point eq 'sentry/clone') {
      my $child = number($line, 'created_thread_id');
      $known{$child} = 1;
      $name{$child} = $name{$tid};
    }
    $seen{$tid} = 1;
    $ended{$tid} = 1 if $point eq 'sentry/task_exit';

    # An exec has sentry/execve between enter and exit (old) or right after exit (new).
    if ($point =~ m{^syscall/execve(at)?/enter$}) { $exec_seen{$tid} = 0; }
    if ($point eq 'sentry/execve') {
      $exec_seen{$tid} = 1;
      delete $exec_pending{$tid};
      $name{$process} = undef;
      $name{$tid} = undef;
    } elsif ($point !~ m{^syscall/(sysno/\d+|execve(at)?)/exit$} && delete $exec_pending{$tid}) {
      $count{execs_alone}++;
    }
    if ($point =~ m{^syscall/execve(at)?/exit$} && !$failed && !$exec_seen{$tid}) { $exec_pending{$tid} = 1; }

    my $now = text($line, 'process_name');
    if (defined $now) {
      $count{renamed}++ if defined $name{$tid} && $name{$tid} ne $now;
      # Both messages of an exec may still have the old name.
      $name{$tid} = $now unless $point =~ m{execve(at)?(/exit)?$};
    }

    if ($point =~ m{^syscall/(open|openat|creat)/enter$}) { $open_enter{$tid} = text($line, 'pathname') // ''; }
    if ($point =~ m{^syscall/(open|openat|creat)/exit$} && defined $open_enter{$tid}) {
      my ($enter, $exit) = (delete $open_enter{$tid}, text($line, 'pathname') // '');
      $count{opens}++;
      $count{raced}++ if $enter ne $exit;
      $claimed{$process}{number($line, 'result') // 0} = [$enter, $exit] unless $failed;
    }
    if ($point =~ m{^syscall/(close|read|pread64|mmap|write)/enter$}) {
      my $fd = number($line, 'fd') // 0;
      my $true = text($line, 'fd_path');
      my $claim = delete $claimed{$process}{$fd};
      if ($claim && defined $true && $claim->[1] =~ m{^/} && $true ne $claim->[1]) {
        $count{corrected}++;
        $count{agreed}++ if $claim->[0] eq $claim->[1];
      }
    }
  }
  close $dump or die "no dump of $file\n";
  $count{execs_alone} += scalar keys %exec_pending;
  $count{strangers} = grep { $_ && !$known{$_} } keys %seen;
  $count{vanished} = grep { !$ended{$_} } keys %{{%known, %seen}};
  return \%count;
}

my $width = 0;
for my $file (@ARGV) { $width = length $file if length $file > $width; }
printf "# %s\n", join '; ', map { "$columns[2 * $_]: $columns[2 * $_ + 1]" } 0 .. $#keys;
printf "%-*s %s\n", $width, 'capture', join ' ', @keys;
for my $file (sort @ARGV) {
  my $count = evidence($file);
  printf "%-*s %s\n", $width, $file, join ' ', map { sprintf '%*d', length $_, $count->{$_} } @keys;
}
