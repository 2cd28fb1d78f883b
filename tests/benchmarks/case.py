# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A case: what is measured together, the ids that come of it and their goals."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample
    from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench


@dataclass(frozen=True)
class Case:
    """What is measured together.

    goals: by id, None for a figure that is only told; measure returns a sample for each id, or leaves one out that
    cannot be measured yet, and says so.
    """

    name: str
    goals: t.Mapping[str, str | None]
    measure: t.Callable[[Bench], t.Mapping[str, Sample]]
    runs: int = 5


def chosen(cases: t.Iterable[Case], words: str) -> list[Case]:
    """Return the cases with an id that is, or starts with, the given words; all of them for none."""
    return [case for case in cases if any(name.startswith(words) for name in case.goals)]
