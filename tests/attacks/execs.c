// Programs that are run in ways that hide which program it is.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attack.h"

extern char** environ;

// A copy of this program that no list of hashes knows: one byte more at the end.
static char* NewProgram(size_t* size) {
  char* data = LoadFile("/bin/attack", size);
  data = realloc(data, *size + 1);
  data[(*size)++] = 'x';
  return data;
}

// From memory: no file to scan, no path that a rule knows.
static void FromMemory(void) {
  size_t size;
  const char* program = NewProgram(&size);
  const int fd = Need(memfd_create("cache", MFD_CLOEXEC), "memfd_create");
  Need((int)write(fd, program, size), "write");
  fexecve(fd, (char*[]){"attack", "noop", NULL}, environ);
}
static void FromMemoryByPath(void) {
  size_t size;
  const char* program = NewProgram(&size);
  const int fd = Need(memfd_create("cache", 0), "memfd_create");
  Need((int)write(fd, program, size), "write");
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  execv(path, (char*[]){"attack", "noop", NULL});
}
static void MemfdExec(void) {
  InChild(FromMemory);
  InChild(FromMemoryByPath);
}
// A memfd as a buffer, and fexecve of a file of the image.
static void FromFile(void) {
  const int fd = Need(open("/bin/attack", O_RDONLY | O_CLOEXEC), "open");
  fexecve(fd, (char*[]){"attack", "noop", NULL}, environ);
}
static void MemfdExecBenign(void) {
  const int fd = Need(memfd_create("cache", MFD_CLOEXEC), "memfd_create");
  Need((int)write(fd, "data", 4), "write");
  InChild(FromFile);
}

// The dynamic loader runs a file that is not executable and that no exec names.
static void LdSo(void) {
  size_t size;
  const void* bash = LoadFile("/bin/bash", &size);
  WriteFile("/tmp/x", bash, size);
  Run("/lib64/ld-linux-x86-64.so.2", (char*[]){"ld.so", "/tmp/x", "-c", "true", NULL});
}
static void LdSoBenign(void) {
  Run("/lib64/ld-linux-x86-64.so.2", (char*[]){"ld.so", "/bin/bash", "-c", "true", NULL});
}

// A loader of one's own: the dropped file becomes code by mmap alone.
static void MapCode(const char* path) {
  const int fd = Need(open(path, O_RDONLY), path);
  void* code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  if (code == MAP_FAILED) perror("mmap");
  close(fd);
}
static void MmapExec(void) {
  static const unsigned char kReturn[4096] = {0xc3};
  WriteFile("/tmp/plugin.bin", kReturn, sizeof kReturn);
  MapCode("/tmp/plugin.bin");
  // The same without a file: writable, then executable. No message but a raw mprotect can tell.
  void* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, kReturn, sizeof kReturn);
  mprotect(code, 4096, PROT_READ | PROT_EXEC);
  ((void (*)(void))code)();
}
static void MmapExecBenign(void) {
  MapCode("/bin/bash");
}

// A network tool under a name that nobody lists; busybox goes by its first argument.
static void RenamedCopy(void) {
  size_t size;
  const void* busybox = LoadFile("/bin/busybox", &size);
  WriteFile("/tmp/kworker", busybox, size);
  Run("/tmp/kworker", (char*[]){"nc", "-w", "1", "127.0.0.1", "7003", NULL});
}
static void RenamedCopyBenign(void) {
  Run("/bin/nc", (char*[]){"nc", "-w", "1", "127.0.0.1", "7003", NULL});
}

// What runs was not in the image: in a tmpfs (gVisor mounts one over an empty /tmp), in the
// overlay, and through a link that has an innocent name.
static void DropExec(void) {
  size_t size;
  const void* program = NewProgram(&size);
  WriteFile("/tmp/payload", program, size);
  Run("/tmp/payload", (char*[]){"payload", "noop", NULL});
  WriteFile("/usr/bin/payload", program, size);
  Run("/usr/bin/payload", (char*[]){"payload", "noop", NULL});
  Need(symlink("/tmp/payload", "/usr/bin/less"), "symlink");
  Run("/usr/bin/less", (char*[]){"less", "noop", NULL});
}
static void DropExecBenign(void) {
  WriteFile("/tmp/data", "data", 4);
  Run("/bin/attack", (char*[]){"attack", "noop", NULL});
  Need(symlink("/bin/attack", "/usr/bin/less"), "symlink");
  Run("/usr/bin/less", (char*[]){"less", "noop", NULL});
}

// An exec by a thread that is not the leader: its thread id becomes the leader's in the middle of
// the exec.
static void* ExecHere(void* unused) {
  (void)unused;
  execv("/bin/true", (char*[]){"true", NULL});
  return NULL;
}
static void ExecInThread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, ExecHere, NULL) == 0) pthread_join(thread, NULL);
}
static void ThreadExec(void) {
  InChild(ExecInThread);
}
static void ThreadExecBenign(void) {
  Run("/bin/true", (char*[]){"true", NULL});
}

// Execs that fail look like execs: the file is no program, is not executable, is not there.
static void ExecFails(void) {
  WriteFile("/tmp/garbage", "no program", 10);
  Run("/tmp/garbage", (char*[]){"garbage", NULL});
  Run("/etc/shadow", (char*[]){"shadow", NULL});
  Run("/bin/not-there", (char*[]){"not-there", NULL});
}
static void ExecFailsBenign(void) {
  WriteFile("/tmp/script", "#!/bin/sh\ntrue\n", 15);
  Run("/tmp/script", (char*[]){"script", NULL});
}

const struct Attack kExecAttacks[] = {
    {"memfd-exec", MemfdExec, MemfdExecBenign}, {"ld-so", LdSo, LdSoBenign},
    {"mmap-exec", MmapExec, MmapExecBenign},    {"renamed-copy", RenamedCopy, RenamedCopyBenign},
    {"drop-exec", DropExec, DropExecBenign},    {"thread-exec", ThreadExec, ThreadExecBenign},
    {"exec-fails", ExecFails, ExecFailsBenign}, {NULL, NULL, NULL}};
