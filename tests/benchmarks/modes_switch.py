# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets lost from pod to pod, 100 a second for each pair of nodes, while the playbook changes the encapsulation.

Three nodes in two subnets with a router that speaks BGP between them; each ordered pair of modes once, in one walk
that goes from each mode to each other one.
"""

from __future__ import annotations

import itertools
import time
import typing as t

from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample
from ansible_collections.podnet.calico.tests.benchmarks.modes_lab import Cluster, kernel_has_ipip

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench

MODES: t.Final = ("None", "IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet")


def pairs(modes: t.Sequence[str]) -> list[tuple[str, str]]:
    """Return all ordered pairs of different modes."""
    return list(itertools.permutations(modes, 2))


def figure(old: str, new: str) -> str:
    """Return the id of the packets lost from one mode to another."""
    return f"modes.lost_{old}_to_{new}"


def walk(modes: t.Sequence[str]) -> list[str]:
    """Return a closed walk that takes each step from a mode to another one exactly once (Hierholzer)."""
    left = {mode: [other for other in modes if other != mode] for mode in modes}
    path: list[str] = []
    stack = [modes[0]]
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            path.append(stack.pop())
    return path[::-1]


def measure(bench: Bench) -> dict[str, Sample]:
    """Walk through the modes on machines of their own, and those that this kernel has in namespaces as well."""
    here = [mode for mode in MODES if kernel_has_ipip() or "IPIP" not in mode]
    found: dict[tuple[str, str], list[int]] = {}
    for kind, modes in (("netns", here), ("vm", MODES)):
        for pair, lost in _walked(bench, kind, modes[:2] if bench.divisor > 1 else modes):
            found.setdefault(pair, []).append(lost)
    return {
        figure(*pair): Sample(max(lost), (min(lost), max(lost)), len(lost), "packets") for pair, lost in found.items()
    }


def _walked(bench: Bench, kind: str, modes: t.Sequence[str]) -> t.Iterator[tuple[tuple[str, str], int]]:
    first, *rest = walk(modes)
    with Cluster(kind, first) as cluster:
        for old, new in itertools.pairwise([first, *rest]):
            started = time.monotonic()
            sent, lost = cluster.switch(new)
            took = time.monotonic() - started
            worst = "".join(f"; {source} to {target}: {number}" for (source, target), number in sorted(lost.items()))
            bench.note(f"{kind}, {old} to {new}: {sum(lost.values())} of {sent} packets lost in {took:.0f} s{worst}")
            yield (old, new), sum(lost.values())
