# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the BIRDs of Debian 13 with their libraries, to run them beside the one that is installed.

`bird_versions.py` fetches what is missing below .cache/bird; the machine's own packages and sources stay as they are.
apt checks signatures and checksums. <release>/bin has `bird` and `birdc`, which run with their own libc. What cannot be
fetched leaves its reason in <release>.failed, so that tests can say it when they skip.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "bird"
INSTALLED = "2.0"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = {"2.17": "bird2", "3.1": "bird3"}
LIBRARIES = (
    *("libc6", "libssh-4", "libreadline8t64", "libtinfo6", "zlib1g", "libssl3t64", "libzstd1", "libgssapi-krb5-2"),
    *("libkrb5-3", "libk5crypto3", "libkrb5support0", "libcom-err2", "libkeyutils1"),
)
SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {0} trixie main\n"
# The archives that the machine itself is installed from, one a line: address, suite.
ARCHIVES = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages", "Component: main"]
APT = """\
Dir::Etc::SourceList "{0}/sources.list";
Dir::Etc::SourceParts "{0}/none";
Dir::State "{0}";
Dir::State::Lists "{0}/lists";
Dir::State::status "{0}/status";
Dir::Cache "{0}/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
"""
START = '#!/bin/sh\nexec {loader} --library-path {libraries} {program} "$@"\n'


class Unavailable(Exception):
    """A release is not here; fetched tells whether somebody has tried to fetch it in vain."""

    def __init__(self, reason: str, *, tried: bool) -> None:
        super().__init__(reason)
        self.tried = tried


def programs(release: str) -> Path:
    """Return the directory with `bird` and `birdc` of a release; raises Unavailable."""
    if release == INSTALLED:
        bird = shutil.which("bird", path=PATH)
        if bird is None:
            raise Unavailable(f"BIRD {release} is not here: install the package bird2", tried=False)
        return Path(bird).parent
    found, failed = CACHE / release / "bin", CACHE / f"{release}.failed"
    if found.is_dir():
        return found
    if failed.is_file():
        raise Unavailable(f"BIRD {release} could not be fetched: {failed.read_text().strip()}", tried=True)
    raise Unavailable(f"BIRD {release} is not here: run tests/tools/bird_versions.py", tried=False)


def parse(release: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Have a release parse a configuration."""
    bird = str(programs(release) / "bird")
    environment = {"PATH": PATH, "LC_ALL": "C"}
    return subprocess.run([bird, "-p", "-c", str(path)], capture_output=True, text=True, env=environment, check=False)


def fetch(releases: t.Iterable[str]) -> bool:
    """Fetch releases; tell whether all are here."""
    CACHE.mkdir(parents=True, exist_ok=True)
    missing = [release for release in releases if not (CACHE / release).is_dir()]
    if not missing:
        return True
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".fetch-") as directory:
        try:
            packages = _download(Path(directory), missing)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            for release in missing:
                (CACHE / f"{release}.failed").write_text(f"{reason.strip()}\n")
            return False
        for release in missing:
            _unpack(packages, Path(directory), release)
    return True


def _download(directory: Path, releases: t.Sequence[str]) -> Path:
    """Download packages with an apt that has its own lists and state."""
    for name in ("lists/partial", "cache/archives/partial", "packages"):
        (directory / name).mkdir(parents=True)
    (directory / "sources.list").write_text(SOURCE.format(_archive()))
    (directory / "status").touch()
    (directory / "apt.conf").write_text(APT.format(directory))
    environment = {**os.environ, "APT_CONFIG": str(directory / "apt.conf"), "LC_ALL": "C"}
    wanted = [*(PACKAGES[release] for release in releases), *LIBRARIES]
    for command in (["update", "--error-on=any"], ["download", *wanted]):
        subprocess.run(
            ["apt-get", "-q", *command],
            cwd=directory / "packages",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    return directory / "packages"


def _archive() -> str:
    """Return the address of the archive that the machine has Debian from; raises OSError if there is none."""
    found = subprocess.run(ARCHIVES, capture_output=True, text=True, check=True).stdout.split("\n")
    for address, __, suite in (line.partition(" ") for line in found):
        if suite and "-" not in suite:
            return address
    raise OSError("apt knows no archive of Debian on this machine")


def _unpack(packages: Path, directory: Path, release: str) -> None:
    """Unpack one BIRD and the libraries, and put scripts that start it before it becomes visible under its name."""
    root, final = directory / release, CACHE / release
    for name in (PACKAGES[release], *LIBRARIES):
        [package] = packages.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    [loader] = [path for path in root.glob("usr/lib*/ld-linux-*") if path.exists()]
    [libraries] = root.glob("usr/lib/*-linux-gnu*")
    (root / "bin").mkdir()
    for program in ("bird", "birdc"):
        script = root / "bin" / program
        places = {"loader": loader, "libraries": libraries, "program": root / "usr/sbin" / program}
        moved = {key: shlex.quote(str(final / path.relative_to(root))) for key, path in places.items()}
        script.write_text(START.format(**moved))
        script.chmod(0o755)
    shutil.move(str(root), str(final))
    (CACHE / f"{release}.failed").unlink(missing_ok=True)


def main() -> int:
    """Fetch all releases and show what they say of themselves."""
    whole = fetch(PACKAGES)
    for release in (INSTALLED, *PACKAGES):
        try:
            bird = str(programs(release) / "bird")
        except Unavailable as error:
            print(error)
            continue
        said = subprocess.run([bird, "--version"], capture_output=True, text=True, check=True)
        print(release, (said.stdout + said.stderr).strip())
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
