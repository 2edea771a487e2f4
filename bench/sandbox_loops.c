// The three loops whose cost under a trace session bench/sandbox_cost measures. Runs inside a
// sandbox, alone: static, no threads, nothing printed but the result.
// usage: sandbox_loops rw|open|spawn ROUNDS FILE
// Prints nanoseconds of wall clock for one round, the median of 25 segments: a 1-byte read and a
// 1-byte write; an open and a close of FILE; a fork, an exec of this program and the wait for it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* self;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void read_and_write(long rounds, const char* file) {
  (void)file;
  const int from = open("/dev/zero", O_RDONLY), to = open("/dev/null", O_WRONLY);
  if (from < 0 || to < 0) die("/dev");
  char byte;
  for (long i = 0; i < rounds; ++i) {
    if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1) die("read, write");
  }
}

static void open_and_close(long rounds, const char* file) {
  for (long i = 0; i < rounds; ++i) {
    const int fd = open(file, O_RDONLY);
    if (fd < 0 || close(fd) != 0) die(file);
  }
}

static void spawn(long rounds, const char* file) {
  (void)file;
  for (long i = 0; i < rounds; ++i) {
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
      execl(self, self, "nothing", (char*)NULL);
      _exit(127);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) die("wait");
  }
}

static const struct {
  const char* name;
  void (*run)(long rounds, const char* file);
} loops[] = {{"rw", read_and_write}, {"open", open_and_close}, {"spawn", spawn}};

static long long now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int compare(const void* a, const void* b) {
  const long long x = *(const long long*)a, y = *(const long long*)b;
  return (x > y) - (x < y);
}

enum { kSegments = 25 };

int main(int argc, char** argv) {
  self = argv[0];
  if (argc == 2 && strcmp(argv[1], "nothing") == 0) return 0;
  if (argc != 4) return 2;
  const long rounds = atol(argv[2]);
  for (size_t i = 0; i < sizeof loops / sizeof loops[0]; ++i) {
    if (strcmp(argv[1], loops[i].name) != 0) continue;
    const long each = rounds / kSegments + 1;
    long long ns[kSegments];
    loops[i].run(each, argv[3]);  // warm
    for (int segment = 0; segment < kSegments; ++segment) {
      const long long begin = now_ns();
      loops[i].run(each, argv[3]);
      ns[segment] = (now_ns() - begin) / each;
    }
    qsort(ns, kSegments, sizeof ns[0], compare);
    printf("%s %lld\n", argv[1], ns[kSegments / 2]);
    return 0;
  }
  return 2;
}
