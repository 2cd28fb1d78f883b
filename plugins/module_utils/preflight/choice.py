# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds of findings are to be mended or accepted, as the user names them; pure."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import FIXABLE, KINDS

_ALL, _NONE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def chosen(fix: t.Any, ignore: t.Any, *, tagged: bool) -> list[str]:
    """Return the kinds to mend. fix: a list of them, as text with commas if need be, or whether to mend all; ignore:
    kinds that are accepted, a list or text as well; tagged: whether all are to be mended unless fix is a list.

    Raises InvalidInput with all kinds that there are not, and those that cannot be mended.
    """
    kinds = _to_mend(listed(fix))
    raise_all(
        [
            *_unknown("preflight_fix", kinds, FIXABLE, "kind of finding that can be mended"),
            *_unknown("preflight_ignore", listed(ignore), KINDS, "kind of finding"),
        ]
    )
    return kinds or (list(FIXABLE) if tagged else [])


def listed(given: t.Any) -> list[str]:
    """Return the words of a list, or of a text with commas, which is what -e name=value makes of a list."""
    parts = given if isinstance(given, (list, tuple)) else str(given).split(",")
    return [word for part in parts if (word := str(part).strip())]


def _to_mend(words: list[str]) -> list[str]:
    if len(words) != 1 or words[0].lower() not in (*_ALL, *_NONE):
        return words
    return list(FIXABLE) if words[0].lower() in _ALL else []


def _unknown(variable: str, kinds: t.Iterable[str], known: t.Sequence[str], words: str) -> t.Iterator[InvalidInput]:
    for kind in kinds:
        if kind not in known:
            near = difflib.get_close_matches(kind, known, n=1)
            remedy = f"Do you mean {near[0]}?" if near else f"There are {', '.join(sorted(known))}"
            yield InvalidInput(f'{variable}: "{kind}" is no {words}', remedy=remedy)
