# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one node needs, as a frozen value: the language between the planner and the appliers."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import BGP_PORT

VXLAN_DEVICES = {4: "vxlan.calico", 6: "vxlan-v6.calico"}

# Of routes that stand by while BGP sessions reset: greater than all that BIRD (32) and the kernel (1024) use.
STANDBY_METRIC = 4096

# Of routes that refuse packets to pods to whom nothing else leads: greater than that of any route that does.
REFUSAL_METRIC = 1_000_000

# Of routes that hold traffic where it is while a mode changes, by IP version: smaller than BIRD's (32) and the kernel's
# default for IPv6 (1024). None is calico_route's own, 0 for IPv4, by which the route of a plan and its pin are one.
PIN_METRIC: dict[int, int | None] = {4: None, 6: 1}


@dataclasses.dataclass(frozen=True)
class Host:
    """What was seen on a host: the device that carries its routes to the other nodes, and what its kernel can do.

    address: the node's address with the prefix length of its interface. mtu: of the device, in bytes.
    encapsulations: the link kinds that the kernel has ("ipip", "vxlan"). pod_mtu: what is asked for, in bytes.
    checks_sources: whether the kernel looks at where a packet comes from (rp_filter). advertised: devices that the
    kernel configures by router advertisements. pod_gateway: whether a route of others leads to 169.254.1.1.
    address_device, ipv6_address_device: where the node's address is, and the IPv6 one beside it; "" for the device.
    """

    address: str
    device: str
    mtu: int
    encapsulations: tuple[str, ...] = ("ipip", "vxlan")
    pod_mtu: int | None = None
    checks_sources: bool = False
    advertised: tuple[str, ...] = ()
    pod_gateway: bool = False
    address_device: str = ""
    ipv6_address_device: str = ""

    @classmethod
    def from_facts(cls, facts: t.Mapping[str, t.Any]) -> Host:
        """Return what calico_host_info saw; it sees more than a plan needs."""
        known = {field.name: facts[field.name] for field in dataclasses.fields(cls) if field.name in facts}
        lists = {key: tuple(value) for key, value in known.items() if isinstance(value, (list, tuple))}
        return cls(**{**known, **lists})


@dataclasses.dataclass(frozen=True)
class Vtep:
    """Another node's end of the VXLAN: tunnel address, MAC of its device, and its address on the underlay."""

    node: str
    address: str
    mac: str
    underlay: str


@dataclasses.dataclass(frozen=True)
class Tunnel:
    """A tunnel device with its one address (/32 or /128); peers are neighbours and FDB entries of a VXLAN.

    parent: None where the node's address is on another device than that which leads to the others, and packets leave
    by whichever does.
    """

    kind: str
    name: str
    address: str
    mtu: int
    local: str
    parent: str | None
    mac: str | None = None
    vni: int | None = None
    port: int | None = None
    peers: tuple[Vtep, ...] = ()


@dataclasses.dataclass(frozen=True)
class Route:
    """A route of ours; type is "unicast", "blackhole" or "unreachable", onlink skips the kernel's check of the gateway.

    metric: None for calico_route's own.
    """

    destination: str
    type: str = "unicast"
    gateway: str | None = None
    device: str | None = None
    onlink: bool = False
    scope: str = "global"
    metric: int | None = None


@dataclasses.dataclass(frozen=True)
class SecretKey:
    """Where the password of a session is: a key of a Secret; an optional one may be missing (Calico)."""

    name: str
    key: str
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class Session:
    """A BGP session as Calico would configure it, of one family: the peer's address is of the routes' family.

    name: of the protocol in BIRD, made from the peer's address (and port, if one was given) alone, so that a session
    survives a change of the reason why it is there. kind: that reason, "mesh", "node" or "global" (Calico's prefixes).
    peer: the Node at the other end, None for anything else. reflects: the other end is a route reflector, which passes
    on what others announce. source: None leaves the source address to the kernel. restart_time and keepalive_time:
    seconds, None for BIRD's own. ttl_security: hops, None for off. filters: names of BGPFilters, in their order.
    next_hop: "auto", "self" or "keep".
    """

    name: str
    kind: str
    family: int
    address: str
    remote_as: int
    local_as: int
    port: int = BGP_PORT
    peer: str | None = None
    source: str | None = None
    passive: bool = False
    rr_client: bool = False
    reflects: bool = False
    next_hop: str = "auto"
    password: SecretKey | None = None
    restart_time: int | None = None
    keepalive_time: int | None = None
    allowed_local_as: int | None = None
    ttl_security: int | None = None
    reachable_by: str | None = None
    filters: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class PoolRule:
    """How BIRD treats routes of a pool; tunnel: "" (direct), "ipip", or "vxlan" (not BIRD's)."""

    cidr: str
    block_size: int
    tunnel: str
    cross_subnet: bool
    exported: bool


