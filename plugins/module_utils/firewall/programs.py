# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of firewalls, run with a fixed path and language."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError

SEARCHED = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def answer(name: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Return what a program answers to a text; code 127 if there is no such program."""
    program = shutil.which(name, path=SEARCHED)
    if program is None:
        return subprocess.CompletedProcess([name, *arguments], 127, "", f"there is no {name}")
    return subprocess.run(
        [program, *arguments],
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        env={"PATH": SEARCHED, "LC_ALL": "C"},
        check=False,
    )


def act(name: str, *arguments: str, text: str = "") -> str:
    """Return what a program prints; raises DaemonError with what it says if it fails."""
    found = answer(name, *arguments, text=text)
    if found.returncode:
        said = found.stderr.strip() or found.stdout.strip()
        raise DaemonError(
            f"{' '.join([name, *arguments])}: {said}", remedy="Run the command by hand; nothing was let through"
        )
    return found.stdout


def content(path: str) -> str:
    """Return a file's text; empty if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def put(path: str, text: str) -> None:
    """Replace a file of somebody else in one step; owner and mode stay as they are."""
    status = os.stat(path)
    temporary = f"{path}.podnet-calico"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chown(temporary, status.st_uid, status.st_gid)
    os.chmod(temporary, status.st_mode & 0o7777)
    os.replace(temporary, path)


class Backend(t.Protocol):
    """What one kind of firewall has of ours, and how it gets what is wanted; made from rules, of which none removes."""

    def changes(self) -> list[t.Any]:
        """Return what differs, as Change."""

    def apply(self) -> None:
        """Make the changes."""
