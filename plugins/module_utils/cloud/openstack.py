# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings OpenStack in line with what the modes of a cluster need, or takes that back."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud import openstack_plan as plan
from ansible_collections.podnet.calico.plugins.module_utils.cloud.openstack_client import Account, Neutron


class Task(t.NamedTuple):
    """What to do.

    servers: whose ports carry pods' packets. pools: the ranges of pods. wanted: None to take all back. rules: whether
    rules of security groups are looked at. group: security group of the nodes, "" for the only one. purge: take back
    what is ours and not needed any more.
    """

    servers: list[needs.Machine]
    pools: list[str]
    wanted: needs.Wanted | None
    rules: bool
    group: str
    purge: bool


def ensure(account: Account, task: Task, *, check_mode: bool) -> Outcome:
    """Make what is missing, or in check mode only say so; return the changes and the ports."""
    neutron = Neutron(account)
    chosen = needs.carrying(neutron.ports(task.servers), task.servers)
    if task.wanted is not None:
        needs.refuse_missing(chosen)
    ports = [port for server in sorted(chosen) for port in chosen[server]]
    steps = _pairs(ports, task)
    group = ""
    if task.rules:
        opened, closed, group = _rules(neutron, ports, task)
        # What is opened comes first, what is closed last.
        steps = [*opened, *steps, *closed]
    if not check_mode:
        for step in steps:
            neutron.make(step)
    return Outcome([step.change for step in steps], {"ports": _shown(ports, steps), "security_group": group})


def _pairs(ports: t.Sequence[plan.Port], task: Task) -> list[needs.Step]:
    if task.wanted is None:
        return plan.take_back(ports)
    pools = task.pools if task.wanted.direct else []
    return [*plan.allow(ports, pools), *(plan.take_back(ports, pools) if task.purge else [])]


def _rules(
    neutron: Neutron, ports: t.Sequence[plan.Port], task: Task
) -> tuple[list[needs.Step], list[needs.Step], str]:
    """Return the steps that open, those that close, and the security group."""
    guarded = {port.words: port.groups for port in ports if port.secure}
    if task.wanted is None:
        named = {group for groups in guarded.values() for group in groups} | ({task.group} if task.group else set())
        return [], plan.drop_rules(neutron.rules(sorted(named))), ""
    needed = needs.needed(task.wanted, task.pools)
    # Without port security, ports have no security groups that would have to be opened.
    if not guarded or not (needed or task.purge):
        return [], [], ""
    group = needs.common_group(guarded, task.group)
    found = neutron.rules([group])
    return plan.add_rules(group, found, needed), plan.drop_rules(found, needed) if task.purge else [], group


def _shown(ports: t.Sequence[plan.Port], steps: t.Sequence[needs.Step]) -> list[dict[str, t.Any]]:
    """Return the ports as they are after the steps."""
    pairs = {port.id: {own for own, __ in port.pairs} for port in ports}
    for step in steps:
        if step.method == "change_pairs":
            own = pairs[step.arguments["port"]]
            (own.add if step.arguments["add"] else own.discard)(step.arguments["pool"])
    return [
        {
            "id": port.id,
            "server": port.machine,
            "addresses": list(port.addresses),
            "port_security": port.secure,
            "allowed": sorted(pairs[port.id]),
        }
        for port in ports
    ]
