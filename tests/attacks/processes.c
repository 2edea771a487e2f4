// Very many processes in a very short time.
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

// All live at once, so that a table of processes grows; half a second later they end together.
static void Fork(int count) {
  for (int left = count; left > 0; left--) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      usleep(500000);
      _exit(0);
    }
  }
  while (wait(NULL) > 0) continue;
}
static void ForkStorm(void) {
  Fork(NumberArgument(1000));
}
static void ForkStormBenign(void) {
  Fork(NumberArgument(20));
}

const struct Attack kProcessAttacks[] = {{"fork-storm", ForkStorm, ForkStormBenign},
                                         {NULL, NULL, NULL}};
