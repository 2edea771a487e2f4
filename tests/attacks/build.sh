#!/bin/sh
# Builds the attacks as one static program. usage: build.sh PROGRAM
set -eu
here=$(dirname "$0")
${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -pthread -s -o "$1" "$here"/*.c
