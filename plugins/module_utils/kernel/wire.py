# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of netlink messages, for what is sent and read in bulk (netlink(7), rtnetlink(7), linux/rtnetlink.h).

pyroute2 says what a message means: the tests compare the bytes made here with its decoding of them, and the other way
round. It takes a hundred times longer for ten thousand routes, and its import alone as long as half a module.
"""

from __future__ import annotations

import socket
import struct
import sys
import typing as t

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
RTMSG = struct.Struct("=BBBBBBBBI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
IFINFO = struct.Struct("=BxHiII")  # family, type, index, flags, change
IFADDR = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
NEIGHBOUR = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type
_LENGTH_TYPE = struct.Struct("=HH")
_U32 = struct.Struct("=I")

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH, RTM_GETNEIGHTBL, RTM_SETNEIGHTBL = 28, 29, 30, 66, 67
IFF_UP = 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_TEMPORARY, IFA_F_DEPRECATED, IFA_F_MANAGETEMPADDR = 0x01, 0x20, 0x100  # linux/if_addr.h
IFA_F_NODAD = 0x02  # no duplicates are looked for: the address is not tentative
NDA_DST, NDA_LLADDR, NDA_PORT, NDA_VNI, NDA_IFINDEX, NDA_NH_ID = 1, 2, 6, 7, 8, 13
NUD_PERMANENT = 0x80

ALL = range(0x4000)  # all types of attributes

Attributes = t.Dict[int, bytes]


def attribute(kind: int, payload: bytes) -> bytes:
    """Return an attribute, padded to four bytes (netlink(7), NLA_ALIGN)."""
    size = len(payload) + 4
    return _LENGTH_TYPE.pack(size, kind) + payload + b"\0" * (-size % 4)


def nested(kind: int, attributes_within: bytes) -> bytes:
    """Return an attribute that holds attributes (NLA_F_NESTED)."""
    return attribute(kind | 0x8000, attributes_within)


def number(kind: int, value: int) -> bytes:
    """Return an attribute with a 32-bit number in the host's byte order."""
    return attribute(kind, _U32.pack(value))


def text(kind: int, value: str) -> bytes:
    """Return an attribute with a text that ends with a zero byte."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes, start: int = 0, only: t.Container[int] = ALL) -> Attributes:
    """Return the attributes of a message's body from an offset on, by type; flags of a type are left out.

    only: types that are wanted. Data that does not hold together ends the list; the kernel sends none.
    """
    found: Attributes = {}
    unpack, size = _LENGTH_TYPE.unpack_from, len(data)
    while start + 4 <= size:
        length, kind = unpack(data, start)
        end = start + length
        if length < 4 or end > size:
            break
        kind &= 0x3FFF
        if kind in only:
            found[kind] = data[start + 4 : end]
        start = (end + 3) & ~3
    return found


def as_number(payload: bytes | None, default: int = 0) -> int:
    """Return the number that an attribute of one, two or four bytes holds, in the host's byte order."""
    return int.from_bytes(payload, sys.byteorder) if payload else default


def as_text(payload: bytes | None) -> str:
    """Return the text of an attribute, without its zero byte; empty for none."""
    return (payload or b"").rstrip(b"\0").decode(errors="replace")


def packed_address(address: str) -> bytes:
    """Return the bytes of an IPv4 or IPv6 address; raises OSError for what is none."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def address_text(packed: bytes) -> str:
    """Return the text of a packed IPv4 or IPv6 address."""
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)
