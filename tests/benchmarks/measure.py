# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring: child processes with what they and their own children cost, and sides that take turns."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import signal
import tempfile
import time
import traceback
import typing as t
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class MeasuringFailed(RuntimeError):
    """A case could not be measured, or one of its sides did not do the work that it was measured for."""


@dataclass(frozen=True)
class Cost:
    """What a child cost: CPU (user and system, with the children that it waited for) and wall time, in seconds.

    answer: what its function returned, or the output of its program.
    """

    cpu: float
    wall: float
    answer: t.Any = None


@dataclass(frozen=True)
class Bench:
    """What a case gets to know: a directory for its files, how often to run, and how much to do."""

    name: str
    scratch: Path
    runs: int
    divisor: int = 1

    def size(self, number: int) -> int:
        """Return how many objects to use where a full run uses that many."""
        return max(10, number // self.divisor)

    def file(self, name: str, text: str) -> Path:
        """Write a file for the case and return its path."""
        path = self.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def note(self, text: str) -> None:
        """Print a line about the progress."""
        print(f"{time.strftime('%H:%M:%S')}  {self.name}: {text}", flush=True)

    def interleave(self, sides: t.Mapping[str, t.Callable[[], Cost]], *, warm: bool = True) -> dict[str, list[Cost]]:
        """Run all sides in turn, A B A B …, after one round that does not count, and return the costs of each."""
        costs: dict[str, list[Cost]] = {name: [] for name in sides}
        for number in range(0 if warm else 1, self.runs + 1):
            self.note(f"run {number} of {self.runs}" if number else "warming up")
            for name, side in sides.items():
                cost = side()
                if number:
                    costs[name].append(cost)
        return costs


def cpu(costs: t.Iterable[Cost]) -> list[float]:
    """Return the CPU seconds of each run."""
    return [cost.cpu for cost in costs]


def wall(costs: t.Iterable[Cost]) -> list[float]:
    """Return the wall-clock seconds of each run."""
    return [cost.wall for cost in costs]


def forked(work: t.Callable[[], t.Any], *, netns: str | None = None) -> Cost:
    """Run a function in a child of this warm process, inside a network namespace (path); it returns plain data.

    The CPU is that of the function alone, or of the whole program if the function becomes one.
    Raises MeasuringFailed with the child's traceback if it fails.
    """
    gc.collect()
    gc.freeze()  # what the child inherits is not looked through, and so not copied, by its collector
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if not child:
        _become(work, netns, writing)
    try:
        os.close(writing)
        with open(reading, "rb") as pipe:
            text = pipe.read()
        __, status, usage = os.wait4(child, 0)
    except BaseException:
        _end(child)
        raise
    finally:
        gc.unfreeze()
    elapsed = time.monotonic() - started
    told = json.loads(text or "{}")
    if "failed" in told or (status and text):
        raise MeasuringFailed(told.get("failed") or f"the child ended with status {status}")
    if text:
        return Cost(told["cpu"], elapsed, told["answer"])
    return Cost(usage.ru_utime + usage.ru_stime, elapsed, os.waitstatus_to_exitcode(status))


def _spent() -> float:
    """Return the CPU seconds, user and system, of this process and of the children that it has waited for."""
    usages = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _become(work: t.Callable[[], t.Any], netns: str | None, writing: int) -> t.NoReturn:
    """Be the child: a session of its own, so that it can be ended with all that it started; it dies with its parent."""
    try:
        os.setsid()
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if netns:
            enter(netns)
        before = _spent()
        answer = work()
        told = {"answer": answer, "cpu": _spent() - before}
    except BaseException:
        told = {"failed": traceback.format_exc()}
    with open(writing, "w") as pipe:
        json.dump(told, pipe)
    os._exit(0)


def _end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def enter(netns: str) -> None:
    """Move this process into the network namespace with that path."""
    descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {netns}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)


def with_run_in_memory() -> None:
    """Have /run in memory, as every host with systemd has it, for this process and its children alone.

    Where it is on a disk, each file that a namespace is known by costs what that disk makes of it. Raises OSError.
    """
    none, run = b"none", b"/run"
    _call(_libc.unshare(CLONE_NEWNS), "leave the mount namespace")
    _call(_libc.mount(none, b"/", None, MS_REC | MS_PRIVATE, None), "keep mounts to this process")
    _call(_libc.mount(b"tmpfs", run, b"tmpfs", 0, None), "mount /run")


def _call(status: int, what: str) -> None:
    if status:
        raise OSError(ctypes.get_errno(), f"cannot {what}: {os.strerror(ctypes.get_errno())}")


def command(
    arguments: t.Sequence[str],
    *,
    netns: str | None = None,
    stdin: Path | None = None,
    environment: t.Mapping[str, str] | None = None,
) -> Cost:
    """Run a program inside a network namespace (path); the answer is its output, both streams in one.

    Raises MeasuringFailed with the end of the output if its exit status is not 0.
    """
    with tempfile.TemporaryFile() as output:

        def execute() -> None:
            os.dup2(os.open(stdin or os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os.execvpe(arguments[0], list(arguments), dict(environment or os.environ))  # noqa: S606 (a list)

        cost = forked(execute, netns=netns)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if cost.answer != 0:
        raise MeasuringFailed(f"{' '.join(arguments)} ended with status {cost.answer}:\n{text[-2000:]}")
    return Cost(cost.cpu, cost.wall, text)
