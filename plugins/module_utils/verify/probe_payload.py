# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP and UDP of several sizes through the kernel's own VXLAN (probe_tunnel): what a card does to checksums shows here.

A packet that the probe makes has all checksums; one of a pod leaves its own to the card where that says it can. Some
do it wrong for what is inside of a VXLAN, and then pings pass and nothing else does (projectcalico/calico#3145).
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import select
import socket
import struct
import time
import typing as t
import zlib

from ansible_collections.podnet.calico.plugins.module_utils.kernel import offload
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import namespace
from ansible_collections.podnet.calico.plugins.module_utils.verify import probe_packets, probe_tunnel

PACKETS = 18  # with one node, at most, as long as few are lost
KINDS = {1: "data", 2: "data-by-kernel"}  # as it is, and with checksums that the kernel makes before the tunnel
SMALL = probe_packets.LEAST + 1  # an odd number of bytes, whose last one checksums treat otherwise
_TRIES = 3  # of a datagram
_AGAIN = 6  # packets of a repetition with one node, at most
_CONNECTION = 12  # packets of a connection, as a rule
_MOST_SEGMENT = 32767  # bytes, MAX_TCP_WINDOW of the kernel
_HEADERS = probe_packets.HEADERS["vxlan"]
_TCP_HEADERS, _TIMESTAMPS = _HEADERS + 12, 12  # bytes; RFC 7323
_HEAD, _CODE = struct.Struct("!8sI"), struct.Struct("!I")  # of a stream: session and its length; of the answer: CRC-32
_LONGEST = 1 << 17

Key = t.Tuple[str, int, int]  # address of a node, number, bytes of payload


def exchange(
    session: bytes, node: str, ports: t.Mapping[Key, int], timeout: float
) -> tuple[set[Key], collections.Counter[str]]:
    """Send datagrams to ports; return which were answered, and the number of packets by address.

    ports: by address, number and bytes of the datagrams. timeout: seconds that an answer may take; what is not
    answered is sent again.
    """
    answered: set[Key] = set()
    packets: collections.Counter[str] = collections.Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setblocking(False)
        opened.bind((node, 0))  # the address that firewalls know
        for __ in range(_TRIES):
            for key in sorted(ports.keys() - answered):
                address, number, size = key
                probe = probe_packets.Probe("data", session, node, number, size)
                packets[address] += 1
                with contextlib.suppress(OSError):  # the sender sees that no answer comes
                    opened.sendto(probe_packets.datagram(probe, size), (address, ports[key]))
            deadline = time.monotonic() + timeout
            while ports.keys() - answered and (left := deadline - time.monotonic()) > 0:
                if not select.select([opened], [], [], left)[0]:
                    break
                try:
                    probe_read = probe_packets.read_datagram("data", opened.recv(_LONGEST))
                except OSError:  # thrown away since, as for a wrong checksum, or somebody says that nobody is there
                    continue
                if probe_read and probe_read.session == session and probe_read.answer:
                    answered.add((probe_read.node, probe_read.number, probe_read.size))
                    packets[probe_read.node] += 1
    return answered & ports.keys(), packets


def echo(opened: socket.socket, session: bytes, node: str) -> tuple[probe_packets.Probe, int] | None:
    """Answer a datagram of a session; return its probe and its length in bytes, None for any other. Raises OSError."""
    data, sender = opened.recvfrom(_LONGEST)
    probe = probe_packets.read_datagram("data", data)
    if probe is None or probe.session != session or probe.answer:
        return None
    opened.sendto(probe_packets.datagram(probe._replace(node=node, answer=True), SMALL), sender)
    return probe, len(data)


class Receiver:
    """Takes what comes through the tunnel of a node. session: 8 bytes. node: its IPv4 address."""

    def __init__(self, netns: int, session: bytes, node: str) -> None:
        self._netns, self._session, self._node = f"/proc/self/fd/{netns}", session, node
        self._peers: set[str] = set()
        self._known: dict[tuple[str, str], set[tuple[int, bool]]] = {}
        self._streams: dict[socket.socket, bytearray] = {}
        with namespace(self._netns):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("", probe_packets.PORT))
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._tcp.bind(("", probe_packets.PORT))
        self._tcp.listen(socket.SOMAXCONN)
        for opened in (self._udp, self._tcp):
            opened.setblocking(False)

    @property
    def sockets(self) -> list[socket.socket]:
        """Return the sockets that something may come from."""
        return [self._udp, self._tcp, *self._streams]

    def know(self, node: str) -> None:
        """Have the tunnel lead to a node by its address, before anything comes from it that is to be answered."""
        if node not in self._peers:
            self._peers.add(node)
            with namespace(self._netns):
                probe_tunnel.know([node])

    def take(self, opened: socket.socket) -> None:
        """Take in what waits in one of the sockets; what is broken off is of no interest."""
        with contextlib.suppress(OSError):
            if opened is self._udp:
                self._take_datagram()
            elif opened is self._tcp:
                stream = self._tcp.accept()[0]
                stream.setblocking(False)
                _be_terse(stream)
                self._streams[stream] = bytearray()
            elif self._take_part(opened):
                del self._streams[opened]
                opened.close()

    def _take_datagram(self) -> None:
        found = echo(self._udp, self._session, self._node)
        if found and found[0].number in KINDS:
            probe, length = found
            known = self._known.setdefault((probe.node, KINDS[probe.number]), set())
            known.add((length, probe.intact and probe.size == length))

    def arrivals(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return by node and kind how many sizes of datagrams came, in the words of probe_answers."""
        rows = {}
        for key, seen in self._known.items():
            sizes, damaged = {size for size, __ in seen}, {size for size, intact in seen if not intact}
            rows[key] = {"wire": len(sizes), "let_in": len(sizes), "damaged": len(damaged)}
        return rows

    def _take_part(self, opened: socket.socket) -> bool:
        """Take in a part of a stream; tell whether it is at its end."""
        data = self._streams[opened]
        part = opened.recv(_LONGEST)
        data += part
        if not part or len(data) > _LONGEST:
            return True
        session, length = _HEAD.unpack_from(data) if len(data) >= _HEAD.size else (self._session, _LONGEST)
        if session != self._session:
            return True
        if len(data) < length:
            return False
        opened.sendall(_CODE.pack(zlib.crc32(data)))
        return False  # the asker closes


@dataclasses.dataclass
class Answers:
    """What one node answered. sizes: datagrams sent, in bytes of payload; answered: those of them that were.

    tcp: "whole", "damaged", "broken" or "silent". repeated: whether datagrams were sent again with checksums that the
    kernel makes. packets: sent and received.
    """

    sizes: list[int]
    answered: set[int] = dataclasses.field(default_factory=set)
    tcp: str = "silent"
    repeated: bool = False
    packets: int = 0

    def result(self) -> dict[str, t.Any]:
        """Return it as data."""
        facts = {"sizes": self.sizes, "answered": sorted(self.answered)}
        return {**facts, "tcp": self.tcp, "repeated": self.repeated}

    @property
    def well(self) -> bool:
        """Tell whether all came back."""
        return self.tcp == "whole" and self.answered.issuperset(self.sizes)


class Asker:
    """Asks from one node. netns: the path of its tunnel's namespace. timeout: seconds that an answer may take."""

    def __init__(self, netns: str, session: bytes, node: str, timeout: float) -> None:
        self._netns, self._session, self._node, self._timeout = netns, session, node, timeout

    def ask(self, largest: t.Mapping[str, int], room: t.Mapping[str, int]) -> dict[str, Answers]:
        """Return what the nodes with some addresses answered.

        largest: bytes of the largest VXLAN packet to a node, on the underlay. room: how many packets it may take.
        Raises KernelError.
        """
        found = {address: Answers([SMALL, size - _HEADERS]) for address, size in largest.items()}
        with namespace(self._netns):
            probe_tunnel.know(found)
            for address, __, size in self._datagrams(found, 1):
                found[address].answered.add(size)
            self._streams(found, largest)
            again = {
                name: each for name, each in found.items() if not each.well and each.packets + _CONNECTION <= room[name]
            }
            self._streams(again, largest)  # a packet may be lost on the way
            ill = {name: each for name, each in found.items() if not each.well and each.packets + _AGAIN <= room[name]}
            if ill and offload.get(probe_tunnel.DEVICE):
                offload.put(probe_tunnel.DEVICE, on=False)
                self._datagrams(ill, 2)
                for each in ill.values():
                    each.repeated = True
        return found

    def _datagrams(self, found: t.Mapping[str, Answers], number: int) -> set[Key]:
        keys = {(address, number, size) for address, each in found.items() for size in each.sizes}
        answered, packets = exchange(self._session, self._node, dict.fromkeys(keys, probe_packets.PORT), self._timeout)
        for address, count in packets.items():
            found[address].packets += count
        return answered

    def _streams(self, found: t.Mapping[str, Answers], largest: t.Mapping[str, int]) -> None:
        waiting: dict[socket.socket, str] = {}
        for address in found:
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            opened.setblocking(False)
            # Segments that fit into the path: what a path carries has been measured, and is another finding.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _segment(largest[address]))
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # one packet to close
            opened.connect_ex((address, probe_packets.PORT))
            waiting[opened] = address
        connecting, sums = set(waiting), {}
        deadline = time.monotonic() + self._timeout * 3
        while waiting and (left := deadline - time.monotonic()) > 0:
            readable, writable, __ = select.select(set(waiting) - connecting, connecting, [], left)
            for opened in writable:
                connecting.discard(opened)
                _be_terse(opened)
                data = _stream(self._session, 2 * (_segment(largest[waiting[opened]]) - _TIMESTAMPS))
                sums[opened] = zlib.crc32(data)
                found[waiting[opened]].tcp = "broken"
                with contextlib.suppress(OSError):  # refused: reading says so, too
                    opened.sendall(data)
            for opened in readable:
                each = found[waiting.pop(opened)]
                with contextlib.suppress(OSError):
                    answer = opened.recv(_CODE.size)
                    if len(answer) == _CODE.size:
                        each.tcp = "whole" if _CODE.unpack(answer)[0] == sums[opened] else "damaged"
                _close(opened, each)
        for opened, address in waiting.items():
            _close(opened, found[address])


def _segment(largest: int) -> int:
    """Return the bytes of a TCP segment, options included, that a VXLAN packet of a size on the underlay carries."""
    return min(_MOST_SEGMENT, largest - _TCP_HEADERS)


def _be_terse(opened: socket.socket) -> None:
    """Have a connection acknowledge what comes with what it sends next, which saves packets."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


def _stream(session: bytes, length: int) -> bytes:
    return (_HEAD.pack(session, length) + bytes(range(256)) * (length // 256 + 1))[:length]


_SEGMENTS_OUT, _SEGMENTS_IN = 136, 140  # tcpi_segs_out, tcpi_segs_in of struct tcp_info, linux/tcp.h (since 4.2)


def _close(opened: socket.socket, each: Answers) -> None:
    """Close a connection and count its packets, with the one that closes it."""
    info = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SEGMENTS_IN + 4)
    opened.close()
    if len(info) == _SEGMENTS_IN + 4:
        each.packets += sum(struct.unpack_from("=II", info, _SEGMENTS_OUT)) + 1
