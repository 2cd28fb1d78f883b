# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPPeer: a session that some nodes keep with a router, with other nodes, or with workloads of their own.

Rules and defaults follow Calico v3.32 (api/pkg/apis/projectcalico/v3/bgppeer.go, lib/validator/v3).
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.ip import as_go_reads
from ansible_collections.podnet.calico.plugins.module_utils.resources.as_number import is_absent, read_as_number
from ansible_collections.podnet.calico.plugins.module_utils.resources.duration import format_duration, read_duration
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import open_document
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import Record, build_document, is_name
from ansible_collections.podnet.calico.plugins.module_utils.resources.secret import SecretKeyRef, read_secret

if t.TYPE_CHECKING:  # pragma: no cover
    from decimal import Decimal

    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

KNOWN = (
    *("node", "nodeSelector", "peerIP", "peerSelector", "localWorkloadSelector", "asNumber", "localASNumber"),
    *("keepOriginalNextHop", "nextHopMode", "password", "sourceAddress", "maxRestartTime", "keepaliveTime"),
    *("numAllowedLocalASNumbers", "ttlSecurity", "reachableBy", "filters", "reversePeering"),
)
REMOTE_ENDS = ("peerIP", "peerSelector", "localWorkloadSelector")
SOURCES = ("UseNodeIP", "None")
MAX_SELECTOR = 4096
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+)):([0-9]{1,5})")


@dataclass(frozen=True)
class BGPPeer:
    """A validated peer.

    peer_ip is canonical text with the port that was given; peer_address and peer_port are its parts.
    max_restart_time and keepalive_time are seconds. No node and no node_selector means every node.
    """

    name: str
    node: str | None = None
    node_selector: str | None = None
    peer_ip: str | None = None
    peer_selector: str | None = None
    local_workload_selector: str | None = None
    as_number: int | None = None
    local_as_number: int | None = None
    keep_original_next_hop: bool = False
    next_hop_mode: str | None = None
    password: SecretKeyRef | None = None
    source_address: str = "UseNodeIP"
    max_restart_time: Decimal | None = None
    keepalive_time: Decimal | None = None
    num_allowed_local_as_numbers: int | None = None
    ttl_security: int | None = None
    reachable_by: Address | None = None
    filters: tuple[str, ...] = ()
    reverse_peering: str = "Auto"
    labels: t.Mapping[str, str] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    @property
    def peer_address(self) -> Address | None:
        """Return the address of peer_ip."""
        return None if self.peer_ip is None else split_peer_ip(self.peer_ip)[0]

    @property
    def peer_port(self) -> int | None:
        """Return the port of peer_ip, None if none was given."""
        return None if self.peer_ip is None else split_peer_ip(self.peer_ip)[1]

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> BGPPeer:
        """Return the peer that a document describes, or raise InvalidInput with everything that is wrong."""
        reading = open_document(document, "BGPPeer")
        spec = reading.spec
        spec.only(KNOWN)
        peer = cls(
            name=reading.name,
            node=_node(spec),
            node_selector=spec.selector("nodeSelector", limit=MAX_SELECTOR),
            peer_ip=_read_peer_ip(spec),
            peer_selector=spec.selector("peerSelector", limit=MAX_SELECTOR),
            local_workload_selector=spec.selector("localWorkloadSelector", limit=MAX_SELECTOR),
            as_number=read_as_number(spec, "asNumber"),
            local_as_number=read_as_number(spec, "localASNumber"),
            keep_original_next_hop=spec.flag("keepOriginalNextHop", False),
            next_hop_mode=spec.choice("nextHopMode", ("Auto", "Self", "Keep")),
            password=read_secret(spec, "password"),
            source_address=spec.choice("sourceAddress", SOURCES, "UseNodeIP", empty_is_absent=True),
            max_restart_time=read_duration(spec, "maxRestartTime"),
            keepalive_time=read_duration(spec, "keepaliveTime"),
            num_allowed_local_as_numbers=spec.number("numAllowedLocalASNumbers", 0, 2**31 - 1),
            ttl_security=spec.number("ttlSecurity", 0, 255),
            reachable_by=spec.address("reachableBy"),
            filters=_filters(spec),
            reverse_peering=spec.choice("reversePeering", ("Auto", "Manual"), "Auto"),
            labels=reading.labels,
            record=reading.record,
        )
        _check_ends(peer, spec)
        _check_session(peer, spec)
        reading.finish()
        return peer

    def to_document(self) -> dict[str, t.Any]:
        """Return the canonical document, defaults filled in."""
        spec = {
            "node": self.node,
            "nodeSelector": self.node_selector,
            "peerIP": self.peer_ip,
            "peerSelector": self.peer_selector,
            "localWorkloadSelector": self.local_workload_selector,
            "asNumber": self.as_number,
            "localASNumber": self.local_as_number,
            "keepOriginalNextHop": self.keep_original_next_hop or None,
            "nextHopMode": self.next_hop_mode,
            "password": None if self.password is None else self.password.to_spec(),
            "sourceAddress": self.source_address,
            "maxRestartTime": format_duration(self.max_restart_time),
            "keepaliveTime": format_duration(self.keepalive_time),
            "numAllowedLocalASNumbers": self.num_allowed_local_as_numbers,
            "ttlSecurity": self.ttl_security,
            "reachableBy": None if self.reachable_by is None else str(self.reachable_by),
            "filters": list(self.filters) or None,
            "reversePeering": self.reverse_peering,
        }
        return build_document("BGPPeer", self.name, self.labels, self.record, spec)


