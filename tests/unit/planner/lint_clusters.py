# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters for the lint's tests: each is one that is in order, and something changed in it."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner import lint
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, document, node, pool

CLIENTS = "!has(rr)"
REFLECTORS = "has(rr)"


def report(documents: t.Iterable[Document], label: str = "zone") -> lint.Report:
    return lint.report(list(documents), failure_domain_label=label)


def rules(documents: t.Iterable[Document]) -> list[str]:
    """Return the rules that are broken, each as often as it is."""
    return [finding.rule for finding in report(documents).findings]


def named(documents: t.Iterable[Document]) -> list[tuple[str, str]]:
    """Return each finding's rule and the name of what it is about."""
    return [(finding.rule, finding.name) for finding in report(documents).findings]


def direct(**spec: t.Any) -> Document:
    return pool(encapsulation="None", **spec)


def peer(name: str, **spec: t.Any) -> Document:
    return document("BGPPeer", name, **spec)


def bgp(name: str = "default", **spec: t.Any) -> Document:
    return document("BGPConfiguration", name, **spec)


def nodes(count: int, first: int = 1, **bgp_spec: t.Any) -> list[Document]:
    return [node(f"node{i}", f"192.0.2.{10 + i}/24", **bgp_spec) for i in range(first, first + count)]


def reflector(name: str, number: int, zone: str | None, cluster_id: str | None = None) -> Document:
    labels = {"rr": "true", **({"zone": zone} if zone else {})}
    cluster = cluster_id or f"198.18.0.{number}"
    return node(name, f"192.0.2.{200 + number}/24", labels, routeReflectorClusterID=cluster)


def mesh(count: int = 3) -> list[Document]:
    return [direct(), *nodes(count)]


def reflected(*reflectors: Document, clients: int = 3) -> list[Document]:
    """Return a cluster with reflectors, two in two zones by default, in which nothing is wrong."""
    chosen = reflectors or (reflector("rr1", 1, "a"), reflector("rr2", 2, "b"))
    return [
        *(direct(), bgp(nodeToNodeMeshEnabled=False), *nodes(clients), *chosen),
        peer("clients", nodeSelector=CLIENTS, peerSelector=REFLECTORS),
        peer("reflectors", nodeSelector=REFLECTORS, peerSelector=REFLECTORS),
    ]


def racks(own: t.Sequence[int] = (65001, 65002), **spec: t.Any) -> list[Document]:
    """Return two nodes, each in a subnet with a router of an AS of its own, that the nodes do not see each other by."""
    return [
        *(direct(), bgp(nodeToNodeMeshEnabled=False)),
        node("node1", "192.0.2.11/24", {"rack": "a"}, asNumber=own[0]),
        node("node2", "198.51.100.12/24", {"rack": "b"}, asNumber=own[1]),
        peer("tor-a", nodeSelector="rack == 'a'", peerIP="192.0.2.1", asNumber=65101, **spec),
        peer("tor-b", nodeSelector="rack == 'b'", peerIP="198.51.100.1", asNumber=65102, **spec),
    ]


def without(documents: t.Iterable[Document], *names: str) -> list[Document]:
    return [each for each in documents if each["metadata"]["name"] not in names]


def changed(documents: t.Iterable[Document], name: str, **spec: t.Any) -> list[Document]:
    """Return the documents with fields of the spec of one of them set, or removed with None."""
    found = []
    for each in documents:
        merged = {**each["spec"], **spec} if each["metadata"]["name"] == name else each["spec"]
        found.append({**each, "spec": {key: value for key, value in merged.items() if value is not None}})
    return found
