# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that probes: asks all others at once what gets through to them and how large it may be."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import select
import socket
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.verify import probe_packets, probe_payload, probe_sockets
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_search import Search

ATTEMPTS = 3  # of the first packet of a kind, so that one that is lost on the way is no finding
_LEAST_MTU = 576  # bytes that every IPv4 path carries (RFC 791); TCP needs some, too
PACKETS = 50  # to one node, with the answers from it: both directions of a pair are 100 at most

Question = t.Tuple[str, str]  # a target's address, a kind of packet


@dataclasses.dataclass
class Target:
    """A node that is asked: name, IPv4 address, MTU of the device that leads to it; and what came of it.

    rtt: seconds by kind that was answered. largest: bytes of the IP packet on the underlay. unfinished: kinds of which
    larger packets may pass, since no more were sent. tcp, udp: state by port. payload: what came of TCP and UDP through
    the probe's tunnel, None where it was not tried.
    """

    name: str
    address: str
    mtu: int
    packets: int = 0
    rtt: dict[str, float] = dataclasses.field(default_factory=dict)
    largest: dict[str, int] = dataclasses.field(default_factory=dict)
    unfinished: set[str] = dataclasses.field(default_factory=set)
    tcp: dict[int, str] = dataclasses.field(default_factory=dict)
    udp: dict[int, str] = dataclasses.field(default_factory=dict)
    payload: probe_payload.Answers | None = None

    def result(self) -> dict[str, t.Any]:
        """Return the outcome as data; rtt_ms in milliseconds, largest in bytes, both None without an answer."""
        kinds = {
            kind: {
                "answered": kind in self.rtt,
                "rtt_ms": round(self.rtt[kind] * 1000, 3) if kind in self.rtt else None,
                "largest": self.largest.get(kind),
                "at_least": kind in self.unfinished,
            }
            for kind in probe_packets.KINDS
        }
        facts = {"target": self.name, "address": self.address, "mtu": self.mtu, "packets": self.packets}
        tcp, udp = ({str(port): found[port] for port in sorted(found)} for found in (self.tcp, self.udp))
        payload = self.payload.result() if self.payload else None
        return {**facts, "kinds": kinds, "tcp": tcp, "udp": udp, "payload": payload}


