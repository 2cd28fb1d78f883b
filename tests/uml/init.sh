#!/bin/sh
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The first process of the guest that uml.py boots. Its root is the host's tree, read only, through hostfs.
# It lays an overlay in memory over that tree, changes into it, runs the command, and powers the guest off.
# UML_CHECKOUT and UML_SHARE come from the kernel's command line, which hands unknown words to init as variables.

set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8
modules=/usr/lib/uml/modules/$(uname -r)

lay_overlay() {
    mount -t tmpfs -o mode=0755 tmpfs /mnt
    mkdir /mnt/upper /mnt/work /mnt/root
    insmod "$modules/kernel/fs/overlayfs/overlay.ko"
    mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
}

mount_kernel_trees() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    mkdir -p /dev/pts /dev/shm
    mount -t devpts -o mode=0620,ptmxmode=0666 devpts /dev/pts
    ln -sf pts/ptmx /dev/ptmx
    ln -sfn /proc/self/fd /dev/fd
    for tree in /dev/shm /run; do
        mount -t tmpfs -o mode=1777 tmpfs "$tree"
    done
    chmod 0755 /run
    mkdir -p /run/lock
}

# An overlay cannot have its upper directory on an overlay, and the lab's nodes keep theirs under .lab: give it memory.
# The share is the one place of the host that the guest can write to.
mount_share() {
    mkdir -p "$UML_CHECKOUT/.lab"
    mount -t tmpfs -o mode=0755 tmpfs "$UML_CHECKOUT/.lab"
    mkdir -p "$UML_SHARE"
    mount -t hostfs -o "$UML_SHARE" none "$UML_SHARE"
}

load_modules() {
    mkdir -p /lib/modules
    ln -sfn "$modules" "/lib/modules/$(uname -r)"
    modprobe -a af_packet veth bridge vxlan ipip
}

# The command writes to a file that is followed onto the terminal: it sees no terminal, so it does not colour or wrap,
# and a daemon that it leaves behind cannot keep the guest from ending. The process behind $ended lives as long as
# the command does, and tail goes with it.
run_command() {
    out=/run/uml-output
    : >"$out"
    stty -F /dev/tty1 raw -echo
    sleep infinity &
    ended=$!
    tail -q -f -c +1 -s 0.2 --pid="$ended" "$out" >/dev/tty1 2>/dev/null &
    follower=$!
    echo started >"$UML_SHARE/state"
    status=0
    /bin/sh "$UML_SHARE/command" </dev/null >>"$out" 2>&1 || status=$?
    kill "$ended"
    wait "$follower" || true
    stty -F /dev/tty1 raw -echo # waits until the terminal has sent what it holds
    echo "ended $status" >"$UML_SHARE/state"
}

power_off() {
    echo o >/proc/sysrq-trigger
    sleep 60
}

case ${1:-} in
inside)
    umount -l /mnt
    mount_kernel_trees
    trap power_off EXIT
    ip link set lo up
    hostname uml
    load_modules
    mount_share
    run_command
    ;;
*)
    lay_overlay
    cd /mnt/root
    pivot_root . mnt
    exec chroot . "$0" inside
    ;;
esac
