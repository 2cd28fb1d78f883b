# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock that keeps two processes from changing one directory at the same time."""

from __future__ import annotations

import fcntl
import os
import stat
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import DatastoreError
from ansible_collections.podnet.calico.plugins.module_utils.regular_file import check_regular

if t.TYPE_CHECKING:  # pragma: no cover
    from pathlib import Path

PATIENCE = 60.0
"""Seconds to wait for another process before giving up."""

PAUSE = 0.05


class FileLock:
    """An advisory lock (flock) on a file; the kernel releases it when the process ends, however it ends."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        self.patience = patience
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Tell whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, *, create: bool) -> None:
        """Wait for the lock; without create, a lock file that does not exist is left alone and not locked.

        Raises DatastoreError if another process holds it for longer than the patience.
        """
        deadline = time.monotonic() + self.patience
        while not self.held:
            try:
                self._descriptor = _open(self.path, create)
            except FileNotFoundError:
                if create:
                    raise
                return
            self._wait(self._descriptor, deadline)
            if not os.fstat(self._descriptor).st_nlink:  # deleted while we waited: others use a new file by now
                self.release()
                self._pause(deadline, "it is deleted again and again")

    def _wait(self, descriptor: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                self._pause(deadline, "another process has held it")

    def _pause(self, deadline: float, reason: str) -> None:
        """Let some time pass; raises DatastoreError when patience is at its end."""
        if time.monotonic() >= deadline:
            self.release()
            message = f"Locking {self.path}: {reason} for {self.patience:g} seconds"
            raise DatastoreError(message, remedy="Find it with fuser on that file")
        time.sleep(PAUSE)

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open(path: Path, create: bool) -> int:
    """Open the lock file itself, never what a link at its place leads to; nobody but its owner may use it."""
    flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        status = os.fstat(descriptor)
        check_regular(status, path)
        if stat.S_IMODE(status.st_mode) != 0o600 and status.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
