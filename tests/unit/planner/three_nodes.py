# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three nodes a, b and c in one subnet, and what their BGP part is with some documents more."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import bgp_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp, Session
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, document, node, pool, snapshot

NODES = {"a": "10.0.0.9/24", "b": "10.0.0.10/24", "c": "10.0.0.11/24"}
Spec = t.Dict[str, t.Any]


def bgp(name: str, *documents: Document, **bgp_of_node: t.Any) -> Bgp:
    """Return the BGP part of a node; bgp_of_node: node name to further fields of its spec.bgp."""
    nodes = [node(n, a, {"name": n}, **bgp_of_node.get(n, {})) for n, a in NODES.items()]
    found = read(snapshot(pool(encapsulation="None"), *nodes, *documents))
    made = bgp_of(found, found.nodes[name])
    assert made is not None
    return made


def sessions(made: Bgp) -> dict[str, Session]:
    """Return sessions by the last number of the address, and the port if it is in the name."""
    return {session.name.replace("_port", "").split("_", 4)[-1]: session for session in made.sessions}


def peer(name: str = "p", **spec: t.Any) -> Document:
    return document("BGPPeer", name, **spec)


def configuration(name: str = "default", **spec: t.Any) -> Document:
    return document("BGPConfiguration", name, **spec)


NO_MESH = configuration(nodeToNodeMeshEnabled=False, asNumber=65000)
