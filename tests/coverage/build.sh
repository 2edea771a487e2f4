#!/bin/sh
# Builds the deeds as one static program. usage: build.sh PROGRAM
set -eu
here=$(dirname "$0")
${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -s -o "$1" "$here/deed.c"
