#!/bin/sh
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Become PID 1 of a lab node:  node-init.sh NAME FOLDER SYSTEMCTL
#
# Runs inside new net, mount, uts, ipc and pid namespaces. FOLDER lies on the lab's tmpfs and holds "hosts"; this script
# adds "pid" (PID and start time as the machine sees them), the node's own layer of the file tree and its mount point.
# SYSTEMCTL is the folder of the program that stands in for systemctl. Prints "ready" when the node can be used; anything else it prints before
# that is the reason why it cannot.
set -eu

name=$1 folder=$2 systemctl=$3
root=$folder/root

# /proc still belongs to the machine here, so this is the PID and the start time (field 22) that the machine sees. The
# name of the process in field 2 has no blanks.
read -r stat </proc/self/stat
printf '%s\n' "$stat" | { read -r pid _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ started _; echo "$pid $started"; } >"$folder/pid"

mount --make-rprivate /
mkdir -p "$root" "$folder/layers"

# overlay DIRECTORY: put the node's own layer over a directory of the machine.
overlay() {
    layer=$folder/layers/$(printf '%s' "$1" | tr / _)
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" "$root${1%/}"
}

# copied DIRECTORY: a private copy on the lab's tmpfs, without caches, which nothing in a node needs.
copied() {
    layer=$folder/layers/copy_$(basename "$1")
    mkdir -p "$layer"
    tar -C "$1" --one-file-system --exclude=./cache --exclude=./lib/apt --exclude=./log -cf - . | tar -C "$layer" -xf -
    mkdir -p "$layer/log" "$layer/cache"
    mount --bind "$layer" "$root$1"
}

# The whole tree under one layer. Where the kernel refuses that (a root that is already made of layers), /etc and /var
# get a layer or a copy of their own, /home, /opt and /root are empty, everything else can only be read.
if overlay / 2>/dev/null; then
    for part in /etc /opt /usr /var; do
        if mountpoint -q "$part"; then overlay "$part"; fi
    done
else
    mount -t tmpfs -o mode=755 node "$root"
    for part in /*; do
        case $part in
            /dev | /proc | /run | /sys | /tmp | /lost+found) continue ;;
        esac
        if [ -L "$part" ]; then
            cp -P "$part" "$root$part"
        elif [ -d "$part" ]; then
            mkdir "$root$part"
            case $part in
                /etc | /var) overlay "$part" 2>/dev/null || copied "$part" ;;
                /home | /opt | /root) ;;
                *) overlay "$part" 2>/dev/null || { mount --bind "$part" "$root$part" && mount -o remount,bind,ro "$root$part"; } ;;
            esac
        fi
    done
    mkdir -p "$root/dev" "$root/proc" "$root/run" "$root/sys" "$root/tmp"
fi

cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=755 dev dev
for device in full null random tty urandom zero; do
    if [ -e "/dev/$device" ]; then
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    fi
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

# Whoever asks finds systemd: this folder, the name of PID 1, and a systemctl that knows units, bound over the
# real one where /usr cannot be written.
mkdir -p run/lock run/netns run/systemd/system run/lab .machine
cp "$systemctl"/*.py run/lab/
printf '#!/bin/sh\nexec /usr/bin/python3 -B /run/lab/systemctl.py "$@"\n' >run/lab/systemctl
chmod 755 run/lab/systemctl
if ! { rm -f usr/bin/systemctl && cp run/lab/systemctl usr/bin/systemctl; } 2>/dev/null; then
    mount --bind run/lab/systemctl usr/bin/systemctl
fi
ln -s "$(command -v sleep)" run/lab/systemd

cat "$folder/hosts" >etc/hosts
echo "$name" >etc/hostname
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
hostname "$name"

pivot_root . .machine
umount -l /.machine
rmdir /.machine
# A new network namespace copies these from the machine; a node starts as a plain host does.
echo 0 >/proc/sys/net/ipv4/ip_forward
ip link set lo up

# A process that ignores SIGCHLD never has zombies, its adopted children included (wait(2)).
echo ready
exec env --ignore-signal=CHLD /run/lab/systemd infinity </dev/null >/dev/null 2>&1
