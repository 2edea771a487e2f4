# What makes each rule fire, as commands for a sandbox: `deeds` calls `deed_with MEMBERS NAME COMMAND` for each, which
# whoever sources this defines. Which rule each is for stands in expected.txt. `; true` at an end keeps sh from becoming its last command.
# shellcheck shell=sh disable=SC2016 # expanded in the sandbox

# prepare_rootfs FOLDER: after make_rootfs. `deed` (deed.c) plays the servers and tools; what busybox has is busybox's.
prepare_rootfs() {
  sh tests/coverage/build.sh "$1/bin/deed" || return 1
  mkdir -p "$1/var/log" "$1/dev/shm" "$1/root/.ssh" "$1/root/.aws" "$1/home/me/.ssh" "$1/host/etc" "$1/lib" "$1/sbin" \
    "$1/etc/apt/sources.list.d" "$1/var/lib/rpm" "$1/run/secrets/kubernetes.io"
  for applet in base64 chmod crontab find grep id ip ln mkdir mv rm rmdir shred sleep tar umask; do
    ln -sf busybox "$1/bin/$applet"
  done
  for name in sbin/nginx sbin/sshd sbin/debugfs sbin/mysqld bin/ssh bin/apt bin/nmap bin/scp bin/wget bin/kubectl bin/pkexec \
    bin/sudo sbin/useradd bin/node bin/npm bin/mount bin/python3 bin/whoami bin/xmrig; do
    rm -f "$1/usr/$name"
    ln "$1/bin/deed" "$1/usr/$name"
  done
  rm -f "$1/bin/bash" "$1/usr/bin/perl"
  ln "$1/bin/deed" "$1/bin/bash"
  for file in var/log/syslog root/.bash_history home/me/.ssh/id_rsa root/.ssh/id_rsa root/.bashrc root/.aws/credentials run/secrets/kubernetes.io/token host/etc/passwd \
    lib/liblzma.so.5.6.0; do
    echo x >"$1/$file"
  done
}

# What a container must have for the system to grant the deeds, as members of its "process": `deed_with MEMBERS NAME COMMAND`.
names='["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
  "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]'
capable="\"capabilities\": {\"bounding\": $names, \"effective\": $names, \"permitted\": $names}"
deed() { deed_with "$capable" "$@"; }

