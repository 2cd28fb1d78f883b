# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets that send the packets of a probe, and see them as they reach the host and behind its firewall."""

from __future__ import annotations

import ctypes
import socket
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import VXLAN_PORT
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.verify import probe_packets
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_place import NextHop, next_hop

_ETH_P_IP = 0x0800
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_OUTGOING = 4  # PACKET_OUTGOING, linux/if_packet.h
_BUFFER = 4 << 20
_LARGEST = 65535
AT_ONCE = 256  # packets that are taken from a socket before something else is looked at, such as the time

# Classic BPF (linux/filter.h): what is loaded (code), where to go if it is so and if not, the value.
_LOAD_BYTE, _LOAD_HALF_AT_X, _LOAD_WORD_AT_X = 0x30, 0x48, 0x40
_X_IS_HEADER, _JUMP_EQUAL, _RETURN = 0xB1, 0x15, 0x06
# Offsets from the end of the outer IP header: an inner UDP header's port, and the VNI in what is left of a VXLAN.
_INNER_PORT, _OUTER_PORT, _VNI = 22, 2, 12
# Without it every packet of a node that carries pods already would come to Python.
_FILTER = (
    (_LOAD_BYTE, 0, 0, 9),
    (_X_IS_HEADER, 0, 0, 0),
    (_JUMP_EQUAL, 0, 2, socket.IPPROTO_IPIP),
    (_LOAD_HALF_AT_X, 0, 0, _INNER_PORT),
    (_JUMP_EQUAL, 6, 7, probe_packets.PORT),
    (_JUMP_EQUAL, 0, 6, socket.IPPROTO_UDP),
    (_LOAD_HALF_AT_X, 0, 0, _OUTER_PORT),
    (_JUMP_EQUAL, 3, 0, probe_packets.PORT),
    (_JUMP_EQUAL, 0, 3, VXLAN_PORT),
    (_LOAD_WORD_AT_X, 0, 0, _VNI),
    (_JUMP_EQUAL, 0, 1, probe_packets.VNI << 8),
    (_RETURN, 0, 0, _LARGEST),
    (_RETURN, 0, 0, 0),
)


def wire() -> socket.socket:
    """Return a socket that sees a probe's packets as they reach the host on any device, before its firewall."""
    return _filtered(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))


def let_in() -> list[socket.socket]:
    """Return sockets that see a probe's packets after the host's firewall has let them in."""
    return [_filtered(socket.AF_INET, socket.SOCK_RAW, kind) for kind in (socket.IPPROTO_IPIP, socket.IPPROTO_UDP)]


class Sender:
    """Sends whole IP packets, with any source."""

    def __init__(self) -> None:
        try:
            self._routed = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._framed = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        except OSError as error:
            raise KernelError(f"send packets: {error.strerror}", remedy="Run as root") from error
        self._hops: dict[str, NextHop | None] = {}

    def send(self, kind: str, data: bytes, target: str) -> None:
        """Send a packet to the address of a node; raises OSError.

        What looks like a pod's leaves past the own firewall and NAT, which treat packets of the host otherwise than
        those that it passes on; where the next hop has no MAC, as in a tunnel, it leaves like the others.
        """
        hop = self._hop(target) if kind == "pod" else None
        if hop is None:
            self._routed.sendto(data, (target, 0))
        else:
            self._framed.sendto(data, (hop.device, _ETH_P_IP, 0, 0, hop.mac))

    def _hop(self, target: str) -> NextHop | None:
        if self._hops.get(target) is None:
            self._hops[target] = next_hop(target)
        return self._hops[target]

    @property
    def sockets(self) -> list[socket.socket]:
        """Return the sockets."""
        return [self._routed, self._framed]


def packets(opened: socket.socket) -> t.Iterator[probe_packets.Probe]:
    """Yield the probes that wait in a socket, but what this host sent itself.

    It ends after AT_ONCE packets, so that a flood keeps nobody here; select tells of the rest.
    """
    for __ in range(AT_ONCE):
        try:
            data, place = opened.recvfrom(_LARGEST)
        except BlockingIOError:
            return
        if opened.family == socket.AF_PACKET and place[2] == _OUTGOING:
            continue
        probe = probe_packets.read(data)
        if probe is not None:
            yield probe


def _filtered(family: int, kind: int, protocol: int) -> socket.socket:
    try:
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise KernelError(f"watch packets: {error.strerror}", remedy="Run as root") from error
    code = b"".join(struct.pack("=HBBI", *step) for step in _FILTER)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(_FILTER), ctypes.addressof(buffer))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    opened.setblocking(False)
    return opened