def split_peer_ip(text: str) -> tuple[Address, int | None]:
    """Return the address and port of ``a.b.c.d``, ``a.b.c.d:port``, an IPv6 address or ``[v6]:port``.

    Raises ValueError for anything else.
    """
    match = _WITH_PORT.fullmatch(text)
    if match is None:
        return as_go_reads(ipaddress.ip_address(text)), None
    bracketed, plain, port = match.groups()
    if not 1 <= int(port) <= 65535:
        raise ValueError(port)
    address: Address = ipaddress.ip_address(bracketed) if bracketed else ipaddress.IPv4Address(plain)
    return as_go_reads(address), int(port)


def _read_peer_ip(spec: Fields) -> str | None:
    text = spec.text("peerIP", limit=64)
    if text is None:
        return None
    try:
        address, port = split_peer_ip(text)
        if "%" in text:
            raise ValueError(text)
    except ValueError:
        remedy = "Write it like 192.0.2.1, 192.0.2.1:1179, 2001:db8::1 or [2001:db8::1]:1179"
        spec.refuse("peerIP", "is not an address with an optional port", remedy)
        return None
    if address.is_link_local and address.version == 6:
        remedy = "Give the peer an address that is valid beyond its link; Calico takes none with a zone either"
        spec.refuse("peerIP", "is a link-local address, which does not say by which interface", remedy)
        return None
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _node(spec: Fields) -> str | None:
    name = spec.text("node")
    if name is not None and not is_name(name):
        spec.refuse(
            "node", "is not the name of a node", "Use the Node's metadata.name: lower-case letters, digits, - and ."
        )
        return None
    return name


def _filters(spec: Fields) -> tuple[str, ...]:
    names = spec.texts("filters")
    for name in names:
        if not is_name(name):
            spec.refuse("filters", "has an element that is not the name of a BGPFilter", f"Correct {name}", value=name)
    return names


def _check_ends(peer: BGPPeer, spec: Fields) -> None:
    """Check which nodes keep the session, and with whom."""
    if peer.node is not None and peer.node_selector is not None:
        spec.refuse("node", "contradicts nodeSelector", "Give one of them; give none for a peer of every node")
    given = [key for key in REMOTE_ENDS if spec.values.get(key) not in (None, "")]
    if not given:
        spec.require("peerIP", "Give peerIP, or peerSelector to peer with nodes by their labels")
    elif len(given) > 1:
        spec.refuse(given[0], f"contradicts {' and '.join(given[1:])}", f"Give one of {', '.join(REMOTE_ENDS)}")
    if "peerSelector" in given and peer.as_number is not None:
        spec.refuse("asNumber", "contradicts peerSelector", "Leave it out; each selected node's own AS is used")
    elif given and "peerSelector" not in given and is_absent(spec.values.get("asNumber")):
        spec.refuse("asNumber", "is missing", f"Give the AS number of the other end; {given[0]} does not tell it")


def _check_session(peer: BGPPeer, spec: Fields) -> None:
    """Check the fields that depend on each other."""
    if peer.keep_original_next_hop and peer.next_hop_mode is not None:
        remedy = "Leave keepOriginalNextHop out, nextHopMode replaces it"
        spec.refuse("keepOriginalNextHop", f"contradicts nextHopMode {peer.next_hop_mode}", remedy)
    if peer.reachable_by is None:
        return
    address = peer.peer_address
    if address is None:
        spec.refuse("reachableBy", "needs peerIP", "Give peerIP, or leave reachableBy out")
    elif address.version != peer.reachable_by.version:
        remedy = f"Give an IPv{address.version} gateway"
        spec.refuse("reachableBy", f"is not of the family of peerIP {peer.peer_ip}", remedy)
