# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program of the machine and take its answer, or its complaint."""

from __future__ import annotations

import shlex
import subprocess
import typing as t

from settings import LabError


def run(*command: str, feed: str | None = None) -> str:
    """Return what a command prints. Raises LabError with the command and its complaint when it fails or is missing."""
    try:
        answer = subprocess.run(command, input=feed, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed: run `sudo tests/lab/bootstrap.sh install`.") from None
    if answer.returncode:
        complaint = (answer.stderr or answer.stdout).strip() or f"exit status {answer.returncode}"
        raise LabError(f"`{shlex.join(command)}` failed: {complaint}")
    return answer.stdout


def succeeds(*command: str) -> bool:
    """Tell whether a command ends with status 0; what it prints is dropped."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def ip_batch(lines: t.Iterable[str], *, namespace: str | None = None) -> None:
    """Run lines of iproute2 in one go, inside a named network namespace when one is given. Raises LabError."""
    where = ["-n", namespace] if namespace else []
    run("ip", *where, "-batch", "-", feed="".join(f"{line}\n" for line in lines))
