# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one virtual machine, and start it again when it reboots:  vm_supervisor.py FOLDER

A guest that reboots by itself loses its network: User-mode Linux starts anew inside its process, whose network device
is still open. So it is told to end instead (noreboot), and what its console said last tells a reboot from another end.

FOLDER holds command.json, the arguments of the guest. Written there: "pid" (this program's PID and start time), "guest"
(the same of the guest, which leads a process group), "boots" (how many starts so far), "console.log" of this start and
"console-before.log" of those before, "ended" (why the last one ended). Needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

RESTART = b"reboot: Restarting system"


def main() -> int:
    """Run the guest until it ends without the wish to start again."""
    folder = Path(sys.argv[1])
    write(folder / "pid", record(os.getpid()))
    boots = 0
    while True:
        boots += 1
        status = run(folder, boots)
        if RESTART not in (folder / "console.log").read_bytes():
            write(folder / "ended", f"exit status {status} after {boots} starts")
            return 0


def run(folder: Path, boots: int) -> int:
    """Start the guest once, wait for its end and remove what is left of it; return its exit status."""
    keep_console(folder)
    # User-mode Linux takes another folder for its control socket if this one has a trace of a guest that was killed.
    for trace in (folder / "control").iterdir():
        shutil.rmtree(trace)
    with (folder / "console.log").open("wb") as console:
        guest = subprocess.Popen(
            json.loads((folder / "command.json").read_text()),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # The checkout may be below a home that only its owner enters. From there the guest's user cannot go
            # back after a look at the image, and User-mode Linux gives its disk up: "errno = 22", and no root.
            cwd="/",
        )
    write(folder / "guest", record(guest.pid))
    write(folder / "boots", str(boots))
    status = guest.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(guest.pid, signal.SIGKILL)
    (folder / "guest").unlink(missing_ok=True)
    return status


def keep_console(folder: Path) -> None:
    """Add what the start before said to the log of all of them."""
    last = folder / "console.log"
    if last.exists():
        with (folder / "console-before.log").open("ab") as log:
            log.write(last.read_bytes())


def record(pid: int) -> str:
    """Return a process's PID and its start time (proc(5), stat, field 22)."""
    return f"{pid} {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"


def write(path: Path, text: str) -> None:
    """Write a file so that readers see all of it or none."""
    part = path.with_name(f".{path.name}")
    part.write_text(f"{text}\n")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
