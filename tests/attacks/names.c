// Attacks on names of processes, and on what an exec tells.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "attack.h"

// The kernel takes any bytes as a thread's name. With \xff in it, every message that has
// process_name is gone; the name is the child's too, until its exec.
static void WorkAs(const char* name) {
  const int listener = ListenOnLoopback(7002);
  Need(prctl(PR_SET_NAME, name), "prctl");
  ReadFile("/etc/shadow");
  const int fd = ConnectToLoopback(7002);
  close(fd);
  close(listener);
  Run("/bin/true", (char*[]){"true", NULL});
}
static void BadName(void) {
  WorkAs("\xff");
}
static void BadNameBenign(void) {
  WorkAs("\xc3\xa9tag\xc3\xa8re");
}

// One argument that is not UTF-8 hides all messages that tell of the exec; the shell ignores it.
static void ShellWithArgument(char* argument) {
  Run("/bin/sh", (char*[]){"sh", "-c", ": </etc/shadow", "sh", argument, NULL});
}
static void BadArgv(void) {
  ShellWithArgument("\xff");
}
static void BadArgvBenign(void) {
  ShellWithArgument("\xc3\xa9");
}

// The same with the environment; only messages that were asked for it (envv) can be lost so, and
// sentry/execve, which always has it.
static void ShellWithVariable(const char* value) {
  Need(setenv("COLOUR", value, 1), "setenv");
  Run("/bin/sh", (char*[]){"sh", "-c", ": </etc/shadow", NULL});
}
static void BadEnv(void) {
  ShellWithVariable("\xff");
}
static void BadEnvBenign(void) {
  ShellWithVariable("\xc3\xa9");
}

// Calls itself like a server that may do this.
static void SpawnAs(const char* name) {
  Need(prctl(PR_SET_NAME, name), "prctl");
  Run("/bin/sh", (char*[]){"sh", "-c", "true", NULL});
  ReadFile("/etc/shadow");
}
static void RenameSelf(void) {
  SpawnAs("nginx");
}
static void RenameSelfBenign(void) {
  SpawnAs("attack:worker");
}

// A message above the sender's buffer (212,992 bytes) can't be sent: dropped at once, and counted.
static char* Padding(size_t size) {
  char* text = malloc(size + 1);
  memset(text, 'x', size);
  text[size] = '\0';
  return text;
}
static void ShellWithBigArguments(size_t each) {
  char* pad = Padding(each);
  Run("/bin/sh", (char*[]){"sh", "-c", ": </etc/shadow", "sh", pad, pad, pad, NULL});
}
static void BigArgv(void) {
  ShellWithBigArguments(80000);
}
static void BigArgvBenign(void) {
  ShellWithBigArguments(20000);
}

static void ShellWithBigEnvironment(size_t each) {
  char* pad = Padding(each);
  setenv("PAD1", pad, 1);
  setenv("PAD2", pad, 1);
  setenv("PAD3", pad, 1);
  Run("/bin/sh", (char*[]){"sh", "-c", ": </etc/shadow", NULL});
}
static void BigEnv(void) {
  ShellWithBigEnvironment(80000);
}
static void BigEnvBenign(void) {
  ShellWithBigEnvironment(7000);
}

const struct Attack kNameAttacks[] = {{"bad-name", BadName, BadNameBenign},
                                      {"bad-argv", BadArgv, BadArgvBenign},
                                      {"bad-env", BadEnv, BadEnvBenign},
                                      {"big-argv", BigArgv, BigArgvBenign},
                                      {"big-env", BigEnv, BigEnvBenign},
                                      {"rename-self", RenameSelf, RenameSelfBenign},
                                      {NULL, NULL, NULL}};
