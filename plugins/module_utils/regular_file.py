# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a text from a path that may hold anything: a directory, a FIFO that nobody writes to, bytes of an image."""

from __future__ import annotations

import errno
import os
import stat
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from pathlib import Path


def read_text(path: str | Path) -> str:
    """Return the text of a regular file in UTF-8.

    Raises FileNotFoundError, or OSError with the reason in strerror, also for what is no regular file and no UTF-8; it
    never waits.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(descriptor), path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read()
    finally:
        os.close(descriptor)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, f"not UTF-8 at byte {error.start}", str(path)) from error


def check_regular(status: os.stat_result, path: str | Path) -> None:
    """Raise OSError, with the reason in strerror, unless a status is that of a regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
