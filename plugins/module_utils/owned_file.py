# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours: marked by their first line (of a script, the second), replaced in one step, never somebody else's.

After a power cut a file is the old one or the new one, and never a part of it.
"""

from __future__ import annotations

import contextlib
import grp
import os
import tempfile
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, FileError
from ansible_collections.podnet.calico.plugins.module_utils.regular_file import read_text

HEADER = "# Managed by podnet.calico: changes made here are lost with the next run."


UNFINISHED = ".podnet-"  # what the names of files begin with that are still being written


def read(path: str) -> str:
    """Return the text of a file of ours, empty if there is none.

    Raises Conflict for a file of somebody else, and FileError for what cannot be read as a text.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise FileError(f"read {path}: {error.strerror}", remedy="Move it away and run this again") from error
    first, __, rest = text.partition("\n")
    if not (rest if first.startswith("#!") else text).startswith(HEADER):
        raise Conflict(f"write {path}: a file is there that is not ours", remedy="Move it away")
    return text


def write(
    path: str, text: str, *, mode: int = 0o644, group: str = "", check: t.Callable[[str], None] | None = None
) -> None:
    """Put a text, which begins with the header, in place in one step, after a check of the file to be has passed.

    group: the group that the file shall belong to, if the host has it. Raises FileError, with the old file in place.
    """
    with _reported("write", path):
        _write(path, text, mode, group, check)


def _write(path: str, text: str, mode: int, group: str, check: t.Callable[[str], None] | None) -> None:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        sync(os.path.dirname(directory))
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=UNFINISHED)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        os.chmod(temporary, mode)
        os.chown(temporary, 0, _group_number(group))
        os.replace(temporary, path)
        sync(directory)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def remove(path: str) -> None:
    """Delete a file of ours; one that is gone already is no error. Raises FileError."""
    with _reported("remove", path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync(os.path.dirname(path))


@contextlib.contextmanager
def _reported(verb: str, path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "Make its folder writable, or its disk less full, and run this again"
        raise FileError(f"{verb} {path}: {error.strerror}", remedy=remedy) from error


def sync(directory: str) -> None:
    """Have the names in a directory written to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _group_number(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid if name else 0
    except KeyError:
        return 0
