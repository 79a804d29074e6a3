#!/usr/bin/env bash
# A libvirtd of one's own, as root, beside any that runs: own mount namespace over libvirt's folders and /run.
#
#   private-libvirtd.sh start DIR        starts virtlogd and libvirtd with their state in DIR; prints the URI
#   private-libvirtd.sh uri DIR          the URI, usable from outside of the namespace
#   private-libvirtd.sh pid DIR          the pid of libvirtd
#   private-libvirtd.sh exec DIR CMD …   runs CMD in the namespace: there /etc/libvirt is DIR/etc, /run is DIR/run, and
#                                        qemu:///system is this libvirtd; also after `halt`
#   private-libvirtd.sh halt DIR         ends libvirtd alone; its guests run on
#   private-libvirtd.sh restart DIR      halt, and a libvirtd anew in the same namespace
#   private-libvirtd.sh reload DIR       SIGHUP: hooks that are new are found
#   private-libvirtd.sh stop DIR         destroys its guests, ends both daemons; DIR and its logs stay
# Guests run as root (PRIVATE_LIBVIRTD_USER=libvirt-qemu changes that) without a security driver, and with the host's /dev:
# PRIVATE_LIBVIRTD_NAMESPACES=mount gives each a /dev of its own, as libvirt's default does. No systemd needed.
set -euo pipefail
die() { echo "private-libvirtd: $*" >&2; exit 1; }
usage() { sed -n '2,15s/^# \{0,1\}//p' "$0"; }
[ $# -ge 2 ] || { usage >&2; exit 2; }
verb=$1 dir=$2
shift 2

alive() { [ -s "$dir/$1.pid" ] && kill -0 "$(cat "$dir/$1.pid")" 2>/dev/null; }
uri() { echo "qemu+unix:///system?socket=$dir/run/libvirt/libvirt-sock"; }
# virtlogd lives as long as the namespace, libvirtd may be halted.
enter() { nsenter -t "$(cat "$dir/virtlogd.pid")" -m -r -- env -C "$PWD" "$@"; }

configure() {
  mkdir -p "$dir"/{etc,lib,run/libvirt,run/lock,log,cache}
  chmod 0755 "$dir" "$dir"/{etc,lib,run,log,cache}
  cp -a /etc/libvirt/. "$dir/etc/"
  rm -rf "$dir"/etc/qemu/* "$dir"/etc/storage "$dir"/etc/hooks "$dir"/etc/secrets "$dir"/etc/nwfilter
  mkdir -p "$dir/etc/hooks/qemu.d" "$dir/etc/qemu"
  cat >>"$dir/etc/libvirtd.conf" <<CONF
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
CONF
  local namespaces=${PRIVATE_LIBVIRTD_NAMESPACES:+"\"$PRIVATE_LIBVIRTD_NAMESPACES\""}
  cat >>"$dir/etc/qemu.conf" <<CONF
security_driver = "none"
user = "${PRIVATE_LIBVIRTD_USER:-root}"
group = "${PRIVATE_LIBVIRTD_USER:-root}"
namespaces = [$namespaces]
cgroup_controllers = []
CONF
}

# Runs in the new namespace. The daemons keep it alive.
# shellcheck disable=SC2016  # the inner shell expands
inside='
  dir=$1
  mount --bind "$dir/etc" /etc/libvirt
  mount --bind "$dir/lib" /var/lib/libvirt
  mount --bind "$dir/log" /var/log/libvirt
  mount --bind "$dir/cache" /var/cache/libvirt
  mount --bind "$dir/run" /run
  virtlogd &
  echo $! >"$dir/virtlogd.pid"
  echo $$ >"$dir/libvirtd.pid"
  exec libvirtd
'

# libvirt enters the namespaces of its guests, and lands in the root folder of a namespace: below a chroot that is another one than ours,
# and the nodes for a guest would be made there. So our root folder becomes that of the namespace first.
own_root='
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def must(result, what):
    if result != 0: sys.exit(f"private-libvirtd: {what}: {os.strerror(ctypes.get_errno())}")
root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
must(libc.setns(os.open("/proc/self/ns/mnt", os.O_RDONLY), 0x00020000), "setns")  # CLONE_NEWNS
os.fchdir(root)
if not os.path.sameopenfile(root, os.open("/", os.O_RDONLY | os.O_DIRECTORY)):
    must(libc.syscall(155, b".", b"."), "pivot_root")  # of x86_64
    must(libc.umount2(b".", 2), "umount")  # MNT_DETACH
os.chdir("/")
os.execvp(sys.argv[1], sys.argv[1:])
'

answers() { # a new libvirtd, within 30 s
  local try
  for ((try = 0; try < 300; try++)); do
    [ -S "$dir/run/libvirt/libvirt-sock" ] && virsh -q -c "$(uri)" uri >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  return 1
}

# The namespace is virtlogd's, too.
restart() {
  alive virtlogd || die "none was started in $dir"
  end libvirtd
  rm -f "$dir/run/libvirt/libvirt-sock"
  # shellcheck disable=SC2016  # the inner shell expands
  setsid nsenter -t "$(cat "$dir/virtlogd.pid")" -m -r -- bash -euc 'echo $$ >"$1/libvirtd.pid"; exec libvirtd' private-libvirtd "$dir" \
    </dev/null >>"$dir/log/start.log" 2>&1 &
  answers || die "libvirtd did not answer again within 30 s; see $dir/log"
  uri
}

start() {
  [ "$(id -u)" = 0 ] || die "needs root"
  for program in libvirtd virtlogd virsh nsenter; do command -v $program >/dev/null || die "no $program; run tools/install-packages"; done
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [ ${#dir} -le 70 ] || die "$dir is too long for the path of a socket"
  alive libvirtd && die "one runs in $dir already (pid $(cat "$dir/libvirtd.pid"))"
  configure
  mkdir -p /etc/libvirt /var/{lib,log,cache}/libvirt
  local root=()
  [ -z "${PRIVATE_LIBVIRTD_NAMESPACES:-}" ] || root=(python3 -c "$own_root")
  setsid unshare -m --propagation private "${root[@]}" bash -euc "$inside" private-libvirtd "$dir" </dev/null >"$dir/log/start.log" 2>&1 &
  answers && { uri; return 0; }
  cat "$dir/log/start.log" >&2
  stop
  die "libvirtd did not answer within 30 s; see $dir/log"
}

end() {
  local pid try
  alive "$1" || { rm -f "$dir/$1.pid"; return 0; }
  pid=$(cat "$dir/$1.pid")
  kill "$pid"
  for ((try = 0; try < 100; try++)); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -0 "$pid" 2>/dev/null && kill -9 "$pid"
  rm -f "$dir/$1.pid"
}

stop() {
  local name file pid
  if alive libvirtd; then
    timeout 20 virsh -q -c "$(uri)" list --uuid 2>/dev/null | while read -r name; do
      [ -z "$name" ] || timeout 20 virsh -q -c "$(uri)" destroy "$name" >/dev/null 2>&1 || true
    done
  fi
  end libvirtd
  # A guest that libvirtd could not destroy: its pid file names it, and its command line must agree.
  for file in "$dir"/run/libvirt/qemu/*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q '^[^ ]*qemu-system'; then kill -9 "$pid" || true; fi
  done
  end virtlogd
}

case $verb in
  start) start ;;
  *)
    [ -d "$dir" ] || die "no folder $dir"
    dir=$(cd "$dir" && pwd)
    case $verb in
      stop) stop ;;
      uri) uri ;;
      halt) end libvirtd ;;
      restart) restart ;;
      exec)
        alive virtlogd || die "none was started in $dir"
        enter "$@"
        ;;
      pid | reload)
        alive libvirtd || die "none runs in $dir"
        case $verb in
          pid) cat "$dir/libvirtd.pid" ;;
          reload) kill -HUP "$(cat "$dir/libvirtd.pid")" ;;
        esac
        ;;
      *) usage >&2; exit 2 ;;
    esac
    ;;
esac
