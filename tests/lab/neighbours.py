# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room in the neighbour table, which all network namespaces of a kernel share (net.ipv4.neigh.default.gc_thresh*).

All labs of the machine share one record: how much room each of them needs, and the limits that the machine had before
the first of them. The limits make room for all of them together, and the last lab that goes puts the old ones back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import typing as t
from pathlib import Path

from settings import Lab

MARGIN: t.Final = 256
LIMITS: t.Final = Path("/proc/sys/net")
RECORD: t.Final = Path("/run/podnet-neighbours.json")


@dataclasses.dataclass
class Record:
    """What labs have asked for and what was done for them: entries by lab, limits by path as [before, written]."""

    needs: dict[str, int] = dataclasses.field(default_factory=dict)
    limits: dict[str, list[int]] = dataclasses.field(default_factory=dict)


def wanted(nodes: int) -> int:
    """Return how many entries a lab may need: each node knows each other one on eth0 and behind its tunnel."""
    return 2 * nodes * nodes


def raised(thresholds: t.Sequence[int], need: int) -> list[int]:
    """Return gc_thresh1..3 scaled by one factor so that the last is `need` and a margin; unchanged when it already is.

    The margin is for what else the machine does.
    """
    factor = max(1, -(-(need + MARGIN) // thresholds[2]))
    return [threshold * factor for threshold in thresholds]


def make_room(lab: Lab, nodes: int) -> None:
    """Raise the limits for both IP versions where they are too low for this lab and those that run beside it.

    The limits can only be set from the machine's first network namespace; elsewhere nothing is done.
    """
    with _shared() as record:
        record.needs[lab.name] = wanted(nodes)
        _apply(record)


def restore(lab: Lab) -> None:
    """Lower the limits to what other labs need, the old ones after the last; those that somebody else has set stay."""
    with _shared() as record:
        if record.needs.pop(lab.name, None) is not None:
            _apply(record)


def needs() -> dict[str, int]:
    """Return how many entries each lab has asked for, by its name."""
    with _shared() as record:
        return dict(record.needs)


@contextlib.contextmanager
def _shared() -> t.Iterator[Record]:
    """Yield the record, which nobody else has meanwhile, and keep it; it is removed when no lab is in it."""
    handle = os.open(RECORD.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        record = Record(**json.loads(RECORD.read_text())) if RECORD.exists() else Record()
        yield record
        if record.needs:
            RECORD.write_text(json.dumps(dataclasses.asdict(record)))
        else:
            RECORD.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _apply(record: Record) -> None:
    need = sum(record.needs.values())
    for version in ("ipv4", "ipv6"):
        paths = [LIMITS / version / "neigh" / "default" / f"gc_thresh{number}" for number in (1, 2, 3)]
        if not all(path.exists() for path in paths):
            continue
        known = [record.limits.setdefault(str(path), [int(path.read_text())] * 2) for path in paths]
        for path, limits, new in zip(paths, known, raised([before for before, _ in known], need), strict=True):
            if new != limits[1] and int(path.read_text()) == limits[1]:
                path.write_text(str(new))
                limits[1] = new
