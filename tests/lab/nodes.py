# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes: processes with their own network, file tree, host name, IPC and process table."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import commands
from settings import Lab, LabError

HERE: t.Final = Path(__file__).resolve().parent
NAMESPACES: t.Final = ("--mount", "--net", "--uts", "--ipc", "--pid")
STOP_SECONDS: t.Final = 10.0


@dataclasses.dataclass(frozen=True)
class Process:
    """PID 1 of a node as this machine sees it; the start time (clock ticks since boot) tells it from a reused PID."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        return _stat(self.pid) == (self.started, True)


def folder(lab: Lab, node: str) -> Path:
    """Return the folder of a node's record and layers."""
    return lab.run_dir / "nodes" / node


def recorded(lab: Lab) -> list[str]:
    """Return the names of all nodes that were started, dead or alive."""
    nodes = lab.run_dir / "nodes"
    return sorted(path.name for path in nodes.iterdir()) if nodes.is_dir() else []


def process(lab: Lab, node: str, record: str = "pid") -> Process | None:
    """Return PID 1 of a node as it was recorded at its start; None when there is no record.

    Of a node of kind vm, it is its supervisor, which lives as long as the machine is switched on; its record "guest" is
    the machine itself.
    """
    return read_record(folder(lab, node) / record)


def read_record(path: Path) -> Process | None:
    """Return the process that a file names by PID and start time; None when there is no such file."""
    try:
        pid, began = path.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return Process(int(pid), int(began))


def started(pid: int) -> int | None:
    """Return the start time of a process that runs, in clock ticks since boot; None without it."""
    found = _stat(pid)
    return found[0] if found else None


def dead(lab: Lab, names: t.Iterable[str]) -> list[str]:
    """Return those nodes whose PID 1 does not run."""
    processes = {name: process(lab, name) for name in names}
    return [name for name, found in processes.items() if found is None or not found.is_alive()]


def start(lab: Lab, names: t.Sequence[str], hosts: str) -> None:
    """Start nodes at the same time and wait for all of them; hosts is the text of their /etc/hosts.

    Raises LabError with what the node said when one cannot start; the others may run then.
    """
    starting = [(name, _launch(lab, name, hosts)) for name in names]
    for name, child in starting:
        _await_ready(name, child)
        pid = process(lab, name)
        if pid is None:
            raise LabError(f"Starting {name} failed: it left no record in {folder(lab, name)}.")
        _check_apart(lab, name)
        commands.run("ip", "netns", "attach", lab.namespace(name), str(pid.pid))


def _check_apart(lab: Lab, name: str) -> None:
    """Raise LabError if who enters a node lands on this machine's own files: then nothing may be run in it.

    That is so where the lab is started in a chroot: entering a mount namespace leads to its root, not to the chroot.
    """
    if not commands.succeeds(*enter(lab, name, "test", "-d", "/run/lab")):
        raise LabError(f"{name} cannot be told apart from this machine. A chroot? Start the lab outside of it.")


def stop(lab: Lab) -> None:
    """Kill PID 1 of every recorded node, and with it all processes of the node; wait until they are gone.

    Raises LabError when a process outlives its SIGKILL by ten seconds.
    """
    processes = [found for found in (process(lab, name) for name in recorded(lab)) if found and found.is_alive()]
    for one in processes:
        os.kill(one.pid, signal.SIGKILL)
    await_end(processes)


def await_end(processes: t.Sequence[Process]) -> None:
    """Wait until killed processes are gone. Raises LabError when one outlives its SIGKILL by ten seconds."""
    deadline = time.monotonic() + STOP_SECONDS
    while left := [one.pid for one in processes if one.is_alive()]:
        if time.monotonic() > deadline:
            raise LabError(f"Killed processes do not end: {left}. Look for what holds them with `ps -l`.")
        time.sleep(0.02)


def enter(lab: Lab, node: str, *command: str) -> list[str]:
    """Return the command line that runs a command inside a node, for one of kind vm through SSH.

    Raises LabError when the node does not run.
    """
    found = process(lab, node)
    if found is None or not found.is_alive():
        raise LabError(f"{node} does not run: start the lab with `sudo make lab`.")
    remote = folder(lab, node) / "enter.json"
    if remote.exists():
        return [*json.loads(remote.read_text()), shlex.join(command)]
    return ["nsenter", f"--target={found.pid}", *NAMESPACES, "--", *command]


def _launch(lab: Lab, node: str, hosts: str) -> subprocess.Popen[str]:
    place = folder(lab, node)
    place.mkdir(parents=True)
    (place / "hosts").write_text(hosts)
    init = [str(HERE / "node-init.sh"), node, str(place), str(HERE / "systemctl")]
    # A session of its own, so that an interrupt at the terminal does not reach the nodes.
    return subprocess.Popen(
        ["unshare", *NAMESPACES, "--fork", "--kill-child", *init],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    )


def _await_ready(node: str, child: subprocess.Popen[str]) -> None:
    said: list[str] = []
    for line in child.stdout or ():
        if line == "ready\n":
            return
        said.append(line.strip())
    raise LabError(f"Starting {node} failed: {' / '.join(said) or 'it ended without a word'}.")


def _stat(pid: int) -> tuple[int, bool] | None:
    """Return a process's start time (proc(5), stat, field 22) and whether it is more than a zombie; None without it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[19]), fields[0] not in "ZX"
