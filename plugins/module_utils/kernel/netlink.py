# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlink socket for bulk work: filtered dumps, batches of requests, and which request the kernel refused and why."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    HEADER,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    as_text,
    attributes,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

_SOL_NETLINK = 270
_EXT_ACK, _STRICT_CHECK = 11, 12
_RECEIVE_BUFFER = 4 << 20  # bytes; a batch of which every request is refused must fit
_CHUNK = 16 << 10  # bytes sent at once
_RECEIVE = 64 << 10  # bytes received at once; the kernel's dumps come in pieces of up to 32 KiB (netlink(7))
_FLAG_TLVS = 0x200  # NLM_F_ACK_TLVS: attributes with the kernel's explanation follow
_ERROR_MESSAGE = 1  # NLMSGERR_ATTR_MSG
_ASKED_AT_ONCE = 64  # requests whose answers are sure to fit into a socket of the default size
_DUMP_TRIES = 20
_LENGTH_TYPE_FLAGS = struct.Struct("=IHH")
_CODE = struct.Struct("=i")
_SIOCGIFFLAGS, _NAME_FLAGS = 0x8913, struct.Struct("=16sH22x")  # of struct ifreq (netdevice(7))

# What to do about the answers that users meet most.
REMEDIES = {
    errno.EPERM: "Run as root (become: true)",
    errno.EACCES: "Run as root (become: true)",
    errno.EOPNOTSUPP: "This kernel lacks the feature; load its module or use another encapsulation",
    errno.ENETUNREACH: "The gateway is not reachable through that device; set onlink if it is meant so",
    errno.EHOSTUNREACH: "The gateway is not reachable through that device; set onlink if it is meant so",
    errno.ENETDOWN: "The device is down; bring it up first",
    errno.EEXIST: "Something of that name or destination is there already and is not ours; remove it first",
    errno.ENODEV: "The device does not exist (any more); create it first",
}

Request = t.Tuple[int, int, bytes]  # type, flags (without NLM_F_REQUEST), body


class Refusal(t.NamedTuple):
    """A request that the kernel refused: its place in the batch, the error number, the kernel's explanation or ""."""

    place: int
    errno: int
    explanation: str

    def as_error(self, what: str) -> KernelError:
        """Return the error that says what was attempted and what to do."""
        reason = os.strerror(self.errno) + (f" ({self.explanation})" if self.explanation else "")
        return KernelError(f"{what}: {reason}", remedy=REMEDIES.get(self.errno, ""), errno=self.errno)


