# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's side of BGP's figures: every call into its code and every argument of its modules is here."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.planner import bgp, build, checked
from ansible_collections.podnet.calico.plugins.module_utils.planner import snapshot as snapshots
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim

Document = t.Dict[str, t.Any]
Plan = t.Dict[str, t.Any]
Stored = t.Dict[t.Tuple[str, str], Document]
_NOW = 1_700_000_000_000_000_000  # nanoseconds since 1970


def stored(documents: t.Iterable[Document], nodes: t.Iterable[str]) -> Stored:
    """Return the documents as a datastore holds them, with a block for each of the nodes."""
    return claim(put({}, documents), nodes, now=_NOW)


def plans(snapshot: Stored, nodes: t.Mapping[str, str], *, standby: bool = False) -> dict[str, Plan]:
    """Return the plans of nodes (name to address with prefix length), all of them with eth0.

    standby: with the routes that stand by while sessions reset.
    """
    host = {"device": "eth0", "mtu": 1500, "encapsulations": ["ipip", "vxlan"]}
    hosts = {name: {"address": address, **host} for name, address in nodes.items()}
    agreed = checked.ready(snapshot, hosts, bgp="enabled", standby=standby)
    return {name: build.plan_of(agreed, name).as_dict() for name in agreed.hosts}


def configurations(documents: t.Iterable[Document], nodes: t.Mapping[str, str]) -> dict[str, str]:
    """Return BIRD's configuration of each node."""
    made = plans(stored(documents, nodes), nodes)
    version = daemon.installed_version() or daemon.OLDEST
    return {name: render(plan["bgp"], version=version) for name, plan in made.items()}


def sessions(snapshot: Stored) -> int:
    """Plan the sessions of all nodes from one read of what is stored, and return how many they are together."""
    planned = bgp.sessions_of(snapshots.read(snapshot))
    return sum(len(node.sessions) for node in planned.values())
