# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room in the neighbour table, which all network namespaces of a kernel share (net.ipv4.neigh.default.gc_thresh*)."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from settings import Lab

MARGIN: t.Final = 256


def wanted(nodes: int) -> int:
    """Return how many entries a lab may need: each node knows each other one on eth0 and behind its tunnel."""
    return 2 * nodes * nodes + MARGIN


def raised(thresholds: t.Sequence[int], need: int) -> list[int]:
    """Return gc_thresh1..3 scaled by one factor so that the last is at least `need`; unchanged when it already is."""
    factor = max(1, -(-need // thresholds[2]))
    return [threshold * factor for threshold in thresholds]


def make_room(lab: Lab, nodes: int) -> None:
    """Raise the limits for both IP versions where they are too low, after recording them in the lab's run folder.

    The limits can only be set from the machine's first network namespace; elsewhere nothing is done.
    """
    changes: dict[str, tuple[int, int]] = {}
    for version in ("ipv4", "ipv6"):
        paths = [Path(f"/proc/sys/net/{version}/neigh/default/gc_thresh{number}") for number in (1, 2, 3)]
        if all(path.exists() for path in paths):
            old = [int(path.read_text()) for path in paths]
            new = raised(old, wanted(nodes))
            changes |= {
                str(path): (before, after)
                for path, before, after in zip(paths, old, new, strict=True)
                if before != after
            }
    if changes:
        _record(lab).write_text(json.dumps(changes))
    for name, (_before, after) in changes.items():
        Path(name).write_text(str(after))


def restore(lab: Lab) -> None:
    """Put back the recorded limits, except those that somebody else has changed since."""
    record = _record(lab)
    if record.exists():
        for name, (before, after) in json.loads(record.read_text()).items():
            if int(Path(name).read_text()) == after:
                Path(name).write_text(str(before))
        record.unlink()


def _record(lab: Lab) -> Path:
    return lab.run_dir / "sysctls.json"
