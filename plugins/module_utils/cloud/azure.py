# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings NICs of Azure in line with what the modes of a cluster need, or takes that back."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import azure_plan, needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.azure_client import Arm


class Task(t.NamedTuple):
    """What to do. wanted: None to take all back. purge: take back what is ours and not needed any more."""

    machines: list[needs.Machine]
    wanted: needs.Wanted | None
    purge: bool


def ensure(url: str, task: Task, *, check_mode: bool) -> Outcome:
    """Make what is missing, or in check mode only say so; return the changes and the NICs.

    url: of Azure's Resource Manager, "" for that of the public cloud.
    """
    changes: list[Change] = []
    shown: list[dict[str, t.Any]] = []
    plans = []
    for subscription, machines in sorted(azure_plan.by_subscription(task.machines).items()):
        arm = Arm(subscription, url)
        chosen = needs.carrying(arm.nics(), machines)
        if task.wanted is not None:
            needs.refuse_missing(chosen)
        nics = [nic for machine in sorted(chosen) for nic in chosen[machine]]
        plans.append((arm, nics, _steps(nics, task)))
    for arm, nics, steps in plans:
        for step in steps if not check_mode else ():
            arm.make(step)
        changes += [step.change for step in steps]
        after = {step.arguments["nic"]: step.arguments["on"] for step in steps}
        shown += [
            {"id": nic.id, "machine": nic.machine, "ip_forwarding": after.get(nic.id, nic.forwarding)} for nic in nics
        ]
    return Outcome(changes, {"nics": shown})


def _steps(nics: t.Sequence[azure_plan.Nic], task: Task) -> list[needs.Step]:
    if task.wanted is not None and task.wanted.direct:
        return azure_plan.switch_on(nics)
    return azure_plan.restore(nics) if task.wanted is None or task.purge else []
