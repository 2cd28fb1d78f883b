# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build Calico's CNI plugin and our judge from its source, and fetch etcd of Debian, to run them in lab nodes.

`calico_cni.py` puts them into .cache/calico; the machine's own packages stay as they are. It needs a Go compiler and a
Go module proxy, which check the source's checksum, and takes about three minutes of a processor for the plugin and as
long for the judge (calico_judge.py) alone. What cannot be had leaves its reason in .cache/calico/failed, so that tests
can say it when they skip.
"""

from __future__ import annotations

import json
import os
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

CACHE: t.Final = HERE.parents[2] / ".cache" / "calico"
PROGRAMS: t.Final = ("calico", "calico-ipam", "etcd")
JUDGE: t.Final = "judge"
# A commit of Calico's repository on its branch of v3.28; the tag in front is what Go calls the last one before it.
MODULE: t.Final = "github.com/projectcalico/calico@v1.11.0-cni-plugin.0.20250813170300-a0db560f0520"
# The source says ./api, which is a module of its own and so not in what the proxy gives; this is its newest version.
REPLACED: t.Final = "github.com/projectcalico/api=github.com/projectcalico/api@v0.0.0-20240708202104-e3f70b269c2c"
ETCD: t.Final = "etcd-server"
_FAILED: t.Final = CACHE / "failed"


class Unavailable(Exception):
    """Calico's plugin or etcd is not here, for the reason in the message."""


def programs(names: t.Sequence[str] = PROGRAMS) -> Path:
    """Return the directory with programs; they are made if nobody has tried before. Raises Unavailable."""
    if not _are_here(names) and not _FAILED.is_file():
        make(names)
    if not _are_here(names):
        raise Unavailable(f"{', '.join(names)} could not be made: {_FAILED.read_text().strip()}")
    return CACHE


def _are_here(names: t.Sequence[str]) -> bool:
    return all((CACHE / name).is_file() for name in names)


def make(names: t.Sequence[str] = PROGRAMS) -> bool:
    """Build and fetch what is missing; tell whether all of it is here then."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".make-") as directory:
        try:
            for name in names:
                if not (CACHE / name).is_file():
                    _make(name, Path(directory))
        except (OSError, LabError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or ""
            _FAILED.write_text(f"{error} {said[-500:]}\n")
            return False
    _FAILED.unlink(missing_ok=True)
    return True


def _make(name: str, directory: Path) -> None:
    if name == "etcd":
        _fetch(directory)
    elif name == "calico-ipam":  # one program with calico, which goes by the name that it is called by
        os.link(CACHE / "calico", CACHE / name)
    else:
        _build(name, directory)


def _fetch(directory: Path) -> None:
    root = directory / "apt"
    apt_root.make(root, apt_root.archives().sources)
    apt_root.run(root, "apt-get", "-q", "download", ETCD)
    [package] = root.glob(f"{ETCD}_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(directory / "files")], check=True, capture_output=True)
    shutil.move(str(directory / "files" / "usr" / "bin" / "etcd"), str(CACHE / "etcd"))


def _build(name: str, directory: Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        raise LabError("there is no Go compiler")
    source, module = (
        directory / f"{name}-source",
        json.loads(_run(go, "mod", "download", "-json", MODULE, place=directory)),
    )
    shutil.copytree(module["Dir"], source)
    for path in (source, source / "go.mod", source / "go.sum"):  # the cache of Go is read-only
        path.chmod(path.stat().st_mode | 0o200)
    _run(go, "mod", "edit", f"-replace={REPLACED}", place=source)
    if name == JUDGE:
        shutil.copytree(HERE.parent / "calico_judge", source / JUDGE)
    package = JUDGE if name == JUDGE else "cni-plugin/cmd/calico"
    _run(go, "build", "-ldflags", "-s -w", "-o", str(directory / name), f"./{package}", place=source)
    shutil.move(str(directory / name), str(CACHE / name))
    _make_removable(source)


def _run(*command: str, place: Path) -> str:
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    return subprocess.run(
        command, cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    ).stdout


def _make_removable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


def main() -> int:
    """Make all of them and show where they are."""
    _FAILED.unlink(missing_ok=True)
    try:
        print(programs(), *PROGRAMS)
    except Unavailable as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
