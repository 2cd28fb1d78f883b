# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever reads sockets ends at its time, also while somebody sends more than it can read."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import namespace
from ansible_collections.podnet.calico.plugins.module_utils.verify import ping, probe_payload, probe_sockets
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_packets import PORT
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

FLOOD = Path(__file__).with_name("flood.py")
NODE, OTHER = "192.0.2.11", "192.0.2.12"
SENDERS = 2
SLACK = 10  # seconds that a busy machine may take for what ends at once elsewhere


@contextlib.contextmanager
def flood(where: Namespace, address: str, port: int) -> t.Iterator[None]:
    """Have processes send packets to a port meanwhile."""
    command = ["nsenter", f"--net={where.path}", sys.executable, str(FLOOD), address, str(port)]
    with contextlib.ExitStack() as stack:
        for __ in range(SENDERS):
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield


@pytest.fixture
def hosts(new_namespace: t.Callable[[str], Namespace]) -> tuple[Namespace, Namespace]:
    """Return two hosts on one wire."""
    host, other = new_namespace("host"), new_namespace("other")
    host.ip(f"link add eth0 type veth peer name eth0 netns {other.name}")
    for place, address in ((host, NODE), (other, OTHER)):
        place.batch("link set eth0 up", f"addr add {address}/24 dev eth0")
    return host, other


class Session:
    """A probe's session on the host."""

    def __init__(self, modules: Modules, host: Namespace) -> None:
        self._modules, self._host, self.session = modules, host, os.urandom(8).hex()
        self.file = Path(f"/run/podnet-calico-probe-{self.session}-{NODE}.pid")

    def run(self, state: str, **options: t.Any) -> Result:
        """Run the module."""
        params = {"state": state, "session": self.session, "address": NODE, **options}
        return self._modules.run(self._host.path, "calico_probe", params)

    def listen(self, seconds: float) -> None:
        """Have the host answer for some seconds."""
        answer = self.run("listening", pod_address="10.244.0.0", seconds=seconds, udp_ports=[51820])
        assert not answer.get("failed"), answer


@pytest.mark.parametrize("port", [PORT, 51820], ids=["the probe's port", "a port to try"])
def test_the_probe_ends_at_its_time(modules: Modules, hosts: tuple[Namespace, Namespace], port: int) -> None:
    session = Session(modules, hosts[0])
    with flood(hosts[1], NODE, port):
        session.listen(2)
        assert session.file.exists()
        wait_for(lambda: not session.file.exists(), "the process that answers has ended")


def test_the_probe_ends_when_it_is_told_to(modules: Modules, hosts: tuple[Namespace, Namespace]) -> None:
    session = Session(modules, hosts[0])
    with flood(hosts[1], NODE, PORT):
        session.listen(600)
        answer = session.run("absent")
    assert answer["arrivals"] == []
    assert not session.file.exists()


def test_who_asks_ends_at_its_time(hosts: tuple[Namespace, Namespace]) -> None:
    with namespace(hosts[0].path), flood(hosts[1], NODE, 40000):
        began = time.monotonic()
        pinger = ping.Pinger(hosts[0].path, "eth0")
        target = ping.Target("nobody", "192.0.2.99")
        pinger.measure([target], count=2, interval=0.1, timeout=0.5)
        pinger.close()
        assert time.monotonic() - began < SLACK
    assert (target.sent, target.times) == (2, [])


class Endless:
    """A socket in which there is always one more packet."""

    family = 2
    taken = 0

    def recv(self, size: int) -> bytes:
        """Return the next one."""
        return self.recvfrom(size)[0]

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        """Return the next one."""
        self.taken += 1
        return b"\x45", (OTHER, 9)


def test_a_look_at_a_socket_ends() -> None:
    endless = Endless()
    assert list(probe_sockets.packets(endless)) == []  # type: ignore[arg-type]
    assert endless.taken == probe_sockets.AT_ONCE
    pinger = ping.Pinger.__new__(ping.Pinger)
    pinger._watch = endless  # type: ignore[assignment]
    pinger._observe({})
    assert endless.taken == 2 * probe_sockets.AT_ONCE


def test_an_exchange_ends(hosts: tuple[Namespace, Namespace], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has bound is told to the flood, which then never lets its socket be empty."""
    told: list[int] = []
    made = probe_payload.socket.socket

    class Told(made):  # type: ignore[misc, valid-type]
        """Notes its port."""

        def bind(self, address: t.Any) -> None:
            """Bind, and note the port."""
            super().bind(address)
            told.append(self.getsockname()[1])
            flooding.enter_context(flood(hosts[1], NODE, told[-1]))

    with contextlib.ExitStack() as flooding, namespace(hosts[0].path):
        monkeypatch.setattr(probe_payload.socket, "socket", Told)
        began = time.monotonic()
        answered, packets = probe_payload.exchange(bytes(8), NODE, {(OTHER, 1, 34): 9}, 0.3)
        spent = time.monotonic() - began
    monkeypatch.undo()
    assert told
    assert (answered, packets[OTHER]) == (set(), 3)
    assert spent < SLACK
