# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of virtual machines: User-mode Linux, out of the cache or built from Debian's sources."""

from __future__ import annotations

import hashlib
import re
import typing as t
from pathlib import Path

import vm_cache
import vm_kernel_build

FRAGMENT: t.Final = Path(__file__).resolve().parent / "vm_kernel.config"
NAME: t.Final = re.compile(r"kernel-([0-9]+)\.([0-9]+)([0-9.]*)-([0-9a-f]{8})\.tar")
PROGRAM: t.Final = "linux.uml"


def version(path: Path) -> tuple[int, int]:
    """Return the first two numbers of the version of a kernel in the cache, (7, 2) of kernel-7.2.13-e98c3f0e.tar."""
    found = NAME.fullmatch(path.name)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def cached(cache: Path) -> Path | None:
    """Return the newest usable kernel of the cache: any in the folder that is named, else one with our options."""
    given, key = vm_cache.named(), _key()
    kept = [path for path in cache.glob("kernel-*.tar") if (found := NAME.fullmatch(path.name)) and found[4] == key]
    kept += [path for path in given.glob("kernel-*.tar") if NAME.fullmatch(path.name)] if given and not kept else []
    return max(kept, key=version, default=None)


def provide(cache: Path, say: t.Callable[[str], None]) -> Path:
    """Return the tar of a kernel, built first if none is in the cache. Raises LabError."""
    return cached(cache) or vm_kernel_build.build(cache, FRAGMENT, _key(), say)


def _key() -> str:
    return hashlib.sha256(FRAGMENT.read_bytes()).hexdigest()[:8]
