# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the collection's playbooks against the lab."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from progress import Progress
from settings import CHECKOUT, Lab, LabError

TAIL: t.Final = 15
SHOWN: t.Final = 3


class Pair(t.TypedDict):
    """One line of the ping matrix; `loss` is a share from 0 to 1, times are milliseconds."""

    source: str
    target: str
    sent: int
    received: int
    loss: float
    rtt_ms: dict[str, float]
    encapsulation: str


@dataclasses.dataclass(frozen=True)
class Played:
    """One run of a playbook: the sum of `changed` over all hosts of its recap, and what failed ("" for nothing)."""

    changed: int
    seconds: float
    failure: str


@dataclasses.dataclass(frozen=True)
class Verified:
    """What the verify playbook found."""

    ok: bool
    pairs: list[Pair]
    failure: str


def deploy_and_verify(lab: Lab) -> tuple[Played, Verified]:
    """Run podnet.calico.deploy and podnet.calico.verify. Raises LabError when one fails without a ping matrix."""
    deployed = play(lab, "deploy")
    if deployed.failure:
        raise LabError(deployed.failure)
    report = lab.files / "verify.json"
    report.unlink(missing_ok=True)
    verified = play(lab, "verify", "-e", f"calico_verify_report={report}")
    if not report.exists():
        reason = (
            verified.failure or f"podnet.calico.verify wrote no report to {report}; see {lab.files / 'verify.log'}."
        )
        raise LabError(reason)
    found = json.loads(report.read_text())
    return deployed, Verified(found["ok"] and not verified.failure, found["pairs"], verified.failure)


def play(lab: Lab, name: str, *arguments: str, screen: t.TextIO = sys.stdout) -> Played:
    """Run podnet.calico.NAME with one line per task on the screen and everything in NAME.log. Raises LabError."""
    log = lab.files / f"{name}.log"
    program = _program()
    command = [program, "-i", str(lab.files / "inventory.yml"), f"podnet.calico.{name}", *arguments]
    screen.write(f"podnet.calico.{name} (log: {log})\n")
    started, progress, tail = time.monotonic(), Progress(screen), collections.deque[str](maxlen=TAIL)
    with log.open("w") as copy, _start(command) as child:
        for line in child.stdout or ():
            copy.write(line)
            progress.feed(line.rstrip("\n"))
            tail.append(line)
    progress.finish()
    failure = ""
    if child.returncode:
        reasons = _shortened(progress.failures) or "".join(tail).rstrip()
        failure = f"podnet.calico.{name} failed.\n\n{reasons}\n\nThe whole output: {log}"
    return Played(progress.changed, time.monotonic() - started, failure)


def _shortened(failures: list[str]) -> str:
    """Join what failed; what fails everywhere need not be read for every host."""
    more = [f"... and {len(failures) - SHOWN} more."] if len(failures) > SHOWN else []
    return "\n\n".join(failures[:SHOWN] + more)


def _program() -> str:
    for folder in (Path(sys.prefix, "bin"), CHECKOUT / ".venv" / "bin"):
        if (folder / "ansible-playbook").exists():
            return str(folder / "ansible-playbook")
    raise LabError("ansible-playbook is not installed: run `sudo tests/lab/bootstrap.sh install`.")


def _start(command: list[str]) -> subprocess.Popen[str]:
    settings = {
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
