# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run apt or dpkg when no other program holds their locks:  package_lock.py LOG LOCK... -- COMMAND...

Waits for each lock, and says on the standard output for which and for whom. The command runs in this very process and
so inherits the locks, which belong to a process (fcntl(2)) and not to a program: nobody can take them in between, and
apt and dpkg get what their own process has. What the command prints goes to the end of LOG. Needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
from pathlib import Path

# Above the descriptors that apt, dpkg and debconf give a meaning.
FIRST_DESCRIPTOR = 50


def main(log: str, *arguments: str) -> None:
    """Wait for the locks, then become the command."""
    split = arguments.index("--")
    locks, command = arguments[:split], arguments[split + 1 :]
    for lock in locks:
        if Path(lock).parent.is_dir():
            take(lock)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted


def take(path: str) -> None:
    """Take a lock for as long as this process lives, whatever program it becomes."""
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    handle = fcntl.fcntl(opened, fcntl.F_DUPFD, FIRST_DESCRIPTOR)  # stays open in the command
    os.close(opened)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(f"Waiting for {holder(handle)}, which holds {path}", flush=True)
        fcntl.lockf(handle, fcntl.LOCK_EX)


def holder(handle: int) -> str:
    """Return the process that holds a file's lock, as far as /proc/locks tells (proc(5)); another one may by now."""
    about = os.fstat(handle)
    device = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    for pid in re.findall(rf"POSIX +ADVISORY +WRITE +(\d+) {device} ", Path("/proc/locks").read_text()):
        with contextlib.suppress(OSError):
            return f"process {pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    return "another program"


if __name__ == "__main__":
    main(*sys.argv[1:])
