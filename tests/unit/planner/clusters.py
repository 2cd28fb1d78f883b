# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters for the planner's tests: documents in, snapshots out, all through the resources' own checks."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import plan_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.checked import ready
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim

Document = t.Dict[str, t.Any]
Snapshot = t.Dict[t.Tuple[str, str], Document]
NOW = 1_700_000_000_000_000_000

# Two nodes in one subnet and one in another, each with the default route of its subnet.
THREE_NODES: t.Mapping[str, str] = types.MappingProxyType(
    {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24", "node3": "198.51.100.13/24"}
)


def document(kind: str, name: str, /, labels: dict[str, str] | None = None, **spec: t.Any) -> Document:
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}


def pool(name: str = "main", cidr: str = "10.244.0.0/16", encapsulation: str = "VXLAN", **spec: t.Any) -> Document:
    ipip, vxlan = ENCAPSULATIONS[encapsulation]
    return document("IPPool", name, cidr=cidr, ipipMode=ipip, vxlanMode=vxlan, **spec)


def node(name: str, address: str, labels: dict[str, str] | None = None, **bgp: t.Any) -> Document:
    family = "ipv6Address" if ":" in address else "ipv4Address"
    return document("Node", name, labels, bgp={family: address, **bgp})


def snapshot(*documents: Document) -> Snapshot:
    return put({}, documents)


def cluster(*pools: Document, nodes: t.Mapping[str, str] = THREE_NODES, extra: t.Sequence[Document] = ()) -> Snapshot:
    """Return a snapshot in which all nodes have claimed."""
    documents = [*pools, *(node(name, address) for name, address in nodes.items()), *extra]
    return claim(snapshot(*documents), nodes, now=NOW)


def seen(nodes: t.Mapping[str, str] = THREE_NODES, mtu: int = 1500, **changed: t.Any) -> dict[str, t.Any]:
    """Return what calico_host_info would have seen on the nodes."""
    host = {"device": "eth0", "mtu": mtu, "encapsulations": ["ipip", "vxlan"], **changed}
    return {name: {"address": address, **host} for name, address in nodes.items()}


def plan_all(stored: Snapshot, hosts: t.Mapping[str, t.Any], bgp: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the plans of all hosts as data, by node name. The options are those of checked.ready."""
    agreed = ready(stored, hosts, bgp, **options)
    return {name: plan_of(agreed, name).as_dict() for name in agreed.hosts}


def plans(stored: Snapshot, nodes: t.Mapping[str, str] = THREE_NODES, bgp: str = "auto", mtu: int = 1500) -> t.Any:
    return plan_all(stored, seen(nodes, mtu), bgp)
