# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings Amazon EC2 in line with what the modes of a cluster need, or takes that back."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import aws_plan
from ansible_collections.podnet.calico.plugins.module_utils.cloud.aws_client import Account, Ec2
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Step, Wanted
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, refuse_twice


class Task(t.NamedTuple):
    """What to do.

    nodes: instance to addresses of the node, none for all interfaces of the instance. wanted: None to take all back.
    rules: whether rules of security groups are looked at. group: security group of the nodes, "" for the only one.
    purge: take back what is ours and not needed any more.
    """

    nodes: dict[str, list[str]]
    wanted: Wanted | None
    rules: bool
    group: str
    purge: bool


def nodes_of(instances: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """Return instance to addresses, without prefix lengths."""
    refuse_twice("instances", (str(instance["id"]) for instance in instances))
    for instance in instances:
        if not str(instance["id"]).startswith("i-"):
            raise InvalidInput(
                f"instances: {instance['id']!r} is no id of an instance", remedy="Give one such as i-0abc"
            )
    return {
        str(instance["id"]): [address.partition("/")[0] for address in instance["addresses"] or []]
        for instance in instances
    }


def ensure(account: Account, task: Task, *, check_mode: bool) -> Outcome:
    """Make what is missing, or in check mode ask whether it may be made; return the changes and the interfaces."""
    ec2 = Ec2(account)
    chosen = aws_plan.carrying(ec2.interfaces(sorted(task.nodes)), task.nodes)
    if task.wanted is not None:
        aws_plan.refuse_missing(chosen, task.nodes, ec2.region)
    steps = _checks(chosen, task)
    group = ""
    if task.rules:
        added, group = _rules(ec2, chosen, task)
        # What is opened comes first, what is closed last.
        steps = [*added, *steps] if task.wanted is not None else [*steps, *added]
    for step in steps:
        ec2.make(step, dry=check_mode)
    return Outcome([step.change for step in steps], {"interfaces": _shown(chosen, steps), "security_group": group})


def _checks(chosen: aws_plan.Interfaces, task: Task) -> list[Step]:
    if task.wanted is not None and task.wanted.direct:
        return aws_plan.switch_off(chosen)
    return aws_plan.restore(chosen) if task.wanted is None or task.purge else []


def _rules(ec2: Ec2, chosen: aws_plan.Interfaces, task: Task) -> tuple[list[Step], str]:
    if task.wanted is None:
        named = [*aws_plan.groups_of(chosen), *([task.group] if task.group else [])]
        return aws_plan.drop_rules(ec2.groups(sorted(set(named)))), ""
    if not task.wanted.open and not task.purge:
        return [], ""
    group = aws_plan.common_group(chosen, task.group)
    found = ec2.groups([group])
    steps = [step for each in found for step in aws_plan.add_rules(each, task.wanted.open)]
    return [*steps, *(aws_plan.drop_rules(found, task.wanted.open) if task.purge else [])], group


def _shown(chosen: aws_plan.Interfaces, steps: t.Sequence[Step]) -> list[dict[str, t.Any]]:
    after = {
        step.arguments["NetworkInterfaceId"]: step.arguments["SourceDestCheck"]["Value"]
        for step in steps
        if "SourceDestCheck" in step.arguments
    }
    return [
        {
            "id": nic["NetworkInterfaceId"],
            "instance": instance,
            "source_dest_check": after.get(nic["NetworkInterfaceId"], nic["SourceDestCheck"]),
        }
        for instance, nics in sorted(chosen.items())
        for nic in nics
    ]
