# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP of a node in many shapes, as plain data: what the planner hands to the renderer."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import (
    Advertisement,
    Bgp,
    BgpFamily,
    Filter,
    PoolRule,
    SecretKey,
    Session,
)

Data = t.Dict[str, t.Any]
OWN = {4: "192.0.2.11", 6: "2001:db8::11"}
NEAR = {4: "192.0.2.12", 6: "2001:db8::12"}
FAR = {4: "198.51.100.13", 6: "2001:db8:1::13"}
ROUTER = {4: "192.0.2.1", 6: "2001:db8::1"}
SECRET = SecretKey("bgp-secrets", "tor")
ACCEPT_DEFAULT = {"action": "Accept", "cidr": "0.0.0.0/0", "matchOperator": "Equal"}
REJECT_HALF = {"action": "Reject", "cidr": "10.244.0.0/17", "matchOperator": "In"}
FILTER = Filter("router", {"importV4": [ACCEPT_DEFAULT], "exportV4": [REJECT_HALF], "importV6": [], "exportV6": []})


def plain(value: t.Any) -> t.Any:
    """Return a value as it comes out of JSON: lists instead of tuples."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def pool(encapsulation: str = "None", cidr: str = "10.244.0.0/16", **changes: t.Any) -> PoolRule:
    """Return the rule of a pool; encapsulation as in an IPPool of the operator: IPIPCrossSubnet."""
    cross = encapsulation.endswith("CrossSubnet")
    tunnel = "" if encapsulation == "None" else encapsulation[: -len("CrossSubnet") if cross else None].lower()
    size = 122 if ":" in cidr else 26
    rule = PoolRule(cidr=cidr, block_size=size, tunnel=tunnel, cross_subnet=cross, exported=True)
    return dataclasses.replace(rule, **changes)


def family4(encapsulation: str = "None", **changes: t.Any) -> BgpFamily:
    """Return what BIRD does with IPv4."""
    found = BgpFamily(4, OWN[4], "192.0.2.0/24", (pool(encapsulation),), ("10.244.166.128/26",))
    return dataclasses.replace(found, **changes)


def family6(**changes: t.Any) -> BgpFamily:
    """Return what BIRD does with IPv6."""
    found = BgpFamily(6, OWN[6], "2001:db8::/64", (pool(cidr="fd00:10:244::/48"),), ("fd00:10:244::40/122",))
    return dataclasses.replace(found, **changes)


def session(address: str, **changes: t.Any) -> Session:
    """Return a session of the mesh with a node of an address."""
    version = 6 if ":" in address else 4
    name = "bgp_" + address.replace(".", "_").replace(":", "_")
    found = Session(name, "mesh", version, address, 64512, 64512, peer="node2", source=OWN[version])
    return dataclasses.replace(found, **changes)


def mesh(version: int = 4) -> tuple[Session, ...]:
    """Return the sessions with a node in our subnet and one behind a router."""
    return session(NEAR[version], passive=True), session(FAR[version], peer="node3")


def external(version: int = 4, **changes: t.Any) -> Session:
    """Return the session with a router of another AS."""
    return session(ROUTER[version], kind="global", peer=None, remote_as=64513, **changes)


def bgp(*sessions: Session, families: t.Sequence[BgpFamily] = (), **changes: t.Any) -> Data:
    """Return the whole as data."""
    made = Bgp(OWN[4], 64512, tuple(families) or (family4(),), sessions)
    return t.cast("Data", plain(dataclasses.replace(made, **changes)))


def full_external() -> Data:
    """Return a node with everything that a router of another AS can be given."""
    tor = external(
        local_as=64600,
        port=1790,
        password=SECRET,
        restart_time=60,
        keepalive_time=60,
        allowed_local_as=2,
        ttl_security=2,
        reachable_by="192.0.2.254",
        filters=("router",),
        next_hop="self",
    )
    hidden = pool(cidr="10.245.0.0/16", exported=False)
    family = family4(
        pools=(pool(), hidden),
        services=("10.96.0.0/12",),
        advertisements=(Advertisement("10.244.0.0/16", ("64512:100", "64512:1:4294967295")),),
    )
    plain_ = session("192.0.2.2", kind="node", peer=None, remote_as=64514, source=None)
    return bgp(*mesh(), tor, plain_, families=[family], filters=(FILTER,))


def reflector() -> Data:
    """Return a route reflector with a client and another reflector of its cluster."""
    client = session(NEAR[4], kind="node", rr_client=True)
    other = session(FAR[4], kind="node", peer="node3", reflects=True)
    return bgp(client, other, families=[family4(reflected_services=("203.0.113.0/24",))], cluster_id="224.0.0.1")


def client(encapsulation: str = "None") -> Data:
    """Return a client of two route reflectors."""
    near, far = (dataclasses.replace(one, kind="node", reflects=True) for one in mesh())
    return bgp(near, far, families=[family4(encapsulation)])


TOPOLOGIES: dict[str, Data] = {
    "mesh": bgp(*mesh()),
    "reflector": reflector(),
    "client": client("IPIP"),
    "external": full_external(),
    "dual_stack": bgp(*mesh(4), *mesh(6), external(6), families=[family4("IPIPCrossSubnet"), family6()]),
    "ipv6": bgp(*mesh(6), families=[family6()]),
}
