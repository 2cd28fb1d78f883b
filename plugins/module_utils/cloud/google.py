# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings Google Cloud in line with what the modes of a cluster need, or takes that back."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import google_plan as plan
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.google_client import Compute


class Task(t.NamedTuple):
    """What to do.

    machines: the instances of the nodes. pools: the ranges of pods. wanted: None to take all back. rules: whether
    firewall rules are looked at. tag: network tag of the nodes, "" for the only one. purge: take back what is ours and
    not needed any more.
    """

    machines: list[needs.Machine]
    pools: list[str]
    wanted: needs.Wanted | None
    rules: bool
    tag: str
    purge: bool


def wanted(params: t.Mapping[str, t.Any]) -> needs.Wanted | None:
    """Return what the options of the module want; None to take all back.

    Each instance is in a subnet of its own, so the modes CrossSubnet encapsulate between all and need no forwarding.
    """
    found = needs.of_options(params)
    return found and found._replace(direct="None" in params["encapsulations"])


def ensure(url: str, task: Task, *, check_mode: bool) -> Outcome:
    """Make what is missing, or in check mode only say so; return the changes and the instances.

    url: of Compute Engine, "" for the public one.
    """
    plan.refuse_names(task.machines)
    compute = Compute(url)
    chosen = needs.carrying(compute.instances(task.machines), task.machines)
    if task.wanted is not None:
        needs.refuse_missing(chosen)
    instances = [each for machine in sorted(chosen) for each in chosen[machine]]
    steps = _forwarding(instances, task)
    tag = ""
    if task.rules and instances:
        opened, closed, tag = _rules(compute, instances, task)
        # What is opened comes first, what is closed last.
        steps = [*opened, *steps, *closed]
    if not check_mode:
        for step in steps:
            compute.make(step)
    after = {step.arguments["instance"]: step.arguments["on"] for step in steps if step.method == "forward"}
    shown = [{"id": each.id, "can_ip_forward": after.get(each.id, each.forwards)} for each in instances]
    return Outcome([step.change for step in steps], {"instances": shown, "network_tag": tag})


def _forwarding(instances: t.Sequence[plan.Instance], task: Task) -> list[needs.Step]:
    if task.wanted is not None and task.wanted.direct:
        return plan.switch_on(instances)
    return plan.restore(instances) if task.wanted is None or task.purge else []


def _rules(
    compute: Compute, instances: t.Sequence[plan.Instance], task: Task
) -> tuple[list[needs.Step], list[needs.Step], str]:
    """Return the steps that open, those that close, and the network tag."""
    if task.wanted is None:
        tags = {tag for each in instances for tag in each.tags} | ({task.tag} if task.tag else set())
        networks = sorted({each.network for each in instances})
        return [], [step for each in networks for step in plan.drop_rules(each, tags, compute.rules(each))], ""
    needed = needs.needed(task.wanted, task.pools)
    if not (needed or task.purge):
        return [], [], ""
    network = plan.common_network(instances)
    tag = needs.common_group({each.words: each.tags for each in instances}, task.tag, "network tag")
    found = compute.rules(network)
    closed = plan.drop_rules(network, [tag], found, needed) if task.purge else []
    return plan.add_rules(instances, tag, found, needed), closed, tag
