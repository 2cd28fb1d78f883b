# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File trees of Debian packages of the machine's own release, below .cache, without installing them.

apt checks signatures and checksums. What cannot be fetched leaves its reason beside the tree, so that tests say it when
they skip.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

CACHE: t.Final = Path(__file__).resolve().parents[2] / ".cache"


class Unavailable(Exception):
    """The packages could not be fetched."""


def tree(name: str, packages: t.Sequence[str], finish: t.Callable[[Path], None] = lambda root: None) -> Path:
    """Return the file tree of packages, fetched if nobody has tried yet. finish: what their installation would do.

    name: of the folder below .cache. Raises Unavailable.
    """
    folder = CACHE / name
    root = folder / f"root-{hashlib.sha256(repr(packages).encode()).hexdigest()[:8]}"
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _fetched(name, folder, root, packages, finish)


@contextlib.contextmanager
def _alone(folder: Path) -> t.Iterator[None]:
    """Wait until no other process fetches into a folder, and keep others waiting."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _fetched(name: str, folder: Path, root: Path, packages: t.Sequence[str], finish: t.Callable[[Path], None]) -> Path:
    failed = root.with_suffix(".failed")
    if root.is_dir():  # another process was quicker
        return root
    if not failed.is_file():
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as directory:
            try:
                _fetch(Path(directory), packages)
                finish(Path(directory) / "root")
                (Path(directory) / "root").rename(root)
                return root
            except (OSError, subprocess.CalledProcessError) as error:
                failed.write_text(f"{error}: {getattr(error, 'stderr', '')}\n")
    raise Unavailable(f"{name} could not be fetched: {failed.read_text().strip()}")


def _fetch(directory: Path, packages: t.Sequence[str]) -> None:
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=", "download", *packages]
    subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    root = directory / "root"
    for package in directory.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True, capture_output=True)
    if (root / "lib").is_dir():  # which is a link on the machine
        shutil.copytree(root / "lib", root / "usr" / "lib", dirs_exist_ok=True)
        shutil.rmtree(root / "lib")
