# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan of changes: what check mode predicts, the diff shows and the real run applies."""

from __future__ import annotations

import itertools
import json
import typing as t

LISTED = 100  # how many changes a result lists; its summary counts all, and its diff shows all


class Change(t.NamedTuple):
    """One object that is to be created (no before), deleted (no after) or replaced.

    kind and name identify the object, for example "route" and "10.0.0.0/26"; before and after are plain data.
    """

    kind: str
    name: str
    before: t.Any = None
    after: t.Any = None

    @property
    def action(self) -> str:
        """Return "create", "delete" or "replace"."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "replace"

    def as_dict(self) -> dict[str, str]:
        """Return the change without its contents, for a module's result."""
        return {"action": self.action, "kind": self.kind, "name": self.name}


class Changes(t.Protocol):
    """A plan of changes, in the order in which they are made; a list of them, or what makes them as it is read."""

    def __len__(self) -> int: ...

    def __iter__(self) -> t.Iterator[Change]: ...


class Outcome:
    """What a module did, or would do in check mode: the changes and the facts to return.

    summary: how many changes there are by action, from whoever can tell without making them.
    """

    def __init__(
        self, changes: Changes | None = None, facts: t.Any = None, summary: dict[str, int] | None = None
    ) -> None:
        self.changes: Changes = [] if changes is None else changes
        self.facts: dict[str, t.Any] = facts or {}
        self._summary = summary

    def result(self, *, with_diff: bool = True) -> dict[str, t.Any]:
        """Return the arguments for exit_json; the diff of many changes takes its time, so only if it is wanted."""
        listed = [change.as_dict() for change in itertools.islice(self.changes, LISTED)]
        result = {"changed": bool(listed), "changes": listed, "summary": self._summary or summary(self.changes)}
        return {**result, **({"diff": diff(self.changes)} if with_diff else {}), **self.facts}


def summary(changes: t.Iterable[Change]) -> dict[str, int]:
    """Return how many changes there are by action."""
    actions = [change.action for change in changes]
    return {action: actions.count(action) for action in ("create", "replace", "delete")}


def compare(kind: str, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> list[Change]:
    """Return the changes that turn one mapping of name to data into another, ordered by name."""
    return [
        Change(kind, name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def diff(changes: t.Iterable[Change]) -> dict[str, str]:
    """Return before and after as text with one line per attribute, so that a diff names what changes."""
    sides: dict[str, list[str]] = {"before": [], "after": []}
    for change in changes:
        for side, lines in sides.items():
            data = getattr(change, side)
            if data is not None:
                lines.append(f"{change.kind} {change.name}{_render(data)}")
    return {side: "".join(f"{line}\n" for line in lines) for side, lines in sides.items()}


def _render(data: t.Any) -> str:
    if isinstance(data, str):
        return f" {data}".rstrip() if "\n" not in data else "\n" + data.rstrip("\n")
    if isinstance(data, dict):
        return "".join(f"\n  {key}: {json.dumps(value, sort_keys=True)}" for key, value in sorted(data.items()))
    return f" {json.dumps(data, sort_keys=True)}"
