# shellcheck shell=bash
# Tiny packages made for the tests. Sourced.

# deb OUT NAME VERSION: builds the folder that the caller has filled ($stage) and empties it again.
deb() {
  mkdir -p "$stage/DEBIAN"
  cat >"$stage/DEBIAN/control" <<CONTROL
Package: $2
Version: $3
Architecture: all
Maintainer: vm-patch tests <root@localhost>
Source: ${source_of:-$2}
Section: misc
Priority: optional
${relations:+$relations
}Description: test package $2
 Made by testimages/mini-debian.
CONTROL
  sed -i '/^$/d' "$stage/DEBIAN/control"
  SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -Zgzip -b "$stage" "$1/${2}_${3}_all.deb" >/dev/null
  rm -rf "$stage"
  mkdir -p "$stage"
}

# script NAME: a maintainer script from stdin.
script() {
  mkdir -p "$stage/DEBIAN"
  cat >"$stage/DEBIAN/$1"
  chmod 0755 "$stage/DEBIAN/$1"
}

# data PATH [MODE]: a file from stdin.
data() {
  mkdir -p "$stage/$(dirname "$1")"
  cat >"$stage/$1"
  chmod "${2:-0644}" "$stage/$1"
}

# make_debs OUT: each package in version 1.0 and 2.0.
make_debs() {
  local out=$1 version
  stage=$(mktemp -d)
  for version in 1.0 2.0; do
    # A configuration file whose default changes between the versions.
    printf 'level = %s\ncolor = green\n' "${version%.0}" | data etc/demo-conf.conf
    echo "demo-conf $version" | data usr/share/demo-conf/version
    echo /etc/demo-conf.conf | data DEBIAN/conffiles
    deb "$out" demo-conf $version

    # A service that leaves a trace when it starts. Maintainer scripts are written as debhelper writes them.
    data etc/init.d/demo-service 0755 <<'INIT'
#!/bin/sh
### BEGIN INIT INFO
# Provides:          demo-service
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: leaves a trace when started
### END INIT INFO
case "$1" in
  start | restart | force-reload) echo "$1" >>/var/lib/demo-service/started ;;
esac
exit 0
INIT
    data lib/systemd/system/demo-service.service <<'UNIT'
[Unit]
Description=leaves a trace when started

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/init.d/demo-service start

[Install]
WantedBy=multi-user.target
UNIT
    echo "demo-service $version" | data usr/share/demo-service/version
    mkdir -p "$stage/var/lib/demo-service"
    echo /etc/init.d/demo-service | data DEBIAN/conffiles
    script postinst <<'POSTINST'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
  echo "configured after '$2'" >>/var/lib/demo-service/configured
  if [ -x /usr/bin/deb-systemd-helper ]; then
    deb-systemd-helper unmask demo-service.service >/dev/null || true
    deb-systemd-helper enable demo-service.service >/dev/null || true
  fi
  if [ -d /run/systemd/system ]; then
    deb-systemd-invoke restart demo-service.service >/dev/null || true
  else
    update-rc.d demo-service defaults >/dev/null || true
    invoke-rc.d --skip-systemd-native demo-service restart
  fi
fi
POSTINST
    deb "$out" demo-service $version

    # A library and a program that needs the same version of it; the source package has another name and version.
    echo "library $version" | data usr/lib/demo/libdemo.txt
    breaks=
    [ "$version" != 2.0 ] || breaks='Breaks: demo-app (<< 2.0)'
    relations=$breaks source_of="demo-src ($version-1)" deb "$out" libdemo $version
    printf '#!/bin/sh\necho demo-app %s\n' $version | data usr/bin/demo-app 0755
    # The new one wants its library configured before it is unpacked, as libpam-modules does.
    field=Depends
    [ "$version" != 2.0 ] || field=Pre-Depends
    relations="$field: libdemo (= $version)" source_of="demo-src ($version-1)" deb "$out" demo-app $version
  done
  # A package that cannot be configured, and one that needs what nobody has.
  echo 1.0 | data usr/share/demo-fail/version
  deb "$out" demo-fail 1.0
  echo 2.0 | data usr/share/demo-fail/version
  printf '#!/bin/sh\necho "demo-fail: this is meant to fail" >&2\nexit 1\n' | script postinst
  deb "$out" demo-fail 2.0
  echo 2.0 | data usr/share/demo-needs/version
  relations='Depends: no-such-package' deb "$out" demo-needs 2.0
  rm -rf "$stage"
}
