# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets lost between pods: a process sends an echo request for each pair and tick, and counts what comes back."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import socket
import struct
import time
import traceback
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.calico.tests.benchmarks.bgp_farm import inside
from ansible_collections.podnet.calico.tests.benchmarks.measure import MeasuringFailed
from ansible_collections.podnet.calico.tests.benchmarks.scene import NETNS

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

INTERVAL = 0.01  # seconds between two requests of a pair
LATE = 1.5  # seconds that the last replies get
_WARMING = 20.0  # seconds in which every pair must have answered once
_ICMP = struct.Struct("!BBHHH")
_REQUEST, _REPLY = 8, 0
_SOL_RAW, _ICMP_FILTER = 255, 1
_FIRST = 1000  # sequence numbers below it are of the warming up, and do not count


@dataclass(frozen=True)
class Pair:
    """Two pods: the namespace of the one that asks, and the address of the one that answers."""

    netns: str
    address: str


@dataclass(frozen=True)
class Count:
    """What came of it, packets; pairs: those with losses, with how many and the longest gap in seconds."""

    sent: int
    lost: int
    pairs: tuple[str, ...]


class Pings:
    """Sends from when it is entered until stop is called; every pair has answered before."""

    def __init__(self, pairs: t.Sequence[Pair]) -> None:
        self._pairs = pairs

    def __enter__(self) -> Pings:
        told, self._telling = os.pipe()
        self._answer, answering = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(self._telling)
            os.close(self._answer)
            _become(self._pairs, told, answering)
        os.close(told)
        os.close(answering)
        first = os.read(self._answer, 1)
        if first != b"\n":
            raise MeasuringFailed(self._read(first).get("failed", "the pings ended without a word"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in (self._telling, self._answer):
            if descriptor >= 0:
                os.close(descriptor)
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def stop(self, since: float | None = None) -> Count:
        """End the sending, wait for late replies, and return the count; raises MeasuringFailed.

        since: when what counts begins (time.monotonic); None for the beginning.
        """
        os.close(self._telling)
        self._telling = -1
        text = self._read()
        if "failed" in text:
            raise MeasuringFailed(text["failed"])
        first = 0 if since is None else max(0, math.ceil((since - text["started"]) / INTERVAL))
        return counted(self._pairs, text["ticks"], text["missing"], first)

    def _read(self, first: bytes = b"") -> dict[str, t.Any]:
        with open(self._answer, "rb") as pipe:
            self._answer = -1
            found = json.loads(first + pipe.read() or "{}")
        os.waitpid(self._child, 0)
        self._child = 0
        return t.cast("dict[str, t.Any]", found)


def _become(pairs: t.Sequence[Pair], told: int, answering: int) -> t.NoReturn:
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        sender = _Sender(pairs)
        sender.warm()
        os.write(answering, b"\n")
        answer = sender.run(told)
    except BaseException:
        answer = {"failed": traceback.format_exc()}
    os.write(answering, json.dumps(answer).encode())
    os._exit(0)


class _Sender:
    def __init__(self, pairs: t.Sequence[Pair]) -> None:
        self._pairs = pairs
        self._sockets = {netns: _open(netns) for netns in sorted({pair.netns for pair in pairs})}
        self._by_descriptor = {one.fileno(): one for one in self._sockets.values()}
        self._poller = select.epoll()
        for descriptor in self._by_descriptor:
            self._poller.register(descriptor, select.EPOLLIN)
        self._seen: list[set[int]] = [set() for __ in pairs]

    def warm(self) -> None:
        """Ask until every pair has answered."""
        until = time.monotonic() + _WARMING
        for sequence in range(_FIRST):
            self._send(sequence)
            self._receive(0.05)
            if all(self._seen):
                return
            if time.monotonic() > until:
                break
        silent = [f"{pair.netns} to {pair.address}" for pair, seen in zip(self._pairs, self._seen) if not seen]
        raise MeasuringFailed(f"no answer before the change: {', '.join(silent)}")

    def run(self, told: int) -> dict[str, t.Any]:
        """Send until the pipe is closed, take late replies, and return what Count holds."""
        self._poller.register(told, select.EPOLLIN)
        started, ticks = time.monotonic(), 0
        while told not in self._receive(max(0.0, started + ticks * INTERVAL - time.monotonic())):
            if time.monotonic() >= started + ticks * INTERVAL:
                self._send(_FIRST + ticks)
                ticks += 1
        self._poller.unregister(told)
        until = time.monotonic() + LATE
        while time.monotonic() < until:
            self._receive(max(0.0, until - time.monotonic()))
        missing = [[tick for tick in range(ticks) if _FIRST + tick not in seen] for seen in self._seen]
        return {"started": started, "ticks": ticks, "missing": missing}

    def _send(self, sequence: int) -> None:
        for ident, pair in enumerate(self._pairs, 1):
            try:
                self._sockets[pair.netns].sendto(request(ident, sequence), (pair.address, 0))
            except OSError:  # what the pod's own kernel refuses is lost, too
                continue

    def _receive(self, seconds: float) -> list[int]:
        ready = [descriptor for descriptor, __ in self._poller.poll(seconds)]
        for descriptor in ready:
            if descriptor in self._by_descriptor:
                self._take(self._by_descriptor[descriptor])
        return ready

    def _take(self, one: socket.socket) -> None:
        while True:
            try:
                packet = one.recv(2048)
            except BlockingIOError:
                return
            kind, __, ___, ident, sequence = _ICMP.unpack_from(packet, 4 * (packet[0] & 15))
            if kind == _REPLY and 0 < ident <= len(self._seen):
                self._seen[ident - 1].add(sequence)


def _open(netns: str) -> socket.socket:
    with inside(str(NETNS / netns)):
        one = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
    one.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << _REPLY) & 0xFFFFFFFF))
    return one


def request(ident: int, sequence: int) -> bytes:
    """Return an echo request without payload (RFC 792)."""
    total = (_REQUEST << 8) + ident + sequence
    total = (total & 0xFFFF) + (total >> 16)
    return _ICMP.pack(_REQUEST, 0, ~total & 0xFFFF, ident, sequence)


def counted(pairs: t.Sequence[Pair], ticks: int, missing: t.Sequence[t.Sequence[int]], first: int) -> Count:
    """Return the count from a tick on; missing: for each pair the ticks without an answer."""
    lost, words = 0, []
    for pair, all_of_pair in zip(pairs, missing):
        late = [tick for tick in all_of_pair if tick >= first]
        lost += len(late)
        if late:
            words.append(f"{pair.netns} to {pair.address}: {len(late)}, longest gap {gap(late):g} s")
    return Count(max(0, ticks - first) * len(pairs), lost, tuple(words))


def gap(missing: t.Sequence[int]) -> float:
    """Return how long the longest run of ticks without an answer took, in seconds."""
    longest = run = 0
    for index, tick in enumerate(missing):
        run = run + 1 if index and missing[index - 1] == tick - 1 else 1
        longest = max(longest, run)
    return longest * INTERVAL
