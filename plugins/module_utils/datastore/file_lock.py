# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock that keeps two processes from changing one directory at the same time."""

from __future__ import annotations

import fcntl
import os
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import DatastoreError

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
        while not self.held:
            try:
                flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
                self._descriptor = os.open(self.path, flags | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                if create:
                    raise
                return
            self._wait(self._descriptor)
            if not os.fstat(self._descriptor).st_nlink:  # deleted while we waited: others use a new file by now
                self.release()

    def _wait(self, descriptor: int) -> None:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    self.release()
                    message = f"Locking {self.path}: another process has held it for {self.patience:g} seconds"
                    raise DatastoreError(message, remedy="Find it with fuser on that file") from error
            time.sleep(PAUSE)

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
