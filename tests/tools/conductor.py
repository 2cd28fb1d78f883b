# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run sessions of nox, some at the same time, and say in the last line how many tests passed, failed, were skipped.

    conductor.py AT_ONCE SESSION... [-- ARGUMENT...]

They start in the order given. Each writes .cache/logs/SESSION.log; the logs of failed sessions are shown at the end.
Costs and counts of the whole run, with what .cache/measured/bootstrap.json says of the environment, go to
.cache/durations.json.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import durations
from durations import Counts

ROOT: t.Final = Path(__file__).resolve().parents[2]
CACHE: t.Final = ROOT / ".cache"
BOOTSTRAP: t.Final = "bootstrap"
HEARTBEAT_SECONDS: t.Final = 60.0
LINES_OF_A_LOG: t.Final = 400
PROGRESS: t.Final = re.compile(r"\[ *([0-9]+)%\]")


@dataclass
class Session:
    """One session of nox: where its files are, its process while it runs, its costs and counts when it has ended."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    costs: dict[str, t.Any] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    @property
    def log(self) -> Path:
        return CACHE / "logs" / f"{self.name}.log"

    @property
    def measured(self) -> Path:
        return CACHE / "measured" / f"{self.name}.json"

    @property
    def junit(self) -> Path:
        return CACHE / "results" / f"{self.name}.xml"

    def start(self, arguments: t.Sequence[str]) -> None:
        """Start the session with arguments for pytest."""
        for path in (self.log, self.measured, self.junit):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        program = [sys.executable, str(ROOT / "tests" / "tools" / "measured.py"), str(self.measured)]
        command = [*program, sys.executable, "-m", "nox", "-s", self.name, *(["--", *arguments] if arguments else [])]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def has_ended(self) -> bool:
        """Tell whether the session has ended; if so, read what it cost and counted."""
        assert self.process is not None
        status = self.process.poll()
        if status is None:
            return False
        nothing = {"wall_seconds": 0.0, "cpu_seconds": 0.0}
        self.costs = json.loads(self.measured.read_text()) if self.measured.exists() else nothing
        self.counts = durations.of_session(self.junit, status)
        return True

    def progress(self) -> str:
        """Return the session's name, with the share of its tests that have ended if its log says so."""
        found = PROGRESS.findall(self.log.read_text(errors="replace"))
        return f"{self.name} {found[-1]} %" if found else self.name


def conduct(sessions: t.Sequence[Session], at_once: int, arguments: t.Sequence[str]) -> None:
    """Run all sessions, at most some of them at the same time, and say what starts, ends and still runs."""
    waiting, running, began = list(sessions), list[Session](), time.monotonic()
    spoke = began
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(waiting.pop(0))
                running[-1].start(arguments)
                spoke = _say(began, f"{running[-1].name} starts")
            time.sleep(0.2)
            for session in [session for session in running if session.has_ended()]:
                running.remove(session)
                spoke = _say(began, _ending(session))
            if running and time.monotonic() - spoke > HEARTBEAT_SECONDS:
                spoke = _say(began, f"running: {', '.join(session.progress() for session in running)}")
    except KeyboardInterrupt:
        for session in running:
            assert session.process is not None
            session.process.send_signal(signal.SIGINT)
        for session in running:
            assert session.process is not None
            session.process.wait()
        raise


def _say(began: float, text: str) -> float:
    now = time.monotonic()
    print(f"{int(now - began) // 60:3d} min {int(now - began) % 60:02d} s  {text}", flush=True)
    return now


def _ending(session: Session) -> str:
    costs = session.costs
    verdict = "FAILED" if session.counts.failed else "ok"
    text = f"{session.name} {verdict}: {session.counts.line()}"
    return f"{text}; {costs['wall_seconds']:.0f} s wall, {costs['cpu_seconds']:.0f} s CPU"


def _summary(sessions: t.Sequence[Session], started: datetime.datetime, wall: float) -> dict[str, t.Any]:
    """Return what goes to durations.json; the environment's part comes before the run's own wall time."""
    rows = {session.name: session.costs | _numbers(session.counts) for session in sessions}
    environment = CACHE / "measured" / f"{BOOTSTRAP}.json"
    if environment.exists():
        rows = {BOOTSTRAP: json.loads(environment.read_text()), **rows}
        wall += rows[BOOTSTRAP]["wall_seconds"]
    cpu = sum(row["cpu_seconds"] for row in rows.values())
    total = {"wall_seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)}
    counts = _numbers(sum((session.counts for session in sessions), Counts()))
    return {"started": started.isoformat("T", "seconds"), "cores": os.cpu_count(), **total, **counts, "sessions": rows}


def _numbers(counts: Counts) -> dict[str, int]:
    return {"passed": counts.passed, "failed": counts.failed, "skipped": sum(counts.skipped.values())}


def _show_log(session: Session) -> None:
    lines = session.log.read_text(errors="replace").splitlines()
    print(f"\n==== {session.name} failed; the end of {session.log.relative_to(ROOT)}:")
    print("\n".join(lines[-LINES_OF_A_LOG:]))


def main(words: t.Sequence[str]) -> int:
    """Run what the command line says; return 1 if anything failed."""
    cut = words.index("--") if "--" in words else len(words)
    sessions = [Session(name) for name in words[1:cut]]
    started, began = datetime.datetime.now(datetime.timezone.utc), time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    conduct(sessions, int(words[0]), words[cut + 1 :])
    summary = _summary(sessions, started, time.monotonic() - began)
    durations.DURATIONS.write_text(json.dumps(summary, indent=1) + "\n")
    failed = [session for session in sessions if session.counts.failed]
    for session in failed:
        _show_log(session)
    print(f"\n{durations.table(summary)}\n")
    if failed:
        print(f"Failed: {', '.join(session.name for session in failed)}")
    print(sum((session.counts for session in sessions), Counts()).line())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
