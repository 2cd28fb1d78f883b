# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of the plan: what calico_plan refuses for the hosts as they were seen; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import ERROR, WARNING, Finding

Row = t.Mapping[str, t.Any]

# Rules of the plan, and the kinds of findings that say the same with what was seen on the host.
_SAME = {
    "kernel-ipip": ("kernel-ipip",),
    "kernel-vxlan": ("kernel-vxlan",),
    "mtu-too-large": ("mtu-too-large",),
    "mtu-differs": ("mtu-differs",),
    "pool-overlaps-underlay": ("range-taken",),
    "pool-overlap": ("range-twice",),
    "address-shared": ("address-twice",),
}
_WHY = "deploy refuses it, before it changes anything"


def of_plan(
    plan: Row | None, hosts: t.Sequence[str], names: t.Mapping[str, str], known: t.Collection[str]
) -> t.Iterator[tuple[list[str], Finding]]:
    """Yield a finding, with its hosts, for each problem for which calico_plan refused.

    plan: what calico_plan returned, or "problems"; None if it was not tried. names: Node's name to host. known: the
    kinds of findings that there are already.
    """
    if not plan or "plans" in plan:
        return
    failure = plan.get("failure") or {}
    problems = plan.get("problems") or failure.get("problems") or ([failure] if failure else [])
    if not problems:
        seen = str(plan.get("msg") or "it gave no result")
        why = "nothing is known of what only resources and hosts together tell"
        yield (
            list(hosts),
            Finding("plan-failed", WARNING, "plan", "the plan could not be tried", seen, why, "Mend that"),
        )
    for problem in problems:
        if not set(_SAME.get(problem.get("rule", ""), ())).isdisjoint(known):
            continue
        affected = [names[node] for node in problem.get("nodes", ()) if names.get(node) in hosts] or list(hosts)
        what, remedy = str(problem["message"]), str(problem.get("remedy") or "Correct it")
        yield affected, Finding("plan-refused", ERROR, "plan", what, "calico_plan refuses it", _WHY, remedy)
