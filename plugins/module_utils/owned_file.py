# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours: marked by their first line (of a script, the second), replaced in one step, never somebody else's.

After a power cut a file is the old one or the new one, and never a part of it.
"""

from __future__ import annotations

import grp
import os
import tempfile
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict

HEADER = "# Managed by podnet.calico: changes made here are lost with the next run."


UNFINISHED = ".podnet-"  # what the names of files begin with that are still being written


def read(path: str) -> str:
    """Return the text of a file of ours, empty if there is none; raises Conflict for a file of somebody else."""
    try:
        with open(path) as file:
            text = file.read()
    except FileNotFoundError:
        return ""
    first, __, rest = text.partition("\n")
    if not (rest if first.startswith("#!") else text).startswith(HEADER):
        raise Conflict(f"write {path}: a file is there that is not ours", remedy="Move it away")
    return text


def write(
    path: str, text: str, *, mode: int = 0o644, group: str = "", check: t.Callable[[str], None] | None = None
) -> None:
    """Put a text, which begins with the header, in place in one step, after a check of the file to be has passed.

    group: the group that the file shall belong to, if the host has it.
    """
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        sync(os.path.dirname(directory))
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=UNFINISHED)
    try:
        with os.fdopen(descriptor, "w") as file:
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
    """Delete a file of ours; one that is gone already is no error."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync(os.path.dirname(path))


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