deeds() {
  # ---- Falco's stable rules
  deed traversal '/usr/sbin/nginx run /bin/cat /var/www/../../etc/shadow; true'
  deed trusted-later '/usr/sbin/nginx sleep 5200 read /etc/shadow; true'
  deed untrusted-read '/bin/cat /etc/shadow; true'
  deed second-call 'deed openat2 /etc/shadow; true'
  deed server-shell '/usr/sbin/nginx run /bin/sh -c "echo mine; true"; true'
  deed system-user '/usr/sbin/sshd setuid 33 run /bin/id; true'
  deed api-server 'deed connect 10.96.0.1 443; true'
  deed netcat '/bin/nc 127.0.0.1 1 -e /bin/sh; true'
  deed key-search '/bin/find /root -name id_rsa; /bin/grep -r "BEGIN RSA PRIVATE" /root/.ssh; true'
  deed log-cleared ': >/var/log/syslog; true'
  deed shred '/bin/shred -u /root/.bash_history; true'
  deed symlink '/bin/ln -s /etc/shadow /tmp/link; true'
  deed hardlink '/bin/ln /etc/shadow /root/link; true'
  deed packet 'deed packet; true'
  deed redirect 'deed redirect; true'
  deed module 'deed module; true'
  deed debugfs '/usr/sbin/debugfs sleep 0; true'
  deed release-agent 'deed truncate /tmp/release_agent; true'
  deed ptrace-attach 'deed attach; true'
  deed ptrace-traceme 'deed traceme; true'
  deed aws-search '/bin/find /root -path "*/.aws/credentials"; /bin/grep -r aws_secret_access_key /root/.ssh; true'
  deed shm 'mkdir -p /dev/shm; cp /bin/deed /dev/shm/deed; /dev/shm/deed sleep 0; echo true >/dev/shm/script;
    sh /dev/shm/script; true'
  deed dropped 'cp /bin/deed /root/dropped; /root/dropped sleep 0; true'
  deed memory 'deed memory /bin/deed sleep 0; true'
  # ---- incubating and sandbox rules of Falco
  deed shell-config 'deed open /root/.bashrc; true'
  deed shell-config-read '/bin/cat /root/.bashrc; true'
  deed cron 'echo x >/etc/cron.d/update; /bin/crontab -l; true'
  deed ssh-read '/bin/cat /home/me/.ssh/id_rsa; true'
  deed ssh-write 'echo x >>/root/.ssh/authorized_keys; true'
  deed database '/usr/sbin/mysqld run /bin/deed sleep 0; true'
  deed setns 'deed setns; true'
  deed unshare 'deed unshare; true'
  deed udp 'deed udp 127.0.0.1 5555 sendto 127.0.0.1 5555; true'
  deed setuid 'deed setuid 33 setuid 1; true'
  deed dev-file 'echo x >/dev/new-file; true'
  deed tools '/usr/bin/apt sleep 0; /usr/bin/nmap sleep 0; /usr/bin/scp sleep 0; /usr/bin/wget sleep 0;
    /usr/bin/kubectl sleep 0; /usr/bin/pkexec; /usr/sbin/useradd nothing me; true'
  deed proxy 'HTTP_PROXY=http://x /usr/bin/wget sleep 0; GLIBC_TUNABLES=glibc.malloc.check=3 deed sleep 0; true'
  deed history 'deed truncate /root/.bash_history; /bin/mv /root/.bash_history /root/other; echo x >/root/.bash_history; /bin/rm /root/.bash_history; true'
  deed setuid-bit '/bin/chmod 4755 /bin/deed; true'
  deed mount '/usr/bin/mount sleep 0; true'
  deed environment '/bin/cat /proc/1/environ; true'
  deed exfiltration 'exec /bin/tar cf /tmp/out.tar /host'
  deed library '/usr/sbin/sshd read /lib/liblzma.so.5.6.0; true'
  deed bpf 'deed bpf; true'
  deed accept 'deed accept 127.0.0.1 31000 accept ::1 31000; true'
  deed interpreter '/usr/bin/python3 accept 127.0.0.1 8000; true'
  deed repository 'deed truncate /etc/apt/sources.list; true'
  deed binaries 'deed open /usr/bin/new; /bin/mkdir /usr/bin/folder; /bin/rmdir /usr/bin/folder; /bin/rm /usr/bin/new; true'
  deed below-root 'deed truncate /root/file truncate /new-file truncate /etc/file truncate /var/lib/rpm/file; true'
  deed hidden '/bin/mkdir /tmp/.hidden; echo x >/tmp/.file; /bin/mv /tmp/.file /tmp/.other; true'
  deed drift-chmod 'echo x >/tmp/script; /bin/chmod 755 /tmp/script; true'
  deed userfaultfd 'deed setuid 33 userfaultfd; true'
  deed decode 'echo dHJ1ZQ== | /bin/base64 -d; true'
  deed web-child '/usr/sbin/nginx run /bin/cat /etc/passwd; /usr/sbin/nginx run /usr/bin/wget nothing; /usr/sbin/nginx run /bin/sh -c "echo /dev/tcp/; true"; true'
  deed npm '/usr/bin/npm run /usr/bin/node run /usr/bin/nmap sleep 0; true'
  deed sudo '/usr/bin/sudo nothing -s \\; true'
  deed devices 'echo x >/dev/sdx; /bin/cat /dev/sdx; true'
  deed host-path '/bin/cat /host/etc/passwd; true'
  deed entrypoint 'deed open /proc/self/exe; true'
  # ---- an address that is no loopback, yet answers
  deed outbound 'ip addr add 203.0.113.7/32 dev lo; ip addr add 169.254.169.254/32 dev lo;
    deed accept 203.0.113.7 3333; /usr/bin/ssh accept 203.0.113.7 443; deed accept 169.254.169.254 80; true'
  deed neighbours 'ip addr add 203.0.113.7/32 dev lo; deed udp 203.0.113.7 5555 accept 203.0.113.7 22; /usr/bin/python3 accept 203.0.113.7 8000;
    deed accept 203.0.113.7 31000; /bin/bash udp 203.0.113.7 5000; true'
  # ---- what the attacks on the sensor and tests/data/captures have, made small
  deed own-files 'deed truncate /etc/ld.so.preload truncate /etc/passwd truncate /root/.mcp.json open /proc/sys/kernel/core_pattern
    read /root/.aws/credentials read /run/secrets/kubernetes.io/token; true'
  deed miner 'deed nothing stratum+tcp://x; /usr/bin/xmrig nothing; true'
  deed_with '"terminal": true' terminal 'set -m; /usr/bin/whoami nothing; true'
}
