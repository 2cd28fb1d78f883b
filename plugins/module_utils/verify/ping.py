# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ping many addresses at once from inside a pod, and see on the underlay how each packet really travels."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import select
import socket
import struct
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.ip import read_address
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import namespace
from ansible_collections.podnet.calico.plugins.module_utils.verify import icmp
from ansible_collections.podnet.calico.plugins.module_utils.verify.host_pings import answered_by
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_sockets import AT_ONCE

ETH_P_ALL = 3
_BUFFER = 4 << 20
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; an answer's own time of arrival, however late it is read


@dataclass
class Target:
    """An address to ping, and what came of it: packets sent, round-trip times in ms, encapsulations seen."""

    name: str
    address: str
    pool: str | None = None
    expected: str | None = None
    answer_to: str | None = None
    sent: int = 0
    times: list[float] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def result(self) -> dict[str, t.Any]:
        """Return the outcome as data; loss is a fraction, times are milliseconds."""
        received = len(self.times)
        rtt = None
        if self.times:
            values = (min(self.times), sum(self.times) / received, max(self.times))
            rtt = dict(zip(("min", "avg", "max"), (round(value, 3) for value in values)))
        return {
            "target": self.name,
            "address": self.address,
            "pool": self.pool,
            "expected": self.expected,
            "sent": self.sent,
            "received": received,
            "loss": round(1 - received / self.sent, 4) if self.sent else 1.0,
            "rtt_ms": rtt,
            "encapsulation": "+".join(sorted(self.seen)) or None,
            **({"answered_by": answered_by(self.address, self.answer_to)} if self.answer_to else {}),
        }


