# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch container runtimes to run them in lab nodes: Podman and containerd of this Debian, containerd 2 of unstable.

`container_runtimes.py` unpacks the packages below .cache/containers; the machine's own packages and sources stay as
they are, and no service is started. apt checks signatures and checksums. What cannot be fetched leaves its reason in
<name>.failed, so that tests can say it when they skip.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "lab"))

import apt_root
from settings import LabError

CACHE: t.Final = HERE.parents[2] / ".cache" / "containers"
UNSTABLE: t.Final = "sid"
# By name: the suite, empty for the machine's own, and the packages, with those libraries that a small system lacks.
SETS: t.Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "podman": (
        "",
        (
            *("podman", "conmon", "runc", "golang-github-containers-common", "golang-github-containers-image"),
            *("libgpgme11", "libassuan0", "libsubid4", "libdevmapper1.02.1", "libseccomp2", "libglib2.0-0"),
            "busybox-static",
        ),
    ),
    "containerd": ("", ("containerd", "runc", "libseccomp2", "busybox-static")),
    # It runs with the C library of Debian 12; runc of unstable does not.
    "containerd2": (UNSTABLE, ("containerd",)),
}
# What no test runs: documentation, and programs of many megabytes.
UNUSED: t.Final = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/bug")
UNUSED_PROGRAMS: t.Final = ("containerd-shim", "containerd-shim-runc-v1", "containerd-stress")


class Unavailable(Exception):
    """Runtimes are not here; tried tells whether somebody has tried to fetch them in vain."""

    def __init__(self, reason: str, *, tried: bool) -> None:
        super().__init__(reason)
        self.tried = tried


def tree(name: str) -> Path:
    """Return the file tree of one of SETS. Raises Unavailable."""
    found, failed = _place(name), CACHE / f"{name}.failed"
    if found.is_dir():
        return found
    if failed.is_file():
        raise Unavailable(f"{name} could not be fetched: {failed.read_text().strip()}", tried=True)
    raise Unavailable(f"{name} is not here: run tests/tools/container_runtimes.py", tried=False)


def _place(name: str) -> Path:
    return CACHE / f"{name}-{hashlib.sha256(repr(SETS[name]).encode()).hexdigest()[:8]}"


def fetch(suite: str) -> bool:
    """Fetch what is missing of one suite; tell whether all of it is here then."""
    missing = [name for name, (of, _packages) in SETS.items() if of == suite and not _place(name).is_dir()]
    if not missing:
        return True
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".fetch-") as directory:
        root = Path(directory)
        try:
            origin = apt_root.archives()
            apt_root.make(root, [apt_root.source(origin.address, suite)] if suite else origin.sources)
            for name in missing:
                _unpack(root, name)
        except (OSError, LabError, subprocess.CalledProcessError) as error:
            for name in missing:
                (CACHE / f"{name}.failed").write_text(f"{error}\n")
            return False
    return True


def _unpack(root: Path, name: str) -> None:
    files = root / name
    files.mkdir(mode=0o755)
    apt_root.run(root, "apt-get", "-q", "download", *SETS[name][1])
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(files)], check=True)
        package.unlink()
    for unused in UNUSED:
        shutil.rmtree(files / unused, ignore_errors=True)
    for program in UNUSED_PROGRAMS:
        (files / "usr" / "bin" / program).unlink(missing_ok=True)
    for old in CACHE.glob(f"{name}-*"):
        shutil.rmtree(old)
    files.rename(_place(name))
    (CACHE / f"{name}.failed").unlink(missing_ok=True)


def main() -> int:
    """Fetch all of them and show where they are."""
    here, newer = fetch(""), fetch(UNSTABLE)
    for name in SETS:
        try:
            print(name, tree(name))
        except Unavailable as error:
            print(error)
    return 0 if here and newer else 1


if __name__ == "__main__":
    sys.exit(main())
