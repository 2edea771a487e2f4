// Attacks on a detector that listens to gVisor's trace, each with a benign twin of the same shape.
// They play: what they read is a made-up /etc/shadow, whom they connect to is themselves. One
// program, `attack`, static, for it runs in root file systems without libraries; main.c has the
// table.
#ifndef TESTS_ATTACKS_ATTACK_H_
#define TESTS_ATTACKS_ATTACK_H_

#include <stddef.h>

struct Attack {
  const char* name;
  void (*attack)(void);
  void (*benign)(void);
};

// Ended by an entry without name.
extern const struct Attack kPathAttacks[], kNameAttacks[], kExecAttacks[], kFdAttacks[],
    kProcessAttacks[];

// Ends the program with 1 if `result` is negative; says which call it was.
int Need(int result, const char* call);

// Opens, reads a little and closes. Whether it could be opened.
int ReadFile(const char* path);
// Creates (0755) or truncates, writes and closes.
void WriteFile(const char* path, const void* data, size_t size);
// The whole file in memory that is never freed.
void* LoadFile(const char* path, size_t* size);

// fork, execve with this program's environment, wait. The exit status, or 128 + signal.
int Run(const char* path, char* const argv[]);
// fork, `child` in the child, exit 0, wait.
void InChild(void (*child)(void));

// A stream socket that listens on 127.0.0.1:`port`; and one connected to it.
int ListenOnLoopback(int port);
int ConnectToLoopback(int port);

// The optional third argument of the program, a number, or `otherwise`.
int NumberArgument(int otherwise);

#endif  // TESTS_ATTACKS_ATTACK_H_
