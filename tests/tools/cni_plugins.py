# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the CNI plugins of Debian unstable, to run them beside those that are installed; pack either as a release.

`cni_plugins.py` fetches them below .cache/cni; the machine's own packages and sources stay as they are. apt checks
signatures and checksums. What cannot be fetched leaves its reason in .cache/cni/failed, so that tests can say it when
they skip.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "lab"))

import apt_root
from settings import LabError

CACHE: t.Final = HERE.parents[2] / ".cache" / "cni"
INSTALLED: t.Final = Path("/usr/lib/cni")
PACKAGE: t.Final = "containernetworking-plugins"
SUITE: t.Final = "sid"
_FAILED: t.Final = CACHE / "failed"


class Unavailable(Exception):
    """The newer plugins are not here; fetched tells whether somebody has tried to fetch them in vain."""

    def __init__(self, reason: str, *, tried: bool) -> None:
        super().__init__(reason)
        self.tried = tried


def newer() -> Path:
    """Return the directory with the plugins of Debian unstable; its parent's name is their version."""
    found = sorted(CACHE.glob("[0-9]*/ptp"))
    if found:
        return found[-1].parent
    if _FAILED.is_file():
        raise Unavailable(f"newer CNI plugins could not be fetched: {_FAILED.read_text().strip()}", tried=True)
    raise Unavailable("newer CNI plugins are not here: run tests/tools/cni_plugins.py", tried=False)


def version(plugins: Path) -> str:
    """Return the version of the plugins in a directory that this tool knows."""
    if plugins != INSTALLED:
        return plugins.name
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", PACKAGE], capture_output=True, text=True, check=True
    ).stdout
    return shown.partition("+")[0].partition("-")[0]


def pack(plugins: Path, archive: Path, names: t.Container[str] | None = None) -> str:
    """Write plugins as a release archive (gzip, names as ./ptp, with two files that are none); return its sha256.

    names: of those to take, if not all.
    """
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted(plugins.iterdir()):
            if names is None or path.name in names:
                tar.add(path, f"./{path.name}", recursive=False)
        for name in ("LICENSE", "README.md"):
            tar.add(HERE.parents[2] / name, f"./{name}", filter=_plain)
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode = 0o644
    return member


def fetch() -> bool:
    """Fetch the newer plugins unless they are here; tell whether they are."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if list(CACHE.glob("[0-9]*/ptp")):
        return True
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".fetch-") as directory:
        try:
            _fetch(Path(directory))
        except (OSError, LabError, subprocess.CalledProcessError) as error:
            _FAILED.write_text(f"{error}\n")
            return False
    _FAILED.unlink(missing_ok=True)
    return True


def _fetch(directory: Path) -> None:
    root = directory / "apt"
    apt_root.make(root, [apt_root.source(apt_root.archives().address, SUITE)])
    apt_root.run(root, "apt-get", "-q", "download", PACKAGE)
    [package] = root.glob(f"{PACKAGE}_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(directory / "files")], check=True, capture_output=True)
    release = package.name.split("_")[1].partition("%2b")[0].partition("+")[0].partition("-")[0]
    shutil.move(str(directory / "files" / "usr" / "lib" / "cni"), str(CACHE / release))


def main() -> int:
    """Fetch the newer plugins and show what there is."""
    whole = fetch()
    for find in (lambda: INSTALLED, newer):
        try:
            found = find()
            print(version(found), found, *sorted(path.name for path in found.iterdir()))
        except (Unavailable, OSError, subprocess.CalledProcessError) as error:
            print(error)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
