# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what this collection promises in numbers, and keeps the figures in results.json. `make bench` calls this."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import (
    bgp,
    bgp_farm,
    cni,
    control,
    datastore,
    engine,
    figures,
    guard,
    kernel,
    machine,
    modes,
    probe,
)
from ansible_collections.podnet.calico.tests.benchmarks.case import Case, chosen
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, MeasuringFailed, with_run_in_memory

RESULTS = Path(__file__).parent / "results.json"
LOCK = "/run/podnet-bench.lock"
GROUPS: dict[str, tuple[Case, ...]] = {
    "kernel": kernel.CASES,
    "bgp": bgp.CASES,
    "modes": modes.CASES,
    "probe": probe.CASES,
    "cni": cni.CASES,
    "datastore": datastore.CASES,
    "guard": guard.CASES,
    "control": control.CASES,
}
QUICK = 20  # by how much a quick run divides the number of objects


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Measure and return the exit status: 0, also if a goal is missed; 1 if a case failed; 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    cases = chosen((case for group in GROUPS.values() for case in group), options.figures)
    if not cases:
        print(f"No figure is called {options.figures}; groups: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    if os.geteuid():
        print("This makes network namespaces and needs root: use `sudo make bench`.", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with _alone():
            bgp_farm.sweep()  # what an earlier version has left in the machine's own /run
            with_run_in_memory()
            with _swept():
                print(machine.describe(), flush=True)
                found, crashed = _measure(cases, quick=options.quick)
    except BlockingIOError:
        print("Another run of the benchmarks is under way; wait for its end.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
    _report(found, crashed, options)
    return 1 if crashed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    text = "a group, or the id of a figure or its beginning (default: everything)"
    parser.add_argument("figures", nargs="?", default="", help=text)
    parser.add_argument(
        "--quick", action="store_true", help=f"1/{QUICK} of the objects, two runs, to try the cases; writes no results"
    )
    return parser


def _interrupt(number: int, frame: object) -> t.NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _alone() -> t.Iterator[None]:
    """Let only one run be under way on this machine: they would remove each other's namespaces."""
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextlib.contextmanager
def _swept() -> t.Iterator[None]:
    """Begin without leftovers of an earlier run, and leave none; the removal is not to be interrupted."""
    bgp_farm.sweep()
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        bgp_farm.sweep()


def _measure(cases: t.Iterable[Case], *, quick: bool) -> tuple[list[figures.Figure], list[str]]:
    """Return the figures, and the names of the cases that failed; why is printed at once."""
    engine.load()
    found: list[figures.Figure] = []
    crashed: list[str] = []
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="podnet-bench-") as scratch:
            bench = Bench(case.name, Path(scratch), 2 if quick else case.runs, QUICK if quick else 1)
            try:
                samples = case.measure(bench)
                found += [figures.figure(name, sample, case.goals[name]) for name, sample in samples.items()]
            except (MeasuringFailed, ValueError, KeyError, OSError, subprocess.SubprocessError):
                traceback.print_exc()
                bench.note("FAILED, see above; the other cases go on")
                crashed.append(case.name)
    return sorted(found, key=lambda entry: str(entry["id"])), crashed


def _report(found: list[figures.Figure], crashed: list[str], options: argparse.Namespace) -> None:
    print(f"\n{machine.describe()}\n{figures.table(found)}\n")
    if options.quick:
        print("A quick run: the figures mean nothing, and nothing was written.")
    else:
        old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
        whole = [group for group in GROUPS if group.startswith(options.figures)]
        merged = figures.merge(old, found, whole)
        RESULTS.write_text("[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in merged) + "\n]\n", encoding="utf-8")
    print(figures.summary(found, crashed))


if __name__ == "__main__":
    sys.exit(main())
