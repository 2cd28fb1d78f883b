# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entering network namespaces, and coming back."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

NETNS_DIRECTORY = "/run/netns"
CLONE_NEWNET = 0x40000000
_OWN_NAMESPACE = "/proc/self/ns/net"


class namespace:
    """Run the body inside another network namespace and come back, whatever happens.

    Sockets opened in the body stay in the namespace. path: a name below /run/netns, or a path such as /proc/123/ns/net.
    back: an open file of the namespace to come back to, for whoever visits many (visits).
    """

    def __init__(self, path: str, back: int | None = None) -> None:
        self._path = namespace_path(path)
        self._own = -1 if back is not None else os.open(_OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        self._back = self._own if back is None else back

    def __enter__(self) -> None:
        try:
            target = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                setns(target)
            finally:
                os.close(target)
        except OSError as error:
            self._close()
            reason = "it is no network namespace (any more)" if error.errno == errno.EINVAL else error.strerror
            raise KernelError(
                f"enter network namespace {self._path}: {reason}", remedy="Create it first, or correct its name"
            ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            setns(self._back)
        finally:
            self._close()

    def _close(self) -> None:
        if self._own >= 0:
            os.close(self._own)


@contextlib.contextmanager
def visits() -> t.Iterator[int]:
    """Open the current network namespace, to come back to it from others."""
    back = os.open(_OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield back
    finally:
        os.close(back)


def anonymous() -> int:
    """Return an open file of a new network namespace, which ends when this and the sockets in it are closed.

    Raises KernelError.
    """
    with visits() as back:
        try:
            succeed(libc().unshare(CLONE_NEWNET))
        except OSError as error:
            raise KernelError(f"make a network namespace: {error.strerror}", remedy="Run as root") from error
        try:
            return os.open(_OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            setns(back)


_libc = ctypes.CDLL(None, use_errno=True)


def setns(descriptor: int) -> None:
    """Move this thread into a network namespace given by an open file of it (setns(2)); raises OSError."""
    succeed(_libc.setns(descriptor, CLONE_NEWNET))


def succeed(status: int) -> None:
    """Raise OSError for the status of a failed call of the C library."""
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def libc() -> ctypes.CDLL:
    """Return the C library, for what Python has no function for."""
    return _libc


def namespace_path(name: str) -> str:
    """Return the path of a network namespace given by name or path."""
    return name if "/" in name else f"{NETNS_DIRECTORY}/{name}"
