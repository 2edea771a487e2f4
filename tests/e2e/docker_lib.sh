# A Docker daemon of the test's own, in its scratch folder, without networks; the machine's own is not touched.
# Sourced behind lib.sh; whoever does calls stop_docker in its cleanup_more.
# shellcheck shell=sh disable=SC2154 # scratch, session and flags are lib.sh's

dockerd_pid=''
stop_docker() {
  [ -n "$dockerd_pid" ] || return 0
  kill "$dockerd_pid" 2>/dev/null || true
  tries=100
  while kill -0 "$dockerd_pid" 2>/dev/null && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
  done
  if kill -KILL "$dockerd_pid" 2>/dev/null; then
    # Killed, it leaves its containerd behind.
    containerd_pid=$(cat "$scratch/exec/containerd/containerd.pid" 2>/dev/null || true)
    [ -z "$containerd_pid" ] || kill -KILL "$containerd_pid" 2>/dev/null || true
  fi
  dockerd_pid=''
}

# start_docker: with the runtime runsc, which has the session of $session.
start_docker() {
  # shellcheck disable=SC2046,SC2086 # words on purpose
  cat >"$scratch/daemon.json" <<EOF
{"runtimes": {"runsc": {"path": "$RUNSC", "runtimeArgs":
  ["--pod-init-config=$session", "--network=none"$(printf ', "%s"' $flags)]}}}
EOF
  start_dockerd "$scratch/daemon.json"
}

# start_dockerd CONFIG; the client is $docker then.
start_dockerd() {
  have dockerd || skip "no dockerd (package docker.io)"
  DOCKER_HOST=unix://$scratch/docker.sock
  export DOCKER_HOST
  dockerd --config-file="$1" --data-root="$scratch/data" --exec-root="$scratch/exec" \
    --pidfile="$scratch/dockerd.pid" --host="$DOCKER_HOST" --group="$(id -gn)" \
    --iptables=false --ip6tables=false --bridge=none >"$scratch/dockerd.log" 2>&1 </dev/null &
  dockerd_pid=$!
  # The client of the same package, for another in PATH may want a newer daemon.
  docker=/usr/bin/docker
  [ -x $docker ] || docker=docker
  tries=150
  while ! $docker version >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ $tries -eq 0 ] || ! kill -0 "$dockerd_pid" 2>/dev/null; then
      tail -n 15 "$scratch/dockerd.log"
      skip "no Docker daemon runs here; the end of its log is above"
    fi
    sleep 0.1
  done
}
