# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that is probed: a process in the background notes what arrives and answers it, for a limited time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import VXLAN_PORT
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.verify import (
    probe_packets,
    probe_payload,
    probe_sockets,
)

_FOLDER = "/run"
_POLL = 0.02
_PATIENCE = 5.0
_BACKLOG = 64


class Answerer:
    """Notes and answers the packets of one session, which only who knows its 8 bytes can send.

    node: this node's IPv4 address. pod: the source of packets that look like a pod's. tcp, udp: ports to listen on,
    where nobody else does. netns: of the probe's tunnel, if there is one. busy: UDP ports that others have.
    """

    def __init__(
        self, session: bytes, node: str, pod: str, tcp: t.Iterable[int], udp: t.Iterable[int], netns: int | None
    ) -> None:
        self._session, self._node, self._pod = session, node, pod
        self._wire, self._let_in = probe_sockets.wire(), probe_sockets.let_in()
        self._sender = probe_sockets.Sender()
        self._listeners = [opened for port in tcp for opened in _listen(node, port)]
        self._receiver = None if netns is None else probe_payload.Receiver(netns, session, node)
        echoing = {port: _bind(node, port) for port in udp}
        self._echoing = [opened for found in echoing.values() for opened in found]
        self.busy = [port for port, found in echoing.items() if not found]
        # Somebody has to be there, or the kernel tells the sender that nobody is.
        self._bound = [opened for port in (probe_packets.PORT, VXLAN_PORT) for opened in _bind(node, port)]
        self._known: set[tuple[str, str, int, bool]] = set()
        self._arrived: dict[tuple[str, str], dict[str, int]] = {}

    @property
    def sockets(self) -> list[socket.socket]:
        """Return all sockets."""
        return [*self._sender.sockets, self._wire, *self._let_in, *self._listeners, *self._bound, *self._payload()]

    def _payload(self) -> list[socket.socket]:
        return [*self._echoing, *(self._receiver.sockets if self._receiver else ())]

    def run(self, deadline: float, ended: t.Callable[[], bool]) -> None:
        """Answer until a time (time.monotonic) or an end."""
        watched = [self._wire, *self._let_in, *self._listeners, *self._bound]
        while time.monotonic() < deadline and not ended():
            for opened in select.select([*watched, *self._payload()], [], [], 0.2)[0]:
                if opened in self._listeners:
                    with contextlib.suppress(OSError):  # it has gone since
                        opened.accept()[0].close()
                elif opened in self._bound:
                    with contextlib.suppress(OSError):
                        opened.recv(65535)
                elif opened in self._echoing:
                    with contextlib.suppress(OSError):
                        probe_payload.echo(opened, self._session, self._node)
                elif self._receiver and opened in self._receiver.sockets:
                    self._receiver.take(opened)
                else:
                    self._take(opened)

    def _take(self, opened: socket.socket) -> None:
        from_wire = opened is self._wire
        for probe in probe_sockets.packets(opened):
            key = (probe.node, probe.kind, probe.number, from_wire)
            if probe.session != self._session or probe.answer or key in self._known:
                continue  # a bond and its ports, or a bridge and its ports, each show the same packet
            self._known.add(key)
            self._note(probe, from_wire)
            if self._receiver:
                self._receiver.know(probe.node)
            if from_wire:
                answer = probe._replace(node=self._node, size=probe_packets.SMALLEST, answer=True, intact=True)
                with contextlib.suppress(OSError):  # the sender sees that no answer comes
                    self._sender.send(probe.kind, probe_packets.build(answer, probe.node, self._pod), probe.node)

    def _note(self, probe: probe_packets.Probe, from_wire: bool) -> None:
        row = self._arrived.setdefault((probe.node, probe.kind), dict.fromkeys(("wire", "let_in", "damaged"), 0))
        row["wire" if from_wire else "let_in"] += 1
        row["damaged"] += from_wire and not probe.intact

    def arrivals(self) -> list[dict[str, t.Any]]:
        """Return by node and kind how many came on the "wire", were "let_in", and were "damaged" on the way."""
        arrived = {**self._arrived, **(self._receiver.arrivals() if self._receiver else {})}
        return [{"node": node, "kind": kind, **row} for (node, kind), row in sorted(arrived.items())]