@dataclasses.dataclass(frozen=True)
class Advertisement:
    """Communities ("64512:100", or "64512:1:100" for a large one) that routes within a prefix are advertised with."""

    cidr: str
    communities: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class BgpFamily:
    """What BIRD does with the routes of one IP version.

    address, subnet: the node's own. services: ranges of Kubernetes services that the node advertises.
    reflected_services: ranges that it passes on as a route reflector. priority: of the routes of its own blocks, which
    Calico sends as LOCAL_PREF 2147483647 - priority.
    """

    version: int
    address: str
    subnet: str
    pools: tuple[PoolRule, ...]
    blocks: tuple[str, ...]
    services: tuple[str, ...] = ()
    reflected_services: tuple[str, ...] = ()
    advertisements: tuple[Advertisement, ...] = ()
    priority: int = 1024


@dataclasses.dataclass(frozen=True)
class Filter:
    """A BGPFilter that a session of the node names; rules: importV4, exportV4, importV6, exportV6 as in its spec."""

    name: str
    rules: dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Bgp:
    """All that BIRD's configuration is made from. bind_to_node: BIRD listens on the node's own addresses alone."""

    router_id: str
    local_as: int
    families: tuple[BgpFamily, ...]
    sessions: tuple[Session, ...]
    filters: tuple[Filter, ...] = ()
    cluster_id: str | None = None
    listen_port: int = BGP_PORT
    bind_to_node: bool = False
    ignored_interfaces: tuple[str, ...] = ()
    debug: str = "states"

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as plain data that survives JSON."""
        return t.cast("dict[str, t.Any]", _plain(self))


@dataclasses.dataclass(frozen=True)
class Nat:
    """Outgoing NAT: sources in pools that masquerade, unless the destination is in any pool."""

    masquerade: tuple[str, ...]
    pools: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Cni:
    """What the runtime's network is made from: the node's blocks of pools that are enabled, and the MTU of pods.

    excluded: networks in these blocks whose addresses no pod gets, since they are reserved, or held by somebody else.
    """

    ranges: tuple[str, ...]
    mtu: int
    excluded: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ProbeTarget:
    """The probe pod of another node: its address, its pool, what should carry packets to it, and where to ping from."""

    name: str
    address: str
    pool: str
    expected: str
    netns: str


@dataclasses.dataclass(frozen=True)
class Probe:
    """A probe pod of this node, as an endpoint to make, and the probe pods of the other nodes in its pool."""

    name: str
    addresses: tuple[str, ...]
    targets: tuple[ProbeTarget, ...]


@dataclasses.dataclass(frozen=True)
class PeerPorts:
    """A BGP peer that is no node: its address, the TCP port on which it listens, and that on which the node does."""

    address: str
    port: int
    local_port: int


@dataclasses.dataclass(frozen=True)
class Requirements:
    """What the node's part of the network needs from its surroundings.

    kernel: link kinds. sysctls: name to value. open: protocols and ports from each of the other nodes' addresses.
    peers: what BGP needs beside that.
    """

    kernel: tuple[str, ...]
    sysctls: dict[str, str]
    open: tuple[str, ...]
    nodes: tuple[str, ...]
    peers: tuple[PeerPorts, ...] = ()


@dataclasses.dataclass(frozen=True)
class Transition:
    """How a node gets from the modes in the datastore to those of its plan, while the data paths of both are up.

    changes: pools whose mode differs, in words. before, after: all routes of ours while the traffic takes the old path
    and the new one. bird_first: whether BIRD gets its new configuration before routes move, instead of at the end.
    carried: what BIRD has to have routes to before routes of ours may give way to them. sysctls: what both paths need
    at the same time, besides those of the plan. mtu: of pods, in bytes, which fits both. trial: other nodes' probe pods
    (CIDR) to which packets go by the new path already.
    """

    changes: tuple[str, ...]
    before: tuple[Route, ...]
    after: tuple[Route, ...]
    bird_first: bool
    carried: tuple[Route, ...]
    sysctls: dict[str, str]
    mtu: int
    trial: tuple[str, ...]

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as plain data that survives JSON."""
        return t.cast("dict[str, t.Any]", _plain(self))


@dataclasses.dataclass(frozen=True)
class NodePlan:
    """Everything one node needs.

    underlay: devices that have the node's addresses. guard: whether packets are judged by where they come from.
    standby: routes to what BIRD carries, by which traffic flows while sessions reset; only where they are asked for.
    nodes: those of this run, itself included, each with its addresses.
    """

    node: str
    address: str
    device: str
    blocks: tuple[str, ...]
    tunnels: tuple[Tunnel, ...]
    routes: tuple[Route, ...]
    bgp: Bgp | None
    nat: Nat
    cni: Cni
    probes: tuple[Probe, ...]
    requirements: Requirements
    underlay: tuple[str, ...] = ()
    guard: bool = True
    standby: tuple[Route, ...] = ()
    nodes: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def as_dict(self) -> dict[str, t.Any]:
        """Return the plan as plain data that survives JSON."""
        return t.cast("dict[str, t.Any]", _plain(self))


_ATOMS = (str, int, bool, type(None))


def _plain(value: t.Any) -> t.Any:
    """Return dataclasses and tuples as mappings and lists; dataclasses.asdict would copy every text on the way."""
    if isinstance(value, _ATOMS):
        return value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