class Pinger:
    """Sends to all targets in turn from inside a namespace while it watches a device of the host."""

    def __init__(self, netns: str, device: str) -> None:
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self._token = os.urandom(8)
        self._watch = self._open_watch(device)
        with namespace(netns):
            self._sockets = {4: self._open(socket.AF_INET, socket.IPPROTO_ICMP)}
            with contextlib.suppress(OSError):  # a kernel without IPv6 has no IPv6 targets either
                self._sockets[6] = self._open(socket.AF_INET6, socket.IPPROTO_ICMPV6)
        self._sent: dict[tuple[str, int], float] = {}
        self._sequence = 0

    @staticmethod
    def _open(family: int, protocol: int) -> socket.socket:
        opened = socket.socket(family, socket.SOCK_RAW, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        opened.setblocking(False)
        return opened

    @staticmethod
    def _open_watch(device: str) -> socket.socket:
        try:
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            opened.bind((device, ETH_P_ALL))
        except OSError as error:
            message = f"watch packets on {device}: {error.strerror}"
            raise KernelError(message, remedy="Run as root, on a device that is up") from error
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        opened.setblocking(False)
        return opened

    def close(self) -> None:
        """Close the sockets."""
        for opened in (self._watch, *self._sockets.values()):
            opened.close()

    def settle(self, targets: t.Sequence[Target], seconds: float) -> None:
        """Ping until every target has answered once, at most for some seconds; nothing of it is counted."""
        deadline = time.monotonic() + seconds
        waiting = {target.address for target in targets}
        while waiting and time.monotonic() < deadline:
            round_ = [Target(target.name, target.address) for target in targets if target.address in waiting]
            self.measure(round_, count=1, interval=0, timeout=0.5)
            waiting -= {target.address for target in round_ if target.times}

    def measure(self, targets: t.Sequence[Target], *, count: int, interval: float, timeout: float) -> None:
        """Send count requests to each target, one round an interval (s), and wait timeout (s) for the last answers."""
        by_address = {target.address: target for target in targets}
        outstanding = 0
        for __ in range(count):
            self._sequence = (self._sequence + 1) & 0xFFFF
            for target in targets:
                outstanding += self._send(target)
            outstanding -= self._collect(by_address, time.monotonic() + interval, None)
        self._collect(by_address, time.monotonic() + timeout, outstanding)

    def _send(self, target: Target) -> int:
        version = ipaddress.ip_address(target.address).version
        packet = icmp.request(version, self._identifier, self._sequence, self._token + b"podnet.calico probe")
        target.sent += 1
        self._sent[target.address, self._sequence] = time.time()
        try:
            self._sockets[version].sendto(packet, (target.address, 0))
        except OSError:  # no route, or a neighbour that does not answer: a packet that is lost on its first step
            return 0
        return 1

    def _collect(self, targets: t.Mapping[str, Target], deadline: float, enough: int | None) -> int:
        """Take in answers and watched packets until the deadline, or until enough answers are there."""
        received = 0
        while enough is None or received < enough:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            ready, __, __ = select.select([self._watch, *self._sockets.values()], [], [], remaining)
            for opened in ready:
                if opened is self._watch:
                    self._observe(targets)
                else:
                    received += self._receive(opened, targets)
        self._observe(targets)
        return received

    def _receive(self, opened: socket.socket, targets: t.Mapping[str, Target]) -> int:
        try:
            data, ancillary, __, sender = opened.recvmsg(65535, 64)
        except BlockingIOError:  # it has been thrown away since, as for a wrong checksum
            return 0
        arrived = _kernel_time(ancillary)
        version = 4 if opened.family == socket.AF_INET else 6
        packet = icmp.parse_ip(data) if version == 4 else None
        echo = icmp.parse_echo(packet.payload if packet else data)
        if echo is None or echo.type != icmp.ECHO_REPLY[version] or not self._is_ours(echo):
            return 0
        sent = self._sent.pop((sender[0], echo.sequence), None)
        if sent is None or sender[0] not in targets:
            return 0
        targets[sender[0]].times.append((arrived - sent) * 1000)
        return 1

    def _is_ours(self, echo: icmp.Echo) -> bool:
        return echo.identifier == self._identifier and echo.payload.startswith(self._token)

    def _observe(self, targets: t.Mapping[str, Target]) -> None:
        """Note for each request of ours that leaves through the underlay what it is wrapped in.

        It ends after AT_ONCE packets, so that a flood keeps nobody here; select tells of the rest.
        """
        for __ in range(AT_ONCE):
            try:
                data = self._watch.recv(65535)
            except BlockingIOError:
                return
            found = icmp.unwrap(data)
            if found is None or found[1].target not in targets:
                continue
            kind, packet = found
            echo = icmp.parse_echo(packet.payload)
            if echo and echo.type == icmp.ECHO_REQUEST[packet.version] and self._is_ours(echo):
                targets[packet.target].seen.add(kind)


def _kernel_time(ancillary: t.Sequence[tuple[int, int, bytes]]) -> float:
    """Return when a packet arrived, in seconds since 1970, as the kernel noted it."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("@ll", data[: struct.calcsize("@ll")])
            return float(seconds + nanoseconds / 1e9)
    return time.time()


def _address(text: str) -> str:
    try:
        return str(read_address(text))
    except ValueError as error:
        raise InvalidInput(f'targets: address "{text}" is not an IP address', remedy="Correct it") from error


def ping_all(
    addresses: t.Sequence[t.Mapping[str, t.Any]],
    *,
    netns: str | None,
    device: str,
    count: int,
    interval: float,
    timeout: float,
    wait: float,
) -> list[dict[str, t.Any]]:
    """Ping addresses, those of one namespace at the same time, and return one result each.

    addresses: name, address, and optionally pool, expected, answer_to, and netns, count and wait in place of those of
    all. wait: seconds that the network may take to carry the first packet.
    """
    groups: dict[tuple[str, int, float], list[Target]] = {}
    for row in addresses:
        source = row.get("netns") or netns
        if not source:
            raise InvalidInput(f"ping {row['address']}: no namespace is given", remedy="Set netns")
        target = Target(
            row["name"], _address(row["address"]), row.get("pool"), row.get("expected"), row.get("answer_to")
        )
        groups.setdefault((source, _or(row.get("count"), count), _or(row.get("wait"), wait)), []).append(target)
    for (source, requests, patience), targets in groups.items():
        pinger = Pinger(source, device)
        try:
            pinger.settle(targets, patience)
            pinger.measure(targets, count=requests, interval=interval, timeout=timeout)
        finally:
            pinger.close()
    return [target.result() for targets in groups.values() for target in targets]


def _or(own: t.Any, of_all: float) -> t.Any:
    return of_all if own is None else own
