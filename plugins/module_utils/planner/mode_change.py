# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether all nodes of a cluster can make a change of pools' modes, and how BIRD takes part; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read
from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import ModeChange, ways

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.planner.build import Ready
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host


def change_of(stored: Snapshot, claimed: Snapshot, agreed: Ready) -> ModeChange:
    """Return how a cluster gets from the pools' modes that are stored to those of another snapshot.

    stored: what the datastore has. claimed: with the new resources, and the tunnel addresses of both modes claimed;
    agreed is made from it. Raises InvalidInput if not all nodes can take part, and for changes that have to be made one
    after the other.
    """
    raise_all(list(_problems(stored, claimed, agreed.hosts)))
    pools = {key: document for key, document in stored.items() if key[0] == "IPPool"}
    old, new = read({**claimed, **pools}), agreed.cluster
    return ModeChange(old, new, agreed.bird, agreed.bird and _bird_first(old, new, agreed.hosts))


def _problems(stored: Snapshot, claimed: Snapshot, hosts: t.Iterable[str]) -> t.Iterator[InvalidInput]:
    nodes = {name for kind, name in stored if kind == "Node"}
    unknown, absent = sorted(set(hosts) - nodes), sorted(nodes - set(hosts))
    if unknown:
        yield InvalidInput(
            f"change the mode of pools: {', '.join(unknown)} are not in the datastore, so they are not deployed yet",
            remedy="Run podnet.calico.deploy with the modes that the pools have, then change them",
        )
    if absent:
        yield InvalidInput(
            f"change the mode of pools: {', '.join(absent)} are in the datastore, but not in this run",
            remedy="They would be cut off: add them to the inventory, or remove them with podnet.calico.remove_node",
        )
    pools = sorted(name for kind, name in claimed if kind == "IPPool" and (kind, name) not in stored)
    if pools:
        yield InvalidInput(
            f"change the mode of pools: {', '.join(pools)} are new",
            remedy="Run podnet.calico.deploy with them and the modes that the other pools have, then change these",
        )


def _bird_first(old: Cluster, new: Cluster, hosts: t.Mapping[str, Host]) -> bool:
    """Tell whether BIRD gets its new configuration before routes move: as soon as possible, so that it is proven.

    If a router carries something now, BIRD's routes show, and would move all nodes at once: then it waits. If a router
    shall carry something, BIRD's new routes are needed first.
    """
    leaving: set[str] = set()
    coming: set[str] = set()
    for name, host in hosts.items():
        before, after = ways(old, name, host), ways(new, name, host)
        leaving |= before.by_router & set(after.pins)
        coming |= after.by_router & set(before.pins)
    if leaving and coming:
        raise InvalidInput(
            f"change the mode of pools: packets to {min(leaving)} shall not go by a router between subnets any more, "
            f"and those to {min(coming)} shall. BIRD can be prepared for one of them only",
            remedy="Change the mode of one pool after the other",
        )
    return not leaving
