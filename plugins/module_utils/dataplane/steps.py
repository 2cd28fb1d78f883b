# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that are made one after the other: what they gave as one outcome, and the failure of one of them."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError, PodnetError

Work = t.Callable[[], Outcome]


class Part(t.NamedTuple):
    """What a step gave, as a module would return it; concern: what the step is about."""

    concern: str
    result: dict[str, t.Any]

    def changes(self) -> list[dict[str, str]]:
        """Return the changes, each with its concern."""
        return [{**change, "concern": self.concern} for change in self.result["changes"]]


class Unfinished(PodnetError):
    """A step has failed: a part of what was asked for is done."""

    def __init__(self, error: PodnetError, concern: str, parts: t.Sequence[Part], left: t.Sequence[str]) -> None:
        done = list(dict.fromkeys(part.concern for part in parts if part.concern not in (concern, *left)))
        state = [f"{word}: {', '.join(names)}" for word, names in (("in line", done), ("not yet", left)) if names]
        told = f" ({'; '.join(state)})" if state else ""
        made = [change for part in parts for change in part.changes()]
        details = {**error.details, "concern": concern, "done": done, "not_done": [*left], "changes": made}
        super().__init__(f"{concern}: {error.message}{told}", remedy=error.remedy, **details)
        self._kind = type(error).__name__
        self.trace = getattr(error, "trace", None)

    def as_dict(self) -> dict[str, t.Any]:
        """Return the failure as data, of the kind that the step's own is."""
        return {**super().as_dict(), "kind": self._kind}


class Joined(Outcome):
    """What several steps gave, as one outcome: a diff for each step that changes something."""

    def __init__(self, parts: t.Sequence[Part]) -> None:
        super().__init__()
        self._parts = parts

    def result(self, *, with_diff: bool = True) -> dict[str, t.Any]:
        """Return the arguments for exit_json; there are diffs if the steps were made with them."""
        results = [part.result for part in self._parts]
        totals = {
            action: sum(each["summary"][action] for each in results) for action in ("create", "replace", "delete")
        }
        proven = [each["pings"] for each in results if "pings" in each]
        return {
            **({"pings": proven[0]} if proven else {}),  # routes are one step, and only they are proven
            "changed": any(each["changed"] for each in results),
            "changes": [change for part in self._parts for change in part.changes()],
            "summary": totals,
            "surplus": [name for each in results for name in each.get("surplus", [])],
            **({"diff": [_titled(part) for part in self._parts if part.result["changed"]]} if with_diff else {}),
        }


def _titled(part: Part) -> dict[str, str]:
    return {**part.result["diff"], "before_header": part.concern, "after_header": part.concern}


def make(steps: t.Sequence[tuple[str, Work]], *, with_diff: bool) -> Joined:
    """Do the work of the steps, by concern; raises Unfinished where a step fails.

    Results are made at once: a later step may take away the device that an earlier one's diff names.
    """
    parts: list[Part] = []
    for place, (concern, work) in enumerate(steps):
        try:
            parts.append(Part(concern, work().result(with_diff=with_diff)))
        except (PodnetError, OSError) as error:
            left = dict.fromkeys(name for name, __ in steps[place + 1 :] if name != concern)
            raise Unfinished(_explained(error), concern, parts, list(left)) from error
    return Joined(parts)


def _explained(error: PodnetError | OSError) -> PodnetError:
    if isinstance(error, PodnetError):
        return error
    place = f"{error.filename}: " if error.filename else ""
    return KernelError(f"{place}{error.strerror or error}", remedy="Correct that, and run this again")
