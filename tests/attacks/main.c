// attack NAME [benign] [NUMBER]; `attack list` prints the names; `attack noop` does nothing
// (attacks run copies of it).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

static int g_number = -1;

int NumberArgument(int otherwise) {
  return g_number >= 0 ? g_number : otherwise;
}

int Need(int result, const char* call) {
  if (result < 0) {
    perror(call);
    exit(1);
  }
  return result;
}

int ReadFile(const char* path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  char data[64];
  if (read(fd, data, sizeof data) < 0) perror("read");
  close(fd);
  return 1;
}

void WriteFile(const char* path, const void* data, size_t size) {
  const int fd = Need(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755), path);
  Need((int)write(fd, data, size), "write");
  close(fd);
}

void* LoadFile(const char* path, size_t* size) {
  const int fd = Need(open(path, O_RDONLY), path);
  struct stat status;
  Need(fstat(fd, &status), "fstat");
  char* data = malloc((size_t)status.st_size);
  *size = 0;
  while (*size < (size_t)status.st_size) {
    const ssize_t count = read(fd, data + *size, (size_t)status.st_size - *size);
    if (Need((int)count, "read") == 0) break;
    *size += (size_t)count;
  }
  close(fd);
  return data;
}

static int Wait(pid_t child) {
  int status = 0;
  Need(waitpid(child, &status, 0), "waitpid");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int Run(const char* path, char* const argv[]) {
  const pid_t child = Need(fork(), "fork");
  if (child == 0) {
    execv(path, argv);
    perror(path);
    _exit(126);
  }
  return Wait(child);
}

void InChild(void (*function)(void)) {
  const pid_t child = Need(fork(), "fork");
  if (child == 0) {
    function();
    _exit(0);
  }
  Wait(child);
}

static struct sockaddr_in Loopback(int port) {
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((unsigned short)port),
                                      .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  return address;
}

int ListenOnLoopback(int port) {
  const struct sockaddr_in address = Loopback(port);
  const int fd = Need(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  Need(bind(fd, (const struct sockaddr*)&address, sizeof address), "bind");
  Need(listen(fd, 4), "listen");
  return fd;
}

int ConnectToLoopback(int port) {
  const struct sockaddr_in address = Loopback(port);
  const int fd = Need(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  Need(connect(fd, (const struct sockaddr*)&address, sizeof address), "connect");
  return fd;
}

int main(int argc, char** argv) {
  const struct Attack* tables[] = {kPathAttacks, kNameAttacks, kExecAttacks, kFdAttacks,
                                   kProcessAttacks};
  const char* name = argc > 1 ? argv[1] : "";
  const int benign = argc > 2 && strcmp(argv[2], "benign") == 0;
  if (argc > 3) g_number = atoi(argv[3]);
  if (strcmp(name, "noop") == 0) return 0;
  for (size_t table = 0; table < sizeof tables / sizeof *tables; table++) {
    for (const struct Attack* entry = tables[table]; entry->name; entry++) {
      if (strcmp(name, "list") == 0) puts(entry->name);
      if (strcmp(name, entry->name) != 0) continue;
      (benign ? entry->benign : entry->attack)();
      return 0;
    }
  }
  if (strcmp(name, "list") == 0) return 0;
  fprintf(stderr, "usage: attack NAME [benign|attack] [NUMBER], or attack list\n");
  return 2;
}
