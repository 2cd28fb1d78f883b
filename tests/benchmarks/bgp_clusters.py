# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clusters that BGP's figures are of, as Calico's documents in memory."""

from __future__ import annotations

import ipaddress
import typing as t

Document = t.Dict[str, t.Any]
Make = t.Callable[[t.Mapping[str, str]], t.List[Document]]
REFLECTORS = 2
RACK, ZONES = 20, 3  # nodes in a rack; zones that racks are spread over
REFLECTOR = "route-reflector"  # the label of reflectors, as in Calico's documentation


def document(kind: str, name: str, spec: Document, labels: t.Mapping[str, str] | None = None) -> Document:
    """Return a document of Calico."""
    metadata: Document = {"name": name, "labels": dict(labels or {})}
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}


def pool(ipip: str = "Never") -> Document:
    """Return a pool without encapsulation, or with IPIP ("Always"), so that BIRD programs the kernel."""
    return document("IPPool", "pods", {"cidr": "10.244.0.0/16", "ipipMode": ipip, "vxlanMode": "Never"})


def mesh(nodes: t.Mapping[str, str], peers: t.Sequence[Document] = (), ipip: str = "Never") -> list[Document]:
    """Return a cluster in a full mesh; nodes: name to address with prefix length; peers: further documents."""
    return [
        pool(ipip),
        configuration(mesh_enabled=True),
        *(node(name, address) for name, address in nodes.items()),
        *peers,
    ]


def reflected(nodes: t.Mapping[str, str], reflectors: int = REFLECTORS) -> list[Document]:
    """Return a cluster with reflectors, which the first nodes are; they have sessions with all and each other."""
    named = list(nodes)[:reflectors]
    made = [node(name, address, cluster_id="244.0.0.1" if name in named else None) for name, address in nodes.items()]
    peer = {"nodeSelector": "all()", "peerSelector": f"has({REFLECTOR})"}
    return [pool(), configuration(mesh_enabled=False), *made, document("BGPPeer", "reflectors", peer)]


def node(name: str, address: str, cluster_id: str | None = None, labels: t.Mapping[str, str] | None = None) -> Document:
    """Return a Node; one with a cluster ID is a reflector and has its label."""
    bgp = {"ipv4Address": address, **({"routeReflectorClusterID": cluster_id} if cluster_id else {})}
    marked = {REFLECTOR: "true"} if cluster_id else {}
    return document("Node", name, {"bgp": bgp}, {**(labels or {}), **marked})


def configuration(*, mesh_enabled: bool) -> Document:
    """Return the BGPConfiguration."""
    return document("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": mesh_enabled, "asNumber": 64512})


def router(address: str, as_number: int = 65000) -> Document:
    """Return an external router that all nodes have a session with."""
    return document("BGPPeer", "router", {"peerIP": address, "asNumber": as_number})


def racks(number: int) -> list[Document]:
    """Return a large cluster without blocks: racks in three zones, each rack with two routers of its own.

    Each zone has two reflectors, for its own nodes; reflectors have sessions with each other. All by selectors.
    """
    made = [pool(), configuration(mesh_enabled=False)]
    for index in range(number):
        rack, place = divmod(index, RACK)
        labels = {"rack": f"r{rack}", "zone": f"z{rack % ZONES}", "kubernetes.io/os": "linux"}
        cluster_id = f"244.0.0.{rack}" if rack < ZONES and place < REFLECTORS else None
        made.append(node(f"node{index}", f"{_in_rack(rack, place + REFLECTORS + 1)}/26", cluster_id, labels))
    return [*made, *_reflecting(), *(peer for rack in range(-(-number // RACK)) for peer in _routers(rack))]


def sessions_of_racks(number: int) -> int:
    """Return how many sessions all nodes of such a cluster have together, counted at each end."""
    reflectors = ZONES * REFLECTORS
    clients = number - reflectors
    return 2 * clients * REFLECTORS + reflectors * (reflectors - 1) + 2 * number


def _in_rack(rack: int, host: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address("172.16.0.0") + 64 * rack + host


def _reflecting() -> t.Iterator[Document]:
    chosen = f"has({REFLECTOR})"
    yield document("BGPPeer", "core", {"nodeSelector": chosen, "peerSelector": chosen})
    for zone in (f"z{index}" for index in range(ZONES)):
        spec = {"nodeSelector": f"zone == '{zone}' && !{chosen}", "peerSelector": f"zone == '{zone}' && {chosen}"}
        yield document("BGPPeer", f"zone-{zone}", spec)


def _routers(rack: int) -> t.Iterator[Document]:
    for place in (1, 2):
        peer = {"peerIP": str(_in_rack(rack, place)), "asNumber": 65000 + rack}
        yield document("BGPPeer", f"rack{rack}-{place}", {"nodeSelector": f"rack == 'r{rack}'", **peer})
