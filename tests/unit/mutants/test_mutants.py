# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants: how they are written, applied and judged; and that all of them fit the product as it is."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.mutants import run
from ansible_collections.podnet.calico.tests.mutants.mutant import (
    BROKEN,
    NOTICED,
    SURVIVED,
    InvalidMutant,
    Mutant,
    chosen,
    load,
    mutated,
    parse,
    summary,
    verdict,
)

FOLDER = Path(run.__file__).parent
TEXT = """\
- id: sent-in-the-open
  file: plugins/module_utils/kernel/links.py
  old: |-
    if encrypted:
        send(packet)
  new: send(packet)
  tests:
    - tests/unit/kernel
    - tests/kernel/test_veth.py::test_it[one two]
"""
SOURCE = """\
class Wire:
    def put(self, packet):
        if encrypted:
            send(packet)

        return True
"""


def mutant(old: str, new: str, name: str = "kernel.x", *tests: str) -> Mutant:
    return Mutant(name, "wire.py", old, new, tests or ("tests/unit/kernel",))


def test_a_mutant_is_named_after_its_room() -> None:
    (found,) = parse("kernel", TEXT)
    assert found == Mutant(
        "kernel.sent-in-the-open",
        "plugins/module_utils/kernel/links.py",
        "if encrypted:\n    send(packet)",
        "send(packet)",
        ("tests/unit/kernel", "tests/kernel/test_veth.py::test_it[one two]"),
    )
    assert found.needs_root
    assert not found._replace(tests=("tests/unit/kernel",)).needs_root


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  new: send(packet)\n", ""),
        ("  tests:", "  others: []\n  tests:"),
        ("  tests:\n    - tests/unit/kernel\n    - tests/kernel/test_veth.py::test_it[one two]\n", "  tests: []\n"),
        ("send(packet)\n  tests", "30\n  tests"),
        ("|-\n    if encrypted:\n        send(packet)", "''"),
    ],
    ids=["a field is missing", "a field too many", "no tests", "a number", "nothing is changed"],
)
def test_what_is_not_written_as_a_mutant_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(InvalidMutant, match=r"kernel\.sent-in-the-open"):
        parse("kernel", TEXT.replace(old, new))


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "kernel.yml").write_text(TEXT)
    assert [each.name for each in load(tmp_path)] == ["kernel.sent-in-the-open"]
    (tmp_path / "kernel.yml").write_text(TEXT * 2)
    with pytest.raises(InvalidMutant, match=r"kernel\.sent-in-the-open: there are two"):
        load(tmp_path)


# By name: old and new text, and what becomes of the line or lines.
APPLIED: dict[str, tuple[str, str, str]] = {
    "a part of a line": ("encrypted", "not encrypted", "        if not encrypted:\n            send(packet)\n"),
    "a line": ("send(packet)", "pass", "        if encrypted:\n            pass\n"),
    "a line becomes two": ("send(packet)", "a()\nb()", "        if encrypted:\n            a()\n            b()\n"),
    "two lines": ("if encrypted:\n    send(packet)", "send(packet)", "        send(packet)\n"),
    "two lines become two": (
        "if encrypted:\n    send(packet)",
        "for __ in range(2):\n    send(packet)",
        "        for __ in range(2):\n            send(packet)\n",
    ),
    "nothing is left": (" encrypted", "", "        if:\n            send(packet)\n"),
}


@pytest.mark.parametrize(("old", "new", "expected"), APPLIED.values(), ids=APPLIED)
def test_a_mutant_is_applied_with_the_indentation_of_its_place(old: str, new: str, expected: str) -> None:
    before, after = SOURCE.splitlines(keepends=True)[:2], SOURCE.splitlines(keepends=True)[4:]
    assert mutated(mutant(old, new), SOURCE) == "".join([*before, expected, *after])


def test_an_empty_line_within_a_mutant_stays_empty() -> None:
    changed = mutated(mutant("    send(packet)\n\nreturn True", "    send(packet)\n\nreturn False"), SOURCE)
    assert changed == SOURCE.replace("True", "False")


@pytest.mark.parametrize(
    ("old", "times"),
    [("decrypted", 0), ("packet", 2), ("if encrypted:\nsend(packet)", 0), ("if encrypted:\n        send(packet)", 0)],
)
def test_a_text_that_is_not_there_once_is_stale(old: str, times: int) -> None:
    with pytest.raises(InvalidMutant, match=rf"kernel\.x: its old text is {times} times in wire\.py, not once"):
        mutated(mutant(old, "x"), SOURCE)


ALL = [mutant("a", "b", name) for name in ("kernel.one", "kernel.two", "bird.one")]


@pytest.mark.parametrize(
    ("beginnings", "names"),
    [
        ([], ["kernel.one", "kernel.two", "bird.one"]),
        (["kernel"], ["kernel.one", "kernel.two"]),
        (["bird.one", "kernel.two"], ["kernel.two", "bird.one"]),
    ],
)
def test_some_are_chosen_by_the_beginnings_of_their_names(beginnings: list[str], names: list[str]) -> None:
    assert [each.name for each in chosen(ALL, beginnings)] == names


def test_a_beginning_that_no_name_has_is_refused() -> None:
    with pytest.raises(InvalidMutant, match="kernle: no mutant"):
        chosen(ALL, ["bird", "kernle"])


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0, SURVIVED), (1, NOTICED), (2, BROKEN), (3, BROKEN), (4, BROKEN), (5, BROKEN), (-9, BROKEN), (None, BROKEN)],
)
def test_only_failed_tests_notice(status: int | None, expected: str) -> None:
    assert verdict(status) == expected


