# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node: a host that carries pods, with its underlay addresses, its AS and its tunnel addresses.

Shapes follow Calico v3.32 (libcalico-go/lib/apis/internalapi/node.go).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.resources.as_number import read_as_number
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import open_document
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import Record, build_document

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Interface
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

KNOWN = (
    *("bgp", "ipv4VXLANTunnelAddr", "vxlanTunnelMACAddr", "ipv6VXLANTunnelAddr", "vxlanTunnelMACAddrV6"),
    *("orchRefs", "wireguard", "addresses", "interfaces"),
)
KNOWN_BGP = ("asNumber", "ipv4Address", "ipv6Address", "ipv4IPIPTunnelAddr", "routeReflectorClusterID")
KNOWN_WIREGUARD = ("interfaceIPv4Address", "interfaceIPv6Address")


@dataclass(frozen=True)
class Node:
    """A validated node.

    ipv4_address and ipv6_address carry the prefix length of the host's interface, by which CrossSubnet decides
    whether another node is in the same subnet. The fields that no rule of this collection reads (wireguard,
    orch_refs, addresses, interfaces) are kept as plain data.
    """

    name: str
    labels: t.Mapping[str, str] = field(default_factory=dict)
    as_number: int | None = None
    ipv4_address: Interface | None = None
    ipv6_address: Interface | None = None
    ipv4_ipip_tunnel_addr: Address | None = None
    route_reflector_cluster_id: str | None = None
    ipv4_vxlan_tunnel_addr: Address | None = None
    vxlan_tunnel_mac_addr: str | None = None
    ipv6_vxlan_tunnel_addr: Address | None = None
    vxlan_tunnel_mac_addr_v6: str | None = None
    wireguard: t.Mapping[str, str] | None = None
    orch_refs: tuple[t.Mapping[str, str], ...] = ()
    addresses: tuple[t.Mapping[str, str], ...] = ()
    interfaces: tuple[t.Mapping[str, t.Any], ...] = ()
    record: Record = field(default_factory=Record)

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> Node:
        """Return the node that a document describes, or raise InvalidInput with everything that is wrong."""
        reading = open_document(document, "Node")
        spec = reading.spec
        spec.only(KNOWN)
        bgp = spec.values.get("bgp")
        if isinstance(bgp, t.Mapping) and all(value is None for value in bgp.values()):
            spec.refuse("bgp", "is empty", "Give at least one address of the node, or leave bgp out")
        bgp = spec.child("bgp")
        bgp.only(KNOWN_BGP)
        cluster_id = bgp.address("routeReflectorClusterID", 4)
        node = cls(
            name=reading.name,
            labels=reading.labels,
            as_number=read_as_number(bgp, "asNumber"),
            ipv4_address=bgp.host_address("ipv4Address", 4),
            ipv6_address=bgp.host_address("ipv6Address", 6),
            ipv4_ipip_tunnel_addr=bgp.address("ipv4IPIPTunnelAddr", 4),
            route_reflector_cluster_id=None if cluster_id is None else str(cluster_id),
            ipv4_vxlan_tunnel_addr=spec.address("ipv4VXLANTunnelAddr", 4),
            vxlan_tunnel_mac_addr=spec.mac("vxlanTunnelMACAddr"),
            ipv6_vxlan_tunnel_addr=spec.address("ipv6VXLANTunnelAddr", 6),
            vxlan_tunnel_mac_addr_v6=spec.mac("vxlanTunnelMACAddrV6"),
            wireguard=_wireguard(spec),
            orch_refs=_texts_of(spec, "orchRefs", ("nodeName", "orchestrator")),
            addresses=_texts_of(spec, "addresses", ("address", "type")),
            interfaces=_interfaces(spec),
            record=reading.record,
        )
        reading.finish()
        return node

    def to_document(self) -> dict[str, t.Any]:
        """Return the canonical document; a node without any BGP field has no bgp mapping."""
        bgp = {
            "asNumber": self.as_number,
            "ipv4Address": _text(self.ipv4_address),
            "ipv6Address": _text(self.ipv6_address),
            "ipv4IPIPTunnelAddr": _text(self.ipv4_ipip_tunnel_addr),
            "routeReflectorClusterID": self.route_reflector_cluster_id,
        }
        spec = {
            "bgp": {key: value for key, value in bgp.items() if value is not None} or None,
            "ipv4VXLANTunnelAddr": _text(self.ipv4_vxlan_tunnel_addr),
            "vxlanTunnelMACAddr": self.vxlan_tunnel_mac_addr,
            "ipv6VXLANTunnelAddr": _text(self.ipv6_vxlan_tunnel_addr),
            "vxlanTunnelMACAddrV6": self.vxlan_tunnel_mac_addr_v6,
            "wireguard": None if self.wireguard is None else dict(self.wireguard),
            "orchRefs": [dict(item) for item in self.orch_refs] or None,
            "addresses": [dict(item) for item in self.addresses] or None,
            "interfaces": [dict(item) for item in self.interfaces] or None,
        }
        return build_document("Node", self.name, self.labels, self.record, spec)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _wireguard(spec: Fields) -> dict[str, str] | None:
    wireguard = spec.child("wireguard")
    wireguard.only(KNOWN_WIREGUARD)
    pairs = zip(KNOWN_WIREGUARD, (4, 6))
    found = {key: _text(wireguard.address(key, version)) for key, version in pairs}
    return {key: value for key, value in found.items() if value is not None} or None


def _texts_of(spec: Fields, key: str, known: tuple[str, ...]) -> tuple[dict[str, str], ...]:
    """Return a list of mappings whose fields are all texts."""
    found = []
    for item in spec.children(key):
        item.only(known)
        texts = {name: item.text(name) for name in known}
        found.append({name: value for name, value in texts.items() if value is not None})
    return tuple(found)


def _interfaces(spec: Fields) -> tuple[dict[str, t.Any], ...]:
    found = []
    for item in spec.children("interfaces"):
        item.only(("name", "addresses"))
        item.require("name", "Give the name of the interface")
        found.append({"name": item.text("name"), "addresses": list(item.texts("addresses"))})
    return tuple(found)
