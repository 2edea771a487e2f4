// deed STEP…: what a rule is about, done in a sandbox, step by step in one process. Static and
// small, so that recordings are; copied or linked under the names that rules ask for.
//
//   sleep MILLISECONDS      setuid UID            read PATH           open PATH (write, no
//   truncation) truncate PATH           connect ADDRESS PORT  udp ADDRESS PORT    sendto ADDRESS
//   PORT accept ADDRESS PORT     redirect (a TCP connection to itself becomes standard input and
//   output) packet                  attach (ptrace)       traceme             module (init_module,
//   finit_module) setns                   unshare               bpf                 userfaultfd run
//   PATH ARGUMENT…      in a child, waited for; takes the rest memory PATH ARGUMENT…   a copy of
//   PATH in a memory file, run in a child; takes the rest
//
// What the system refuses is no error: that it was tried is the point.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void Tell(const char* step, long result) {
  if (result < 0) fprintf(stderr, "deed: %s: %s\n", step, strerror(errno));
}

static socklen_t ToAddress(const char* text, const char* port, struct sockaddr_storage* out) {
  memset(out, 0, sizeof *out);
  struct sockaddr_in6* six = (struct sockaddr_in6*)out;
  struct sockaddr_in* four = (struct sockaddr_in*)out;
  if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((unsigned short)atoi(port));
    return sizeof *six;
  }
  four->sin_family = AF_INET;
  four->sin_port = htons((unsigned short)atoi(port));
  inet_pton(AF_INET, text, &four->sin_addr);
  return sizeof *four;
}

// A socket of `type`, and the address it is for.
static int Socket(int type, char** arguments, struct sockaddr_storage* address, socklen_t* size) {
  *size = ToAddress(arguments[0], arguments[1], address);
  const int fd = socket(address->ss_family, type, 0);
  Tell("socket", fd);
  return fd;
}

static void Connect(int type, char** arguments) {
  struct sockaddr_storage address;
  socklen_t size;
  const int fd = Socket(type, arguments, &address, &size);
  const int result = connect(fd, (struct sockaddr*)&address, size);
  Tell("connect", result);
  if (result == 0 && type == SOCK_DGRAM) Tell("send", send(fd, "x", 1, 0));
  close(fd);
}

static void SendTo(char** arguments) {
  struct sockaddr_storage address;
  socklen_t size;
  const int fd = Socket(SOCK_DGRAM, arguments, &address, &size);
  Tell("sendto", sendto(fd, "x", 1, 0, (struct sockaddr*)&address, size));
  struct iovec data = {.iov_base = "x", .iov_len = 1};
  const struct msghdr message = {
      .msg_name = &address, .msg_namelen = size, .msg_iov = &data, .msg_iovlen = 1};
  Tell("sendmsg", sendmsg(fd, &message, 0));
  close(fd);
}

// Stays open, for a later connect; whether it listens for good is the backlog's business.
static int Listen(char** arguments) {
  struct sockaddr_storage address;
  socklen_t size;
  const int fd = Socket(SOCK_STREAM, arguments, &address, &size);
  Tell("bind", bind(fd, (struct sockaddr*)&address, size));
  Tell("listen", listen(fd, 4));
  return fd;
}

static void AcceptOne(char** arguments) {
  const int listening = Listen(arguments);
  const pid_t child = fork();
  if (child == 0) {
    Connect(SOCK_STREAM, arguments);
    _exit(0);
  }
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  const int fd = accept(listening, (struct sockaddr*)&peer, &size);
  Tell("accept", fd);
  close(fd);
  close(listening);
  waitpid(child, NULL, 0);
}

static void Redirect(void) {
  char* arguments[] = {"127.0.0.1", "4445"};
  struct sockaddr_storage address;
  socklen_t size;
  const int listening = Listen(arguments);
  const int fd = Socket(SOCK_STREAM, arguments, &address, &size);
  Tell("connect", connect(fd, (struct sockaddr*)&address, size));
  Tell("dup2", dup2(fd, 0));
  Tell("dup2", dup2(fd, 1));
  close(fd);
  close(listening);
}