def test_the_last_lines_name_what_nobody_noticed() -> None:
    verdicts = {"kernel.two": SURVIVED, "bird.one": NOTICED, "kernel.one": BROKEN}
    assert summary(verdicts) == [
        "3 mutants, 1 noticed",
        "  BROKEN kernel.one",
        "  SURVIVED kernel.two",
        "tests.mutants_noticed: 1 of 3 (goal: all)",
    ]
    assert summary({"bird.one": NOTICED}) == ["1 mutants, 1 noticed", "tests.mutants_noticed: 1 of 1 (goal: all)"]


def test_a_stale_mutant_is_named_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = Mutant("kernel.x", "Makefile", "no such text", "", ("tests/unit/no_such_file.py::test_x",))
    monkeypatch.setattr(run.mutants, "load", lambda folder: [stale])
    monkeypatch.setattr(run, "Trees", None)
    assert run.main([]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "kernel.x: there is no tests/unit/no_such_file.py",
        "kernel.x: its old text is 0 times in Makefile, not once",
    ]


class Tree:
    """Stands in for a copy of the checkout: tests end with a status that is given by the mutated text."""

    def __init__(self, path: Path, statuses: t.Mapping[str, int]) -> None:
        self.path, self._statuses = path, statuses
        self.ran: list[tuple[str, ...]] = []

    def test(self, tests: t.Iterable[str], *options: str) -> tuple[int, str]:
        self.ran.append((*tests, *options))
        return self._statuses[(self.path / "wire.py").read_text()], "said"


def test_a_mutant_is_taken_back_after_its_tests_and_so_is_what_was_compiled(tmp_path: Path) -> None:
    (tmp_path / "wire.py").write_text("a")
    compiled = tmp_path / "__pycache__" / "wire.cpython-39.pyc"
    compiled.parent.mkdir()
    compiled.write_text("of another text")
    tree = t.cast("t.Any", Tree(tmp_path, {"b": 1}))
    tree._write = lambda name, text: run.Tree._write(tree, name, text)
    assert run.Tree.judge(tree, mutant("a", "b")) == (NOTICED, "said")
    assert (tmp_path / "wire.py").read_text() == "a"
    assert tree.ran == [("tests/unit/kernel", "-x")]
    assert not compiled.exists()


class Trees:
    """Stands in for the copies: items are worked on at once, and the groups are written down."""

    def __init__(self, statuses: t.Mapping[str, int | None]) -> None:
        self._statuses = statuses
        self.groups: list[list[t.Any]] = []

    def work(self, action: t.Callable[[t.Any, t.Any], None], groups: t.Iterable[t.Sequence[t.Any]]) -> None:
        for group in groups:
            self.groups.append([getattr(item, "name", item) for item in group])
            for item in group:
                action(self, item)

    def test(self, tests: t.Sequence[str], *options: str) -> tuple[int | None, str]:
        return self._statuses[tests[0]], "said"

    def judge(self, each: Mutant) -> tuple[str, str]:
        return verdict(self._statuses[each.name]), "said"


TWO_ROOMS = [
    mutant("a", "b", "kernel.one", "tests/kernel/test_veth.py"),
    mutant("a", "b", "kernel.two", "tests/unit/kernel", "tests/unit/bird"),
    mutant("a", "b", "bird.one", "tests/unit/bird"),
    mutant("a", "b", "bird.two", "tests/kernel/test_bird.py"),
]


@pytest.mark.parametrize(("status", "green"), [(0, True), (1, False), (4, False), (5, False), (None, False)])
def test_the_tests_have_to_pass_without_a_mutant(status: int | None, green: bool) -> None:
    trees = t.cast("t.Any", Trees({"tests/kernel/test_veth.py": 0, "tests/unit/kernel": status}))
    judged = run.Run(TWO_ROOMS)
    assert judged.unchanged(trees) is green
    assert judged.failed == ([] if green else ["said"])
    assert trees.groups == [
        [["tests/kernel/test_veth.py", "tests/kernel/test_bird.py"]],
        [["tests/unit/kernel", "tests/unit/bird"]],
    ]


def test_those_that_need_root_follow_each_other_and_each_verdict_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    trees = t.cast("t.Any", Trees({"kernel.one": 1, "kernel.two": 0, "bird.one": 1, "bird.two": 2}))
    judged = run.Run(TWO_ROOMS)
    judged.judge(trees)
    assert trees.groups == [["kernel.one", "bird.two"], ["kernel.two"], ["bird.one"]]
    assert judged.verdicts == {"kernel.one": NOTICED, "bird.two": BROKEN, "kernel.two": SURVIVED, "bird.one": NOTICED}
    lines = [line.partition(" (")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "[1/4] noticed kernel.one",
        "[2/4] BROKEN bird.two",
        "said",
        "[3/4] SURVIVED kernel.two",
        "[4/4] noticed bird.one",
    ]


LISTED = load(FOLDER)


def test_every_mutant_fits_the_product_as_it_is() -> None:
    assert run.stale_ones(LISTED) == []


@pytest.mark.parametrize("each", LISTED, ids=lambda each: each.name)
def test_a_mutant_can_be_read_by_python(each: Mutant) -> None:
    """Otherwise its tests would end before they begin."""
    if each.file.endswith(".py"):
        ast.parse(mutated(each, (run.ROOT / each.file).read_text(encoding="utf-8")))


def test_every_room_has_mutants() -> None:
    rooms = {each.name.partition(".")[0] for each in LISTED}
    assert rooms >= {
        *("resources", "datastore", "planner", "kernel", "bird", "cni", "dataplane", "persist", "firewall", "cloud"),
        *("preflight", "verify", "filters"),
    }
    assert all(re.fullmatch(r"[a-z]+\.[a-z0-9-]+", each.name) for each in LISTED)
