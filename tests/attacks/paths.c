// Attacks on paths: the name that open was given is not the file that was opened.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attack.h"

// Both names have the same length, so the flip is one copy and the path is always whole.
static const char kInnocent[] = "/etc/passwd", kSecret[] = "/etc/shadow";
_Static_assert(sizeof kInnocent == sizeof kSecret, "names of one length");

static char g_path[sizeof kSecret] = "/etc/passwd", g_other[sizeof kSecret];
static atomic_int g_flips, g_stop;

// The count is a barrier too: without one, the compiler leaves the first of two copies out.
static void Put(char* path, const char* name) {
  memcpy(path, name, sizeof kSecret);
  g_flips++;
  for (volatile int delay = 0; delay < 100; delay++) continue;
}

static void* Flip(void* path) {
  while (!g_stop) {
    Put(path, kSecret);
    Put(path, kInnocent);
  }
  return NULL;
}

static void OpenWhileFlipping(void* flipped) {
  pthread_t flipper;
  if (pthread_create(&flipper, NULL, Flip, flipped) != 0) return;
  for (int left = NumberArgument(300); left > 0; left--) {
    // On a busy machine the flipper often stands still: wait until it runs.
    for (const int seen = g_flips; g_flips - seen < 3;) continue;
    const int fd = open(g_path, O_RDONLY);
    if (fd >= 0) close(fd);
  }
  g_stop = 1;
  pthread_join(flipper, NULL);
}

// The Sentry copies the path out of the application's memory for the enter message, for the open
// itself, and for the exit message. A second thread changes it in between: either message may name
// a file that was not opened.
static void PathRace(void) {
  OpenWhileFlipping(g_path);
}
// The same load, but the bytes that change are nobody's path.
static void PathRaceBenign(void) {
  OpenWhileFlipping(g_other);
}

// Rules compare names; these name the same file in other words.
static void ProcSelfRoot(void) {
  ReadFile("/proc/self/root/etc/shadow");
  ReadFile("/proc/self/cwd/etc/shadow");
  ReadFile("/proc/thread-self/root/etc/shadow");
  ReadFile("/dev/../etc/./shadow");
}
static void ProcSelfRootBenign(void) {
  ReadFile("/proc/self/root/etc/passwd");
  ReadFile("/proc/self/cwd/etc/passwd");
  ReadFile("/proc/thread-self/root/etc/passwd");
  ReadFile("/dev/../etc/./passwd");
}

// A link to the file, a link to its folder, and a link to the link.
static void Symlink(void) {
  Need(symlink(kSecret, "/tmp/notes.txt"), "symlink");
  Need(symlink("/etc", "/tmp/config"), "symlink");
  Need(symlink("notes.txt", "/tmp/more-notes.txt"), "symlink");
  ReadFile("/tmp/notes.txt");
  ReadFile("/tmp/config/shadow");
  ReadFile("/tmp/more-notes.txt");
}
static void SymlinkBenign(void) {
  Need(symlink(kInnocent, "/tmp/notes.txt"), "symlink");
  Need(symlink("/usr/bin", "/tmp/tools"), "symlink");
  Need(symlink("notes.txt", "/tmp/more-notes.txt"), "symlink");
  ReadFile("/tmp/notes.txt");
  ReadFile("/tmp/tools/perl");
  ReadFile("/tmp/more-notes.txt");
}

// A message with a byte that is not UTF-8 is not sent, nor counted as lost. Here the byte is in the
// path itself: of a link to the file, of a link to its folder, and of a file that is then run.
static void OpenAndRunBelow(const char* folder) {
  char file[64], etc[64], program[64];
  snprintf(file, sizeof file, "%s-file", folder);
  snprintf(etc, sizeof etc, "%s-etc", folder);
  snprintf(program, sizeof program, "%s-program", folder);
  Need(symlink(kSecret, file), "symlink");
  Need(symlink("/etc", etc), "symlink");
  ReadFile(file);
  strcat(etc, "/shadow");
  ReadFile(etc);
  Need(symlink("/bin/attack", program), "symlink");
  Run(program, (char*[]){"attack", "noop", NULL});
}
static void BadPath(void) {
  OpenAndRunBelow("/tmp/\xff");
}
// Not ASCII, but UTF-8: messages as ever. (The secret is read all the same; what must not come is
// "hidden".)
static void BadPathBenign(void) {
  OpenAndRunBelow("/tmp/\xc3\xa9");
}

// A second name of the file itself: then fd_path, the truth, has the byte too.
static void BadLink(void) {
  Need(link(kSecret, "/etc/\xff"), "link");
  ReadFile("/etc/\xff");
}
static void BadLinkBenign(void) {
  Need(link(kSecret, "/etc/\xc3\xa9"), "link");
  ReadFile("/etc/\xc3\xa9");
}

// The byte is in the working folder, and so in every message that was asked to tell it.
static void WorkBelow(const char* folder) {
  Need(mkdir(folder, 0755), folder);
  Need(chdir(folder), folder);
  ReadFile(kSecret);
  const int fd = ConnectToLoopback(7001);
  close(fd);
  Run("/bin/true", (char*[]){"true", NULL});
}
static void BadCwd(void) {
  ListenOnLoopback(7001);
  WorkBelow("/tmp/\xff");
}
static void BadCwdBenign(void) {
  ListenOnLoopback(7001);
  WorkBelow("/tmp/\xc3\xa9");
}

const struct Attack kPathAttacks[] = {{"path-race", PathRace, PathRaceBenign},
                                      {"proc-self-root", ProcSelfRoot, ProcSelfRootBenign},
                                      {"symlink", Symlink, SymlinkBenign},
                                      {"bad-path", BadPath, BadPathBenign},
                                      {"bad-link", BadLink, BadLinkBenign},
                                      {"bad-cwd", BadCwd, BadCwdBenign},
                                      {NULL, NULL, NULL}};
