# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root file system of virtual machines: the machine's own release of Debian, from the machine's own archives."""

from __future__ import annotations

import hashlib
import shutil
import typing as t
from pathlib import Path

import commands
import vm_cache
from apt_root import Archive, archives
from settings import LabError

PACKAGES: t.Final = (
    *("bird2", "ca-certificates", "containernetworking-plugins", "dbus", "iproute2", "iptables", "iputils-ping"),
    *("kmod", "netbase", "nftables", "openssh-server", "procps", "python3", "python3-apt", "python3-pyroute2"),
    *("python3-yaml", "systemd", "systemd-sysv", "tcpdump", "udev"),
)
OPTIONS: t.Final = (
    "--quiet",
    "--mode=root",
    "--variant=minbase",
    f"--include={','.join(PACKAGES)}",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Retries "5"',
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")),
)
# What a boot does not need: consoles that lead nowhere, timers, the clock, which is the machine's.
MASKED: t.Final = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("console-getty.service", "e2scrub_reap.service", "getty-static.service", "getty@tty1.service"),
    "systemd-timesyncd.service",
)


def provide(cache: Path, say: t.Callable[[str], None]) -> Path:
    """Return the tar of the root file system, made first if it is not in the cache. Raises LabError."""
    origin = archives()
    path = cache / f"rootfs-{origin.release}-{_key(origin)}.tar"
    if not path.exists():
        say(f"Making a root file system of Debian {origin.release}; this takes about a minute, once")
        part = cache / f"new-{path.name}"
        commands.run(*_command(origin, part))
        vm_cache.seal(part, path)
    return path


def unpack(tar: Path, root: Path) -> None:
    """Unpack the tar and make of it a system that is to start as a node. Raises LabError."""
    commands.run("tar", "-C", str(root), "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", str(tar))
    units = root / "etc" / "systemd" / "system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    for service, verb in (("bird.service", "disable"), ("systemd-networkd.service", "enable")):
        commands.run("chroot", str(root), "systemctl", "--quiet", verb, service)
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    shutil.rmtree(root / "var" / "lib" / "apt" / "lists", ignore_errors=True)
    (root / "etc" / "fstab").write_text("/dev/ubda / ext4 defaults,errors=remount-ro 0 1\n")


def _key(origin: Archive) -> str:
    return hashlib.sha256("\n".join([origin.release, *OPTIONS]).encode()).hexdigest()[:8]


def _command(origin: Archive, part: Path) -> list[str]:
    if shutil.which("mmdebstrap") is None:
        raise LabError("mmdebstrap is not installed: run `sudo tests/lab/bootstrap.sh vm`.")
    return ["mmdebstrap", *OPTIONS, origin.release, str(part), *origin.sources]
