# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When all of BIRD's routes are in all kernels: each kernel tells of every route, nobody has to ask again and again."""

from __future__ import annotations

import select
import socket
import struct
import time
import typing as t

from ansible_collections.podnet.calico.tests.benchmarks.bgp_farm import inside
from ansible_collections.podnet.calico.tests.benchmarks.measure import MeasuringFailed
from ansible_collections.podnet.calico.tests.benchmarks.scene import NETNS

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

BIRD = 12  # RTPROT_BIRD
NEW, GONE = 24, 25  # RTM_NEWROUTE, RTM_DELROUTE
PAUSE = 0.01  # seconds between two looks at what the kernels have told: the precision of the figure
STEADY = 1.0  # seconds for which nothing may go away again
_GROUP = 1 << 6  # RTNLGRP_IPV4_ROUTE
_BUFFER, _FORCED = 4 << 20, 33  # bytes; SO_RCVBUFFORCE
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=8BI")  # family, length, source length, TOS, table, protocol, scope, type, flags
_ATTRIBUTE = struct.Struct("=HH")
_DST = 1

Prefix = t.Tuple[int, bytes]  # length, address


class Watch:
    """Follows BIRD's IPv4 routes in the kernels of nodes from when it is entered."""

    def __init__(self, nodes: t.Iterable[str]) -> None:
        self._names = list(nodes)
        self._sockets: dict[int, socket.socket] = {}
        self.routes: dict[int, set[Prefix]] = {}

    def __enter__(self) -> Watch:
        for name in self._names:
            with inside(str(NETNS / name)):
                told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
            told.setsockopt(socket.SOL_SOCKET, _FORCED, _BUFFER)
            told.bind((0, _GROUP))
            self._sockets[told.fileno()] = told
            self.routes[told.fileno()] = set()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for told in self._sockets.values():
            told.close()

    def wait(self, number: int, seconds: float, complaint: t.Callable[[], str]) -> float:
        """Return since when (monotonic) each kernel has that many routes and keeps them, for STEADY seconds at least.

        Raises MeasuringFailed, with a complaint, if that does not come to pass in time.
        """
        deadline = time.monotonic() + seconds
        since: float | None = None
        with select.epoll(len(self._sockets)) as ready:
            for descriptor in self._sockets:
                ready.register(descriptor, select.EPOLLIN)
            while since is None or time.monotonic() < since + STEADY:
                for descriptor, __ in ready.poll(PAUSE):
                    self._take(descriptor)
                fewest = min(len(found) for found in self.routes.values())
                since = None if fewest < number else since or time.monotonic()
                if time.monotonic() > deadline:
                    raise MeasuringFailed(
                        f"after {seconds:g} s a kernel has {fewest} of {number} routes; BIRDs that ended: "
                        f"{complaint() or 'none'}"
                    )
                time.sleep(PAUSE)
        return since

    def _take(self, descriptor: int) -> None:
        while True:
            try:
                data = self._sockets[descriptor].recv(1 << 16)
            except BlockingIOError:
                return
            for kind, prefix in told_of(data):
                (self.routes[descriptor].add if kind == NEW else self.routes[descriptor].discard)(prefix)


def told_of(data: bytes) -> t.Iterator[tuple[int, Prefix]]:
    """Yield the routes of BIRD that netlink messages tell of, each with what happened to it: NEW or GONE."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, kind = _HEADER.unpack_from(data, start)[:2]
        route = _ROUTE.unpack_from(data, start + _HEADER.size) if kind in (NEW, GONE) else ()
        if route and route[5] == BIRD:
            yield kind, (route[1], _destination(data, start + _HEADER.size + _ROUTE.size, start + length))
        start += (length + 3) & ~3


def _destination(data: bytes, start: int, end: int) -> bytes:
    while start < end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if kind == _DST:
            return data[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return b""  # the default route has none
