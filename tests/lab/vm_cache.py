# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes minutes to make and serves all labs of virtual machines: a kernel, a root file system, a disk image."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import typing as t
from pathlib import Path

from settings import LabError

DEFAULT: t.Final = Path("/var/cache/podnet-lab")
VARIABLE: t.Final = "PODNET_VM_CACHE"


def named() -> Path | None:
    """Return the folder that PODNET_VM_CACHE names; None without it. Raises LabError when there is no such folder."""
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    if not Path(value).is_dir():
        raise LabError(f"{VARIABLE}={value} is no folder: make it, or leave the variable out to use {DEFAULT}.")
    return Path(value).resolve()


def folder() -> Path:
    """Return the folder that things are kept in, which exists then: the named one if it can be written."""
    given = named()
    if given and os.access(given, os.W_OK):
        return given
    DEFAULT.mkdir(parents=True, exist_ok=True)
    return DEFAULT


@contextlib.contextmanager
def alone() -> t.Iterator[Path]:
    """Wait until nobody else makes something in the cache, and keep others waiting; yields the folder."""
    handle = os.open(folder(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _sweep(folder())
        yield folder()
    finally:
        os.close(handle)


def _sweep(cache: Path) -> None:
    """Remove what a run that was killed had begun to make."""
    for path in cache.glob("new-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def seal(part: Path, path: Path) -> None:
    """Give a finished file its name, after its checksum has been written beside it in the form of sha256sum."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    _checksum_file(path).write_text(f"{checksum(part)}  {path.name}\n")
    part.rename(path)


def verify(path: Path) -> str:
    """Return the checksum (SHA-256, hexadecimal) of a kept file. Raises LabError unless it is the recorded one."""
    try:
        recorded = _checksum_file(path).read_text().split()[0]
    except (FileNotFoundError, IndexError):
        raise LabError(f"{path} has no checksum in {_checksum_file(path).name}: remove the file, or add it.") from None
    found = checksum(path)
    if found != recorded:
        raise LabError(
            f"{path} is damaged: its SHA-256 is {found[:16]}..., recorded is {recorded[:16]}.... "
            "Remove both files; a new one is made or fetched then."
        )
    return found


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