class Asker:
    """Asks from one node. session: 8 bytes. node: its IPv4 address. pod: the source of what looks like a pod's.

    timeout: seconds that an answer may take.
    """

    def __init__(self, session: bytes, node: str, pod: str, timeout: float) -> None:
        self._session, self._node, self._pod, self._timeout = session, node, pod, timeout
        self._wire, self._sender = probe_sockets.wire(), probe_sockets.Sender()
        self._number = 0

    def ask(self, targets: t.Sequence[Target], tcp: t.Sequence[int], udp: t.Sequence[int], netns: str) -> None:
        """Fill in what gets through to the targets, how large it may be, and which ports answer.

        netns: the path of the namespace of this node's tunnel, empty where there is none.
        """
        by_address = {target.address: target for target in targets}
        # What looks like a pod's comes second: by then the kernel knows the MACs of the next hops.
        self._first(by_address, [kind for kind in probe_packets.KINDS if kind != "pod"])
        self._first(by_address, ["pod"])
        # No packet is larger than the largest plain one, which mostly is the largest of the others, too.
        self._measure(by_address, ("plain",))
        self._measure(by_address, ("ipip", "vxlan"))
        if netns:
            self._send_payload(by_address, netns)
        _connect(by_address, tcp, self._node, self._timeout * ATTEMPTS)
        self._reach(by_address, udp)

    def _send_payload(self, targets: t.Mapping[str, Target], netns: str) -> None:
        """Try TCP and UDP through the tunnel where VXLAN passes, and as many packets may still be sent."""
        room = {address: PACKETS - target.packets for address, target in targets.items() if "vxlan" in target.rtt}
        sizes = {name: targets[name].largest["vxlan"] for name, left in room.items() if left >= probe_payload.PACKETS}
        sizes = {name: size for name, size in sizes.items() if size >= _LEAST_MTU}
        asker = probe_payload.Asker(netns, self._session, self._node, self._timeout)
        with contextlib.suppress(KernelError):  # the process that listens has ended; all else has been measured
            for address, answers in asker.ask(sizes, room).items():
                targets[address].payload = answers
                targets[address].packets += answers.packets

    def _reach(self, targets: t.Mapping[str, Target], ports: t.Sequence[int]) -> None:
        """Note for each UDP port whether it is "open", which takes somebody of the probe to answer, or "silent"."""
        asked = {(address, port, probe_payload.SMALL): port for address in targets for port in ports}
        answered, __ = probe_payload.exchange(self._session, self._node, asked, self._timeout)
        for key, port in asked.items():
            targets[key[0]].udp[port] = "open" if key in answered else "silent"

    def _first(self, targets: t.Mapping[str, Target], kinds: t.Sequence[str]) -> None:
        left = [(address, kind) for address in targets for kind in kinds]
        for __ in range(ATTEMPTS):
            times = self._round(dict.fromkeys(left, probe_packets.SMALLEST), targets)
            for (address, kind), seconds in times.items():
                targets[address].rtt[kind] = seconds
            left = [question for question in left if question not in times]

    def _measure(self, targets: t.Mapping[str, Target], kinds: t.Sequence[str]) -> None:
        searches = {
            (address, kind): Search(probe_packets.SMALLEST, target.largest.get("plain", target.mtu))
            for address, target in targets.items()
            for kind in kinds
            if kind in target.rtt
        }
        live = {question: search.size for question, search in searches.items() if search.size is not None}
        while live:
            times = self._round(live, targets)
            for question in live:
                searches[question].answer(question in times)
            within = {address for address, target in targets.items() if target.packets <= PACKETS - 2 * len(kinds)}
            sizes = {question: searches[question].size for question in live if question[0] in within}
            live = {question: size for question, size in sizes.items() if size is not None}
        for (address, kind), search in searches.items():
            targets[address].largest[kind] = search.found
            if search.size is not None:
                targets[address].unfinished.add(kind)

    def _round(self, questions: t.Mapping[Question, int], targets: t.Mapping[str, Target]) -> dict[Question, float]:
        """Send one packet of a size (bytes) for each question; return the seconds until the answers that came."""
        sent: dict[int, tuple[Question, float]] = {}
        for question, size in questions.items():
            address, kind = question
            self._number += 1
            probe = probe_packets.Probe(kind, self._session, self._node, self._number, size)
            targets[address].packets += 1
            sent[self._number] = question, time.monotonic()
            try:
                self._sender.send(kind, probe_packets.build(probe, address, self._pod), address)
            except OSError:  # no route, the own firewall, the device's MTU, a full queue: it is lost on its first step
                del sent[self._number]
        return self._answers(sent, targets)

    def _answers(
        self, sent: dict[int, tuple[Question, float]], targets: t.Mapping[str, Target]
    ) -> dict[Question, float]:
        times: dict[Question, float] = {}
        deadline = time.monotonic() + self._timeout
        while sent and time.monotonic() < deadline:
            select.select([self._wire], [], [], max(0.0, deadline - time.monotonic()))
            for probe in probe_sockets.packets(self._wire):
                question, began = sent.get(probe.number, (("", ""), 0.0))
                if not probe.answer or probe.session != self._session or question != (probe.node, probe.kind):
                    continue
                del sent[probe.number]
                targets[probe.node].packets += 1
                times[question] = time.monotonic() - began
        return times


def _connect(targets: t.Mapping[str, Target], ports: t.Sequence[int], node: str, timeout: float) -> None:
    """Note for each port whether a connection to a target is "open", "refused", or "silent" for some seconds."""
    waiting: dict[socket.socket, tuple[Target, int]] = {}
    for target in targets.values():
        for port in ports:
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            opened.bind((node, 0))
            opened.setblocking(False)
            opened.connect_ex((target.address, port))
            waiting[opened] = target, port
            target.tcp[port] = "silent"
    deadline = time.monotonic() + timeout
    while waiting and time.monotonic() < deadline:
        for opened in select.select([], list(waiting), [], max(0.0, deadline - time.monotonic()))[1]:
            target, port = waiting.pop(opened)
            code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            unanswered = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)
            target.tcp[port] = "open" if not code else "silent" if code in unanswered else "refused"
            opened.close()
    for opened in waiting:
        opened.close()
