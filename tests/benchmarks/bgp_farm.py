# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm: nodes as namespaces on one bridge, a BIRD in each, and the limits of the kernel that many of them need."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import scene
from ansible_collections.podnet.calico.tests.benchmarks.measure import MeasuringFailed, enter
from ansible_collections.podnet.calico.tests.benchmarks.scene import NETNS, PREFIX, ip

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

WIRE = f"{PREFIX}wire"
UNDERLAY = ipaddress.ip_network("198.18.0.0/16")  # of RFC 2544, for benchmarks
LIMITS = Path("/proc/sys/net/ipv4/neigh/default")
KEPT = Path("/run/podnet-bench-neighbours.json")


def node_name(index: int) -> str:
    """Return the name of a node, which is that of its namespace."""
    return f"{PREFIX}node{index}"


def addresses(number: int) -> dict[str, str]:
    """Return that many nodes with their addresses and prefix lengths."""
    return {node_name(index): f"{UNDERLAY[index + 11]}/{UNDERLAY.prefixlen}" for index in range(number)}


class Farm:
    """Namespaces of nodes, each with eth0 on the bridge of the wire; leaving it removes them."""

    def __init__(self, number: int) -> None:
        self.nodes = addresses(number)

    def __enter__(self) -> Farm:
        names = [WIRE, *self.nodes]
        ip("-batch", "-", lines="".join(f"netns add {name}\n" for name in names))
        queues = "numtxqueues 1 numrxqueues 1"
        wire = ["link add br0 type bridge", "link set br0 addrgenmode none up"]
        for index, name in enumerate(self.nodes):
            peer = f"peer name eth0 {queues} netns {name}"
            wire.append(f"link add port{index} {queues} type veth {peer}")
            wire.append(f"link set port{index} addrgenmode none master br0")
        ip("-n", WIRE, "-batch", "-", lines="\n".join(wire))
        for name, address in self.nodes.items():
            lines = ("link set lo up", "link set eth0 addrgenmode none up", f"addr add {address} dev eth0")
            ip("-n", name, "-batch", "-", lines="\n".join(lines))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        sweep()

    def connect(self, number: int) -> None:
        """Have the first nodes on the bridge and no others, all without routes of BIRD and without neighbours."""
        self._ports("down", range(len(self.nodes)))
        for name in self.nodes:
            subprocess.run(["ip", "-n", name, "route", "flush", "proto", "bird"], capture_output=True, check=False)
        self._ports("up", range(number))

    def _ports(self, state: str, indexes: t.Iterable[int]) -> None:
        lines = (f"link set port{index} {state}\n" for index in indexes)
        ip("-n", WIRE, "-batch", "-", lines="".join(lines))


@contextlib.contextmanager
def inside(netns: str) -> t.Iterator[None]:
    """Be in another network namespace (path) for a while: what is opened or started there stays there."""
    back = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(netns)
        yield
    finally:
        enter(f"/proc/self/fd/{back}")
        os.close(back)


class Birds:
    """BIRDs of several nodes, each with its own file and control socket; leaving it ends them by SIGKILL.

    Each has a log of its own, as on hosts: one syslog would have to write those of all nodes, and where there is none,
    BIRD writes to the console, which takes several times what all the rest takes.
    """

    def __init__(self, directory: Path, texts: t.Mapping[str, str]) -> None:
        self._files = {name: directory / name for name in texts}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for name, text in texts.items():
            self._files[name].mkdir(parents=True, exist_ok=True)
            own_log = text.replace("log syslog all;", f'log "{self._files[name] / "log"}" all;')
            (self._files[name] / "bird.conf").write_text(own_log, encoding="utf-8")

    def __enter__(self) -> Birds:
        for name, files in self._files.items():
            command = ["bird", "-f", "-c", str(files / "bird.conf"), "-s", str(files / "bird.ctl")]
            with inside(str(NETNS / name)), open(files / "stderr", "wb") as errors:
                self._processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def pss(self) -> float:
        """Return the memory of all of them in MiB, what they share counted once (proportional set size)."""
        return sum(_pss(process.pid) for process in self._processes.values()) / 1024

    def ask(self, name: str, question: str) -> str:
        """Return what one of them answers."""
        command = ["birdc", "-s", str(self._files[name] / "bird.ctl"), *question.split()]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def complaint(self) -> str:
        """Return what those that ended have said."""
        ended = [name for name, process in self._processes.items() if process.poll() is not None]
        return "; ".join(f"{name}: {(self._files[name] / 'stderr').read_text()[-300:]}" for name in ended)


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise MeasuringFailed(f"the kernel does not tell the PSS of process {pid}")


@contextlib.contextmanager
def many_neighbours(number: int) -> t.Iterator[None]:
    """Let the kernel have the neighbours of that many nodes: it counts those of all namespaces together."""
    files = {path.name: path.read_text(encoding="ascii").strip() for path in sorted(LIMITS.glob("gc_thresh*"))}
    KEPT.write_text(json.dumps(files), encoding="ascii")
    try:
        for name, value in files.items():
            (LIMITS / name).write_text(str(max(int(value), 2 * number * number)), encoding="ascii")
        yield
    finally:
        _put_back()


def _put_back() -> None:
    if KEPT.is_file():
        for name, value in json.loads(KEPT.read_text(encoding="ascii")).items():
            (LIMITS / name).write_text(value, encoding="ascii")
        KEPT.unlink()


def sweep() -> None:
    """End what still runs in namespaces of the benchmarks, remove these, and put the kernel's limits back."""
    names = [name for name in os.listdir(NETNS) if name.startswith(PREFIX)] if NETNS.is_dir() else []
    for pid in {int(pid) for name in names for pid in ip("netns", "pids", name).split()}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    scene.sweep()
    _put_back()
