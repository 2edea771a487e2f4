// Very many processes in a very short time.
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

// All live at once, so that a table of processes grows; they end together some time later.
static void ForkStorm(void) {
  for (int left = NumberArgument(1000); left > 0; left--) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      usleep(2000000);
      _exit(0);
    }
  }
  while (wait(NULL) > 0) continue;
}
// As many, and as fast, but one after the other, as a script's $(...) does.
static void ForkStormBenign(void) {
  for (int left = NumberArgument(1000); left > 0; left--) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) _exit(0);
    while (wait(NULL) > 0) continue;
  }
}

const struct Attack kProcessAttacks[] = {{"fork-storm", ForkStorm, ForkStormBenign},
                                         {NULL, NULL, NULL}};