static void Attach(void) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  Tell("ptrace", ptrace(PTRACE_ATTACH, child, NULL, NULL));
  waitpid(child, NULL, 0);
  Tell("ptrace", ptrace(PTRACE_POKEDATA, child, NULL, NULL));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void TraceMe(void) {
  const pid_t child = fork();
  if (child == 0) {
    Tell("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void Run(char** arguments) {
  const pid_t child = fork();
  if (child == 0) {
    execv(arguments[0], arguments);
    Tell(arguments[0], -1);
    _exit(126);
  }
  waitpid(child, NULL, 0);
}

static void RunFromMemory(char** arguments) {
  const int from = open(arguments[0], O_RDONLY);
  Tell(arguments[0], from);
  const int to = memfd_create("payload", 0);
  static char data[1 << 20];
  for (ssize_t count; (count = read(from, data, sizeof data)) > 0;) {
    if (write(to, data, (size_t)count) != count) Tell("write", -1);
  }
  close(from);
  const pid_t child = fork();
  if (child == 0) {
    fexecve(to, arguments, environ);
    Tell("fexecve", -1);
    _exit(126);
  }
  close(to);
  waitpid(child, NULL, 0);
}

static void Open(const char* path, int flags) {
  const int fd = open(path, flags, 0644);
  Tell(path, fd);
  if (fd >= 0) close(fd);
}

static void OpenBySecondCall(const char* path) {
  const struct open_how how = {.flags = O_RDONLY};
  const int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  Tell("openat2", fd);
  if (fd >= 0) close(fd);
}

static void Packet(void) {
  const int fd = socket(AF_PACKET, SOCK_RAW, htons(3));
  Tell("socket", fd);
  if (fd >= 0) close(fd);
}

static void Module(void) {
  Tell("init_module", syscall(SYS_init_module, NULL, 0, ""));
  Tell("finit_module", syscall(SYS_finit_module, -1, "", 0));
}

static void SetNs(void) {
  const int fd = open("/proc/self/ns/net", O_RDONLY);
  Tell("setns", setns(fd, CLONE_NEWNET));
}

static void Bpf(void) {
  char attributes[64] = {0};
  Tell("bpf", syscall(SYS_bpf, 5, attributes, sizeof attributes));
}

static void UserFaultFd(void) {
  Tell("userfaultfd", syscall(SYS_userfaultfd, 0));
}
static void SetGroup(void) {
  Tell("setpgid", setpgid(0, 0));
}
static void Unshare(void) {
  Tell("unshare", unshare(CLONE_NEWUTS));
}

static const struct {
  const char* name;
  void (*function)(void);
} kPlain[] = {
    {"redirect", Redirect},       {"packet", Packet},    {"attach", Attach},   {"traceme", TraceMe},
    {"module", Module},           {"setns", SetNs},      {"unshare", Unshare}, {"bpf", Bpf},
    {"userfaultfd", UserFaultFd}, {"setpgid", SetGroup},
};

static int DoPlain(const char* step) {
  for (size_t i = 0; i < sizeof kPlain / sizeof *kPlain; i++) {
    if (strcmp(step, kPlain[i].name) != 0) continue;
    kPlain[i].function();
    return 1;
  }
  return 0;
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const char* step = argv[i];
    char** rest = argv + i + 1;
    const int left = argc - i - 1;
    if (strcmp(step, "nothing") == 0) return 0;
    if (DoPlain(step)) continue;
    if (left < 1) {
      fprintf(stderr, "deed: no such step, or too little after it: %s\n", step);
      return 2;
    }
    if (strcmp(step, "run") == 0) return Run(rest), 0;
    if (strcmp(step, "memory") == 0) return RunFromMemory(rest), 0;
    int taken = 1;
    if (strcmp(step, "sleep") == 0) {
      usleep((useconds_t)atoi(rest[0]) * 1000);
    } else if (strcmp(step, "setuid") == 0) {
      Tell("setuid", setuid((uid_t)atoi(rest[0])));
    } else if (strcmp(step, "read") == 0) {
      Open(rest[0], O_RDONLY);
    } else if (strcmp(step, "openat2") == 0) {
      OpenBySecondCall(rest[0]);
    } else if (strcmp(step, "open") == 0) {
      Open(rest[0], O_WRONLY | O_CREAT);
    } else if (strcmp(step, "truncate") == 0) {
      Open(rest[0], O_WRONLY | O_CREAT | O_TRUNC);
    } else if (left < 2) {
      fprintf(stderr, "deed: no such step, or too little after it: %s\n", step);
      return 2;
    } else {
      taken = 2;
      if (strcmp(step, "connect") == 0) {
        Connect(SOCK_STREAM, rest);
      } else if (strcmp(step, "udp") == 0) {
        Connect(SOCK_DGRAM, rest);
      } else if (strcmp(step, "sendto") == 0) {
        SendTo(rest);
      } else if (strcmp(step, "accept") == 0) {
        AcceptOne(rest);
      } else {
        fprintf(stderr, "deed: no such step: %s\n", step);
        return 2;
      }
    }
    i += taken;
  }
  return 0;
}
