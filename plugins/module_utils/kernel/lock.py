# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of the kernel's state at a time on a host: what one run has read is not changed by another of ours."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict

PATH = "/run/podnet.calico.lock"
_PATIENCE = 120.0  # seconds
_PAUSE = 0.02


@contextlib.contextmanager
def only_one(check_mode: bool = False, patience: float | None = None) -> t.Iterator[None]:
    """Wait until no other run changes this host, and keep others from it during the body; check mode only reads.

    patience: seconds after which Conflict is raised, two minutes by default. The kernel gives the lock up when a
    process ends, however it ends.
    """
    if check_mode:
        yield
        return
    try:
        descriptor = os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:  # not root: the kernel will refuse every change, and say so better
        yield
        return
    try:
        _acquire(descriptor, _PATIENCE if patience is None else patience)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise Conflict(
                    f"change this host's network: another run has held {PATH} for {patience:.0f} seconds",
                    remedy="Wait until it has ended, and run again",
                ) from error
            time.sleep(_PAUSE)
        else:
            return
