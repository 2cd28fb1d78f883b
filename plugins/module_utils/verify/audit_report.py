# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of all hosts as one report: counted, judged, and drawn for people; pure."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.text import natural
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import CATEGORIES, STALE

Found = t.Mapping[str, t.Any]
FATAL = {"any": CATEGORIES, "broken": tuple(each for each in CATEGORIES if each != STALE), "never": ()}
"""Which categories make an audit fail, by what calico_audit_fail_on says."""

_WIDTH = 73  # characters of a line


def report(places: t.Mapping[str, t.Sequence[Found]], unseen: t.Iterable[str], fail_on: str) -> dict[str, t.Any]:
    """Return the report on hosts and the datastore, by name in places; unseen: hosts that could not be looked at."""
    if fail_on not in FATAL:
        raise InvalidInput(f'calico_audit_fail_on: "{fail_on}" is none of {", ".join(FATAL)}', remedy="Correct it")
    names = sorted(places, key=natural)
    blind = sorted(unseen, key=natural)
    found = [each for name in names for each in places[name]]
    counts = {category: sum(each["category"] == category for each in found) for category in CATEGORIES}
    return {
        "places": {name: list(places[name]) for name in names},
        "unseen": blind,
        "counts": counts,
        "clean": not found and not blind,
        "failed": bool(blind and FATAL[fail_on]) or any(counts[category] for category in FATAL[fail_on]),
        "lines": _lines(names, places, blind, counts),
    }


def _lines(
    names: t.Sequence[str], places: t.Mapping[str, t.Sequence[Found]], unseen: t.Sequence[str], counts: Found
) -> list[str]:
    lines = []
    for name in names:
        if places[name]:
            lines += [f"{name}:", *_table(places[name])]
    clean = [name for name in names if not places[name]]
    lines += _folded(f"clean: {', '.join(clean)}", "") if clean else []
    lines += _folded(f"not looked at: {', '.join(unseen)}", "") if unseen else []
    return [*lines, ", ".join(f"{category}: {number}" for category, number in counts.items())]


def _table(found: t.Sequence[Found]) -> list[str]:
    """Return findings, each with what is expected and what is there, and below them each reason and remedy once."""
    width = max(len(each["kind"]) for each in found)
    lines: list[str] = []
    for each in found:
        lines.append(f"  {each['category']:7}  {each['kind']:{width}}  {each['name']}")
        for side in ("expected", "actual"):
            lines += _folded(f"{side:8}  {each[side] or 'nothing'}", " " * 11)
    reasons: dict[tuple[str, str, str], None] = dict.fromkeys(
        (f"{each['category']} {each['kind']}", each["why"], each["remedy"]) for each in found
    )
    return [*lines, *(line for what, why, remedy in reasons for line in _folded(f"{what}: {why}. {remedy}", "  "))]


def _folded(text: str, indent: str) -> list[str]:
    """Return a text as lines that Ansible's output does not break once more."""
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
