# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies mutants to copies of the checkout, one by one, and tells which of them no test notices: `nox -s mutants`.

Those that unit tests notice run on all cores, each core with a copy of its own; those that need root one at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.podnet.calico.tests.mutants import mutant as mutants
from ansible_collections.podnet.calico.tests.mutants.mutant import InvalidMutant, Mutant

ROOT = Path(__file__).resolve().parents[2]
TREES = ROOT / ".cache" / "mutants"
SHARED = (".venv", ".cache/bird", ".cache/cni", ".cache/containers")
COLLECTION = ".cache/collections/ansible_collections/podnet/calico"
LONGEST = 600  # seconds after which a run of tests has no end any more


class Tree:
    """A copy of the checkout with the programs that tests look for beside it."""

    def __init__(self, path: Path, files: t.Iterable[str]) -> None:
        self.path = path
        shutil.rmtree(path, ignore_errors=True)
        for name in files:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name, follow_symlinks=False)
        for name in SHARED:
            if (ROOT / name).exists() and not (path / name).exists():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).symlink_to((ROOT / name).resolve())
        (path / COLLECTION).parent.mkdir(parents=True)
        (path / COLLECTION).symlink_to("../../../..")

    def test(self, tests: t.Iterable[str], *options: str) -> tuple[int | None, str]:
        """Run tests; return pytest's exit status, None if it had no end, and what it said."""
        collections = str(self.path / ".cache" / "collections")
        environment = {
            **os.environ,
            "PYTHONPATH": collections,
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_CONFIG": str(self.path / "ansible.cfg"),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not nightly", *options]
        log = self.path / ".cache" / "pytest.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*command, *tests],
                cwd=self.path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            status = _end_of(process)
        return status, log.read_text(errors="replace")

    def judge(self, mutant: Mutant) -> tuple[str, str]:
        """Return the verdict on a mutant and what its tests said; the tree is as before then."""
        source = (self.path / mutant.file).read_text(encoding="utf-8")
        self._write(mutant.file, mutants.mutated(mutant, source))
        try:
            status, said = self.test(mutant.tests, "-x")
        finally:
            self._write(mutant.file, source)
        return mutants.verdict(status), said

    def _write(self, name: str, text: str) -> None:
        """Write a file, and drop what Python has compiled of it: it tells files apart by size and seconds alone."""
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


def _end_of(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit status of pytest; one that takes too long is interrupted, so that it removes what it made."""
    try:
        return process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()
        return None


class Trees:
    """A copy of the checkout for each core, and who works where: unit tests on any, those that need root on one."""

    def __init__(self, number: int) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        files = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
        self._free: queue.SimpleQueue[Tree] = queue.SimpleQueue()
        self._number = number
        self._interrupted = threading.Event()
        for place in range(number):
            self._free.put(Tree(TREES / str(place), files))

    def work(self, action: t.Callable[[Tree, t.Any], None], groups: t.Iterable[t.Sequence[t.Any]]) -> None:
        """Do something with each item, groups beside each other, and the items of a group one after the other."""

        def one(group: t.Sequence[t.Any]) -> None:
            tree = self._free.get()
            try:
                for item in group:
                    if not self._interrupted.is_set():
                        action(tree, item)
            finally:
                self._free.put(tree)

        with ThreadPoolExecutor(self._number) as pool:
            try:
                for future in [pool.submit(one, group) for group in groups if group]:
                    future.result()
            except BaseException:
                self._interrupted.set()
                raise


class Run:
    """Some mutants, and what was found of them so far."""

    def __init__(self, listed: t.Sequence[Mutant]) -> None:
        self._as_root = [mutant for mutant in listed if mutant.needs_root]
        self._as_anybody = [mutant for mutant in listed if not mutant.needs_root]
        self._number = len(listed)
        self._lock = threading.Lock()
        self.failed: list[str] = []
        self.verdicts: dict[str, str] = {}

    def unchanged(self, trees: Trees) -> bool:
        """Tell whether all tests pass without a mutant; otherwise nothing is proven by a failure."""
        halves = [dict.fromkeys(x for each in half for x in each.tests) for half in (self._as_root, self._as_anybody)]
        trees.work(self._unchanged, [[list(half)] for half in halves if half])
        return not self.failed

    def _unchanged(self, tree: Tree, tests: list[str]) -> None:
        status, said = tree.test(tests)
        if status != 0:
            self.failed.append(said)

    def judge(self, trees: Trees) -> None:
        """Judge all mutants."""
        trees.work(self._judge, [self._as_root, *([mutant] for mutant in self._as_anybody)])

    def _judge(self, tree: Tree, mutant: Mutant) -> None:
        started = time.monotonic()
        found, said = tree.judge(mutant)
        with self._lock:
            self.verdicts[mutant.name] = found
            place = f"[{len(self.verdicts)}/{self._number}]"
            print(f"{place} {found} {mutant.name} ({time.monotonic() - started:.1f} s)", flush=True)
            if found == mutants.BROKEN:
                print(said, flush=True)


def main(arguments: t.Sequence[str]) -> int:
    """Run the mutants whose names begin with an argument, or all; return the exit status.

    0: all are noticed; 1: not all are, or tests fail without any; 2: a mutant is not valid, stale or not there.
    """
    try:
        listed = mutants.chosen(mutants.load(Path(__file__).parent), arguments)
        stale = stale_ones(listed)
    except InvalidMutant as error:
        stale = [str(error)]
    if stale:
        print("\n".join(stale), file=sys.stderr)
        return 2
    if os.geteuid() and any(mutant.needs_root for mutant in listed):
        print("Some of these mutants are noticed by tests that need root.", file=sys.stderr)
        return 2
    try:
        with _alone():
            return _run(Run(listed))
    except BlockingIOError:
        print("Another run works on the copies; wait for its end.", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _alone() -> t.Iterator[None]:
    """Let only one run of this checkout be under way."""
    TREES.mkdir(parents=True, exist_ok=True)
    with (TREES / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _run(run: Run) -> int:
    started = time.monotonic()
    trees = Trees(os.cpu_count() or 1)
    if not run.unchanged(trees):
        print("\n".join(run.failed), "Tests fail without any mutant, so that nothing can be proven.", sep="\n")
        return 1
    print(f"Without a mutant all tests pass ({time.monotonic() - started:.0f} s)", flush=True)
    run.judge(trees)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - started:.0f} s, CPU {used.ru_utime + used.ru_stime:.0f} s")
    print("\n".join(mutants.summary(run.verdicts)))
    return 0 if set(run.verdicts.values()) <= {mutants.NOTICED} else 1


def stale_ones(listed: t.Iterable[Mutant]) -> list[str]:
    """Return what is wrong with mutants that do not fit this checkout any more."""
    found = []
    for mutant in listed:
        paths = [mutant.file, *(test.partition("::")[0] for test in mutant.tests)]
        found += [f"{mutant.name}: there is no {path}" for path in paths if not (ROOT / path).exists()]
        try:
            mutants.mutated(mutant, (ROOT / mutant.file).read_text(encoding="utf-8"))
        except InvalidMutant as error:
            found.append(str(error))
        except FileNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