def _listen(address: str, port: int) -> list[socket.socket]:
    """Return a listening socket, none where somebody listens already, who answers as well."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((address, port))
    except OSError:
        opened.close()
        return []
    opened.listen(_BACKLOG)
    opened.setblocking(False)
    return [opened]


def _bind(address: str, port: int) -> list[socket.socket]:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.bind((address, port))
    except OSError:  # the kernel's own VXLAN has it
        opened.close()
        return []
    opened.setblocking(False)  # what select tells of may be thrown away before it is read, as for a wrong checksum
    return [opened]


def start(answerer: Answerer, session: str, node: str, seconds: float, netns: int | None) -> None:
    """Have an answerer answer in the background, for some seconds or until collect is called.

    netns: of its tunnel. Raises DaemonError if the process does not come up.
    """
    deadline, name = time.monotonic() + seconds, f"{session}-{node}"
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        if not _await(lambda: os.path.exists(_path(name, "pid"))):
            raise DaemonError(
                f"listen on {node}: the process that answers has ended", remedy=f"See that {_FOLDER} can be written to"
            )
        return
    status = 1
    try:  # whatever happens, the child must not come back to the module
        os.setsid()
        _let_go({opened.fileno() for opened in answerer.sockets} | {netns})
        if os.fork():
            os._exit(0)
        _stay(answerer, name, deadline, "" if netns is None else f"/proc/{{pid}}/fd/{netns}")
        status = 0
    finally:
        os._exit(status)


def _let_go(kept: t.Container[int | None]) -> None:
    """Close all files but some: whoever started the module waits until nobody has its output open."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):  # the one by which the folder was read
                os.close(int(name))
    for __ in range(3):
        os.open(os.devnull, os.O_RDWR)


def _stay(answerer: Answerer, name: str, deadline: float, netns: str) -> None:
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    _write(_path(name, "pid"), f"{os.getpid()} {netns.format(pid=os.getpid())}")
    try:
        answerer.run(deadline, lambda: bool(asked))
        if asked:
            _write(_path(name, "json"), json.dumps(answerer.arrivals()))
    finally:
        os.unlink(_path(name, "pid"))


def tunnel(session: str, node: str) -> str:
    """Return the path of the namespace of a session's tunnel, empty where there is none."""
    try:
        with open(_path(f"{session}-{node}", "pid")) as file:
            return file.read().partition(" ")[2]
    except OSError:
        return ""


def collect(session: str, node: str) -> list[dict[str, t.Any]]:
    """End the answers of a session and return what arrived.

    Raises InvalidInput if nothing answers in this session, and DaemonError if it does not end.
    """
    name = f"{session}-{node}"
    result = _path(name, "json")
    try:
        with open(_path(name, "pid")) as file:
            process = int(file.read().split()[0])
        os.kill(process, signal.SIGTERM)
        if not _await(lambda: not os.path.exists(_path(name, "pid"))):
            raise DaemonError(
                f"collect what arrived in session {session}: process {process} has not ended in {_PATIENCE:.0f} s",
                remedy=f"The host is too busy: kill {process} if it is still there, and probe again",
            )
        with open(result) as file:
            arrived: list[dict[str, t.Any]] = json.load(file)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"collect what arrived in session {session}: nothing answers in it",
            remedy="Call the module with state=listening before, with more seconds if the probe took longer",
        ) from error
    os.unlink(result)
    return arrived


def _await(condition: t.Callable[[], bool]) -> bool:
    """Wait for a condition, for some seconds; tell whether it holds."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _path(name: str, suffix: str) -> str:
    return os.path.join(_FOLDER, f"podnet-calico-probe-{name}.{suffix}")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
