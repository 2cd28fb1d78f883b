# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's archives as this machine knows them, and an apt with lists and state of its own for another release."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import typing as t
from pathlib import Path

import commands
from settings import LabError

KEYRING: t.Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
# One line for each list of packages of Debian's that apt knows here: address, suite.
KNOWN: t.Final = (
    *("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"),
    *("Created-By: Packages", "Component: main", "Origin: Debian"),
)
CONFIGURATION: t.Final = """\
Dir::Etc::SourceList "{0}/sources.list";
Dir::Etc::SourceParts "{0}/none";
Dir::State "{0}";
Dir::State::Lists "{0}/lists";
Dir::State::status "{0}/status";
Dir::Cache "{0}/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
"""


@dataclasses.dataclass(frozen=True)
class Archive:
    """Debian as the machine is installed from it: the release's name, its archive, all its lines of sources.list."""

    release: str
    address: str
    sources: tuple[str, ...]


def archives() -> Archive:
    """Return the machine's own archives; apt's lists are fetched if there are none. Raises LabError."""
    if not commands.run(*KNOWN).strip():
        commands.run("apt-get", "-q", "update")
    found = [line.partition(" ") for line in commands.run(*KNOWN).splitlines()]
    for address, __, suite in found:
        if suite and "-" not in suite:
            lines = [source(place, name) for place, __, name in found if name.partition("-")[0] == suite]
            return Archive(suite, address, tuple(dict.fromkeys(lines)))
    raise LabError("apt knows no archive of Debian here: run `apt-get update`, and see /etc/apt/sources.list.d.")


def source(address: str, suite: str) -> str:
    """Return a line of sources.list; what apt fetches by it has to be signed by Debian."""
    return f"deb [signed-by={KEYRING}] {address} {suite} main"


def make(root: Path, lines: t.Iterable[str]) -> None:
    """Prepare an apt that knows these sources alone. Raises LabError when they do not answer."""
    for name in ("lists/partial", "cache/archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "sources.list").write_text("".join(f"{line}\n" for line in lines))
    (root / "status").touch()
    (root / "apt.conf").write_text(CONFIGURATION.format(root))
    run(root, "apt-get", "-q", "update", "--error-on=any")


def run(root: Path, *command: str) -> str:
    """Run a program of apt's in that root and return what it prints; files go there. Raises LabError."""
    environment = os.environ | {"APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
    answer = subprocess.run(
        command, cwd=root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise LabError(f"`{' '.join(command)}` failed: {(answer.stderr or answer.stdout).strip()}")
    return answer.stdout
