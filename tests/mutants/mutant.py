# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants: small changes to the product that would hurt a user, each with the tests that have to notice it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import yaml

FIELDS = ("id", "file", "old", "new", "tests")
WITHOUT_ROOT = "tests/unit/"
NOTICED, SURVIVED, BROKEN = "noticed", "SURVIVED", "BROKEN"
_TESTS_FAILED = 1  # exit status of pytest; 2 to 5 stand for runs in which tests could not even be judged


class InvalidMutant(Exception):
    """A mutant that is not written as it has to be, or whose old text is not in its file exactly once."""


class Mutant(t.NamedTuple):
    """A change of one text in one file; tests: arguments of pytest, paths or single tests."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def needs_root(self) -> bool:
        """Tell whether one of the tests is none of those that run without root."""
        return not all(test.startswith(WITHOUT_ROOT) for test in self.tests)


def load(folder: Path) -> list[Mutant]:
    """Return the mutants of all rooms, each room in a YAML file of its name; raises InvalidMutant."""
    found = [mutant for path in sorted(folder.glob("*.yml")) for mutant in parse(path.stem, path.read_text("utf-8"))]
    names = [mutant.name for mutant in found]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            raise InvalidMutant(f"{name}: there are two of that name")
    return found


def parse(room: str, text: str) -> list[Mutant]:
    """Return the mutants that a room's file lists."""
    return [_mutant(room, entry) for entry in yaml.safe_load(text)]


def _mutant(room: str, entry: dict[str, t.Any]) -> Mutant:
    name = f"{room}.{entry.get('id')}"
    if set(entry) != set(FIELDS):
        raise InvalidMutant(f"{name}: expected the fields {', '.join(FIELDS)}, got {', '.join(entry)}")
    texts = [entry["file"], entry["old"], entry["new"], *entry["tests"]]
    if not all(isinstance(text, str) for text in texts) or not entry["tests"] or not entry["old"]:
        raise InvalidMutant(f"{name}: all fields are texts, tests is a list of them, and only new may be empty")
    return Mutant(name, entry["file"], entry["old"], entry["new"], tuple(entry["tests"]))


def mutated(mutant: Mutant, source: str) -> str:
    """Return a file's text with the change made.

    Lines after the first are indented by as much more as the line in which the old text begins. Raises InvalidMutant if
    the old text is not there exactly once.
    """
    places = list(_places(mutant.old, source))
    if len(places) != 1:
        raise InvalidMutant(f"{mutant.name}: its old text is {len(places)} times in {mutant.file}, not once")
    start, indent = places[0]
    end = start + len(_indented(mutant.old, indent))
    return source[:start] + _indented(mutant.new, indent) + source[end:]


def _places(old: str, source: str) -> t.Iterator[tuple[int, str]]:
    """Yield where the old text begins, and what its further lines are indented by."""
    first = old.partition("\n")[0]
    for found in re.finditer(re.escape(first), source):
        before = source[source.rfind("\n", 0, found.start()) + 1 : found.start()]
        indent = before[: len(before) - len(before.lstrip(" "))]
        if source.startswith(_indented(old, indent), found.start()):
            yield found.start(), indent


def _indented(text: str, indent: str) -> str:
    return re.sub(r"\n(?=[^\n])", f"\n{indent}", text)


def chosen(mutants: t.Iterable[Mutant], beginnings: t.Collection[str]) -> list[Mutant]:
    """Return the mutants whose names begin with one of the texts, all of them if there is none.

    Raises InvalidMutant for a text with which no name begins.
    """
    mutants = list(mutants)
    for beginning in beginnings:
        if not any(mutant.name.startswith(beginning) for mutant in mutants):
            raise InvalidMutant(f"{beginning}: no mutant's name begins so")
    return [mutant for mutant in mutants if not beginnings or mutant.name.startswith(tuple(beginnings))]


def verdict(status: int | None) -> str:
    """Return what pytest's exit status says of a mutant; None: pytest did not end.

    Only failed tests notice: a run without tests, or one that could not collect them, proves nothing.
    """
    return {_TESTS_FAILED: NOTICED, 0: SURVIVED}.get(-1 if status is None else status, BROKEN)


def summary(verdicts: t.Mapping[str, str]) -> list[str]:
    """Return the last lines of a run, the figure of issue and goal last; verdicts: by the names of mutants."""
    noticed = sum(found == NOTICED for found in verdicts.values())
    missed = [f"  {found} {name}" for name, found in sorted(verdicts.items()) if found != NOTICED]
    return [
        f"{len(verdicts)} mutants, {noticed} noticed",
        *missed,
        f"tests.mutants_noticed: {noticed} of {len(verdicts)} (goal: all)",
    ]