class Netlink:
    """A socket to the kernel's rtnetlink in the current network namespace; use it in a with statement."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        try:
            self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
        except OSError:  # without strict checks (Linux 4.20) the kernel does not filter dumps
            pass

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def flags(self, device: str) -> int:
        """Return the flags of a device (IFF_UP…); the whole link takes six times as long. Raises OSError."""
        answer = fcntl.ioctl(self._socket, _SIOCGIFFLAGS, _NAME_FLAGS.pack(device.encode(), 0))
        return int(_NAME_FLAGS.unpack(answer)[1])

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return the bodies of all objects that a request selects; a kernel without strict checks returns all.

        A dump during which something changed is asked for again (NLM_F_DUMP_INTR). Raises KernelError.
        """
        for __ in range(_DUMP_TRIES):
            self._socket.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 0, 0) + body)
            found, whole = self._read_dump()
            if whole:
                return found
        raise KernelError("read the kernel's state: it changes all the time", remedy="Run again when it is quiet")

    def _read_dump(self) -> tuple[list[bytes], bool]:
        found: list[bytes] = []
        interrupted = 0
        unpack, size = _LENGTH_TYPE_FLAGS.unpack_from, HEADER.size
        while True:
            data = self._socket.recv(_RECEIVE)
            start, end = 0, len(data)
            length, kind, flags = unpack(data)
            if 4 * length <= end and kind not in (NLMSG_DONE, NLMSG_ERROR) and _is_uniform(data, length):
                found += [body for (body,) in struct.iter_unpack(f"{size}x{length - size}s", data)]
                interrupted |= flags & NLM_F_DUMP_INTR
                continue
            while start < end:
                length, kind, flags = unpack(data, start)
                interrupted |= flags & NLM_F_DUMP_INTR
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    code = -_CODE.unpack_from(data, start + size)[0] if length >= size + 4 else 0
                    if code and code != errno.ENOENT:  # no such table: nothing
                        raise Refusal(0, code, "").as_error("read the kernel's state")
                    return found, not interrupted
                found.append(data[start + size : start + length])
                start += (length + 3) & ~3

    def get(self, kind: int, body: bytes) -> bytes | None:
        """Return the body of the one object that a request selects, or None if there is none."""
        return self.get_many([(kind, body)])[0]

    def get_many(self, requests: t.Sequence[tuple[int, bytes]]) -> list[bytes | None]:
        """Return the body of the one object that each request (type, body) selects, or None if there is none."""
        messages = [HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST, 0, 0) + body for kind, body in requests]
        found: list[bytes | None] = []
        for start in range(0, len(messages), _ASKED_AT_ONCE):
            asked = messages[start : start + _ASKED_AT_ONCE]
            self._socket.send(b"".join(asked))
            found += [self._read_one() for __ in asked]
        return found

    def _read_one(self) -> bytes | None:
        data = self._socket.recv(_RECEIVE)
        length, answer, __ = _LENGTH_TYPE_FLAGS.unpack_from(data)
        return None if answer == NLMSG_ERROR else data[HEADER.size : length]

    def send(self, requests: t.Iterable[Request]) -> list[Refusal]:
        """Send requests, in order and as few system calls as sensible; return those that the kernel refused.

        The kernel goes on after a refusal, and says so even for requests that ask for no acknowledgement. Only the
        last request of a chunk asks for one, which also says that the chunk is done.
        """
        self._make_room()
        refused: list[Refusal] = []
        chunk: list[bytes] = []
        filled = place = 0
        for place, (kind, flags, body) in enumerate(requests):
            length = HEADER.size + len(body)
            if filled + length > _CHUNK and chunk:
                refused += self._finish(chunk, place - 1)
                chunk, filled = [], 0
            chunk += (HEADER.pack(length, kind, flags | NLM_F_REQUEST, place, 0), body)
            filled += length
        return refused + self._finish(chunk, place) if chunk else refused

    def _make_room(self) -> None:
        """Have the socket hold the answers to a whole chunk of refused requests."""
        with contextlib.suppress(OSError):  # SO_RCVBUFFORCE needs a privilege
            self._socket.setsockopt(socket.SOL_SOCKET, 33, _RECEIVE_BUFFER)

    def _finish(self, chunk: list[bytes], last: int) -> list[Refusal]:
        chunk[-2] = _with_acknowledgement(chunk[-2])
        self._socket.send(b"".join(chunk))
        return [Refusal(place, code, text) for place, code, text, __ in self._answers(last)]

    def send_alike(self, kind: int, flags: int, bodies: t.Sequence[bytes]) -> list[Refusal]:
        """Send requests of one type and length, as fast as they can be put together; see send.

        All have the same header, so a refused one is known by its body, which the kernel sends back.
        """
        lengths = {len(body) for body in bodies}
        if len(lengths) != 1:
            return self.send((kind, flags, body) for body in bodies)
        length = HEADER.size + lengths.pop()
        self._make_room()
        header = HEADER.pack(length, kind, flags | NLM_F_REQUEST, 0, 0)
        final = HEADER.pack(length, kind, flags | NLM_F_REQUEST | NLM_F_ACK, 1, 0)
        step = max(1, _CHUNK // length)
        refused: list[Refusal] = []
        for start in range(0, len(bodies), step):
            chunk = bodies[start : start + step]
            data = bytearray(header + header.join(chunk))
            data[-length : HEADER.size - length] = final
            self._socket.send(data)
            answers = self._answers(1)
            refused += [Refusal(start + chunk.index(body), code, text) for __, code, text, body in answers]
        return refused

    def _answers(self, last: int) -> list[tuple[int, int, str, bytes]]:
        """Return sequence number, error number, explanation and body of refused requests, up to a last one's answer."""
        found: list[tuple[int, int, str, bytes]] = []
        while True:
            data = self._socket.recv(_RECEIVE)
            start = 0
            while start < len(data):
                length, kind, flags, __, __ = HEADER.unpack_from(data, start)
                if kind == NLMSG_ERROR:
                    code = -_CODE.unpack_from(data, start + HEADER.size)[0]
                    size, __, __, sequence, __ = HEADER.unpack_from(data, start + HEADER.size + 4)
                    if code:
                        request = data[start + HEADER.size + 4 : start + HEADER.size + 4 + size]
                        text = _explanation(data[start + HEADER.size + 4 + size : start + length], flags)
                        found.append((sequence, code, text, request[HEADER.size :]))
                    if sequence == last:
                        return found
                start += (length + 3) & ~3


def _with_acknowledgement(header: bytes) -> bytes:
    length, kind, flags, sequence, port = HEADER.unpack(header)
    return HEADER.pack(length, kind, flags | NLM_F_ACK, sequence, port)


def _is_uniform(data: bytes, length: int) -> bool:
    """Tell whether all messages are of one length, type and flags, as those of most routes are; they are cut faster."""
    count, rest = divmod(len(data), length)
    return not rest and not length & 3 and all(data[i::length] == data[i : i + 1] * count for i in range(8))


def _explanation(data: bytes, flags: int) -> str:
    """Return the kernel's own words about an error (extended acknowledgement), if it gave any."""
    return as_text(attributes(data).get(_ERROR_MESSAGE)) if flags & _FLAG_TLVS else ""
