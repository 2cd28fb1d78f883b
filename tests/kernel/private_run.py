# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A /run of the tests' own: named namespaces, locks and notes of several pytest processes do not meet in it.

It goes with the last process that sees it, and all namespaces that were named in it go with it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_RESOLVER = Path("/etc/resolv.conf")


def enter() -> None:
    """Give this process, and all that it starts from now on, an empty /run; needs root."""
    resolver = _RESOLVER.resolve()
    text = resolver.read_text() if resolver.is_file() else ""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS)")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run"], check=True)
    if not resolver.exists():  # packages are fetched by some tests
        resolver.parent.mkdir(parents=True)
        resolver.write_text(text)


def left_behind() -> list[str]:
    """Return the named namespaces and the processes that there still are, but for this process."""
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    return [*names, *(found for found in map(_shown, _processes()) if found)]


def _processes() -> list[int]:
    here = os.stat("/proc/self/ns/mnt").st_ino
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if pid != os.getpid() and os.stat(f"/proc/{pid}/ns/mnt").st_ino == here:
                found.append(pid)
        except OSError:  # it has ended
            continue
    return found


def _shown(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
