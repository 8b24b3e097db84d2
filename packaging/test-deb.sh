#!/usr/bin/env bash
# The Debian package on a clean root: built, installed, run, restarted, upgraded, removed and purged.
# Needs root, debootstrap, cargo-deb and softflowd. MIRROR names another mirror of Debian; SUITE another release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'test-deb: %s\n' "$*" >&2; exit 1; }

for tool in debootstrap cargo-deb softflowd chroot; do
  command -v "$tool" >/dev/null || fail "$tool is missing"
done
[[ $(id -u) == 0 ]] || fail 'it needs root, for a root of its own'

port=${PORT:-20550}
work=$(mktemp -d)
root=$work/root
pid=
cleanup() {
  [[ -z $pid ]] || kill "$pid" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

say build
packaging/build-deb.sh --output "$work/first.deb"
cargo deb --no-build --locked --deb-version 9999.0.0-1 --output "$work/second.deb"
dpkg-deb --contents "$work/first.deb"
if command -v lintian >/dev/null; then
  lintian --suppress-tags no-changelog,no-copyright-file "$work/first.deb" || true
fi

say 'a clean root'
debootstrap --variant=minbase "${SUITE:-bookworm}" "$root" ${MIRROR:+"$MIRROR"} >"$work/debootstrap.log" ||
  { tail "$work/debootstrap.log"; fail 'debootstrap'; }
cp "$work"/{first,second}.deb "$root/"

in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
flows() { in_root /usr/bin/flowglass check --db /var/lib/flowglass/flows.db | sed -n 's/^sound: \([0-9]*\) flows.*/\1/p'; }

# As the unit does it, without an init.
start() {
  : >"$work/log"
  chroot --userspec=flowglass:flowglass "$root" env STATE_DIRECTORY=/var/lib/flowglass \
    /usr/bin/flowglass --no-ui --host 127.0.0.1 --port "$port" --flush-interval 1s 2>"$work/log" &
  pid=$!
  for _ in $(seq 100); do grep -q 'storing' "$work/log" && return; sleep 0.1; done
  cat "$work/log"
  fail 'it does not start'
}
stop() {
  kill "$pid"
  wait "$pid" || fail 'it ended with an error'
  pid=
}
collect() {
  softflowd -d -r fixtures/softflowd-v9/capture.pcap -n "127.0.0.1:$port" -v 9 >/dev/null 2>&1
  for _ in $(seq 100); do grep -q 'flush flows=[1-9]' "$work/log" && return; sleep 0.1; done
  cat "$work/log"
  fail 'nothing was collected'
}

say install
in_root dpkg --install /first.deb
in_root getent passwd flowglass || fail 'there is no user'
for file in /usr/bin/flowglass /etc/flowglass/flowglass.toml /usr/lib/systemd/system/flowglass.service \
  /usr/lib/systemd/system/flowglass.socket /usr/share/man/man1/flowglass.1.gz /usr/share/man/man1/flowglass-doctor.1.gz \
  /usr/share/bash-completion/completions/flowglass /usr/share/zsh/vendor-completions/_flowglass \
  /usr/share/fish/vendor_completions.d/flowglass.fish; do
  [[ -e $root$file || -e $root/${file#/usr/} ]] || fail "$file is missing"
done
in_root /usr/bin/flowglass config | grep -q '^port = 2055 ' || fail 'the configuration is not read'

say 'run, and collect from softflowd'
start
collect
[[ $(stat -c %a "$root/var/lib/flowglass") == 750 ]] || fail 'the folder is for everybody'
[[ $(stat -c %a "$root/var/lib/flowglass/flows.db") == 640 ]] || fail 'the database is for everybody'
stop
before=$(flows)
[[ $before -gt 0 ]] || fail 'no flow was kept'

say 'restart'
start
grep -q 'templates of the run before are known templates=[1-9]' "$work/log" || fail 'the templates are gone'
collect
stop
after=$(flows)
[[ $after -gt $before ]] || fail 'the restart cost flows'

say upgrade
sed -i 's/^#log = .*/log = "debug"/' "$root/etc/flowglass/flowglass.toml"
in_root dpkg --install /second.deb
[[ $(flows) == "$after" ]] || fail 'the upgrade cost flows'
grep -q '^log = "debug"' "$root/etc/flowglass/flowglass.toml" || fail 'the upgrade cost the settings'
start
collect
stop
after=$(flows)

say 'remove, and install again'
in_root dpkg --remove flowglass
[[ -e $root/var/lib/flowglass/flows.db && ! -e $root/usr/bin/flowglass ]] || fail 'removal took the database, or left the program'
in_root dpkg --install /second.deb
[[ $(flows) == "$after" ]] || fail 'removal cost flows'

say 'under systemd, where this host can boot one in a container'
if command -v systemd-nspawn >/dev/null && in_root apt-get install -qq -y --no-install-recommends systemd-sysv dbus >"$work/apt.log" 2>&1; then
  cat >"$root/probe" <<'PROBE'
#!/bin/sh
for second in 1 2 3 4 5 6 7 8 9 10; do systemctl -q is-active flowglass && break; sleep 1; done
systemctl reload flowglass && echo reloaded
systemctl restart flowglass && echo restarted
systemctl is-active flowglass
systemctl is-enabled flowglass.socket
journalctl -u flowglass -o cat --no-pager
systemd-analyze security flowglass --no-pager | tail -n 1
flowglass check
PROBE
  cat >"$root/etc/systemd/system/probe.service" <<'UNIT'
[Unit]
After=flowglass.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'sh /probe >/probe.log 2>&1'
ExecStopPost=/bin/systemctl poweroff --no-block
UNIT
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -sf ../probe.service "$root/etc/systemd/system/multi-user.target.wants/probe.service"
  timeout 120 systemd-nspawn -q -D "$root" -b --keep-unit --register=no >"$work/nspawn.log" 2>&1 || true
  if [[ -s $root/probe.log ]]; then
    cat "$root/probe.log"
    for line in reloaded restarted active disabled 'settings read again' "sound: $after flows"; do
      grep -q "$line" "$root/probe.log" || fail "systemd: not $line"
    done
  else
    echo 'skipped: it does not boot here'
  fi
else
  echo 'skipped: systemd-nspawn is missing, or there is no systemd to install'
fi

say purge
in_root dpkg --purge flowglass
[[ ! -e $root/var/lib/flowglass && ! -e $root/etc/flowglass ]] || fail 'purge left something'

say 'all of it is as it should be'
