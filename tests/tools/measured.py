# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command, measure it, and see that it leaves no process behind:  measured.py RESULT.json COMMAND...

The command's orphans become children of this program (prctl(2), PR_SET_CHILD_SUBREAPER), so the processor time of
daemons and machines that it starts counts, once they have ended. A process that outlives the command by GRACE_SECONDS
is killed and named, and makes the exit status 1. Needs nothing but Python: it runs before anything is installed.

RESULT.json: wall_seconds, cpu_seconds (user and system), status (of the command), left_running (command lines).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

GRACE_SECONDS = 5.0
PR_SET_CHILD_SUBREAPER = 36


def main(arguments: t.Sequence[str]) -> int:
    """Run arguments[1:] and write what it cost to the file arguments[0]; return its exit status."""
    result, command = Path(arguments[0]), arguments[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    began = time.monotonic()
    child = subprocess.Popen(command)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, __: child.send_signal(received))
    reaper = Reaper()
    status = reaper.wait_for(child.pid)
    wall = time.monotonic() - began
    left = reaper.end_orphans()
    for line in left:
        print(f"left running, and killed: {line}", file=sys.stderr)
    cost = {"wall_seconds": round(wall, 1), "cpu_seconds": round(reaper.cpu_seconds, 1)}
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps({**cost, "status": status, "left_running": left}))
    return status or (1 if left else 0)


class Reaper:
    """Waits for children and orphans, and adds up their processor time."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0

    def wait_for(self, pid: int) -> int:
        """Reap everything that ends until this child does; return its exit status as a shell does."""
        while True:
            ended, status = self._reap(0)
            if ended == pid:
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

    def end_orphans(self) -> list[str]:
        """Give what still runs time to end, kill the rest; return the command lines of what was killed."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self._reap_ended() and time.monotonic() < deadline:
            time.sleep(0.05)
        killed: dict[int, str] = {}
        while self._reap_ended():  # the children of what is killed become orphans, too
            for orphan in _children():
                killed.setdefault(orphan, _command_line(orphan))
                os.kill(orphan, signal.SIGKILL)
            time.sleep(0.05)
        return list(killed.values())

    def _reap_ended(self) -> bool:
        """Reap what has ended and tell whether anything still runs."""
        try:
            while self._reap(os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return False
        return True

    def _reap(self, options: int) -> tuple[int, int]:
        pid, status, usage = os.wait4(-1, options)
        self.cpu_seconds += usage.ru_utime + usage.ru_stime
        return pid, status


def _children() -> list[int]:
    own, found = str(os.getpid()), []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[1] == own and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
