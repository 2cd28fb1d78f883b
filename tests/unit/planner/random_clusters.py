# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters at random, with whatever the planner has a rule for; many of them cannot work, and are refused."""

from __future__ import annotations

import random
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.planner.agreement import Wish
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, Document, Snapshot, document, pool

NAMES = ("node1", "node-2", "a.b.c", "0", "n10", "n9", "my-node.example.org")
OF_IPV6 = ("VXLAN", "VXLANCrossSubnet", "None")
SELECTORS = ("all()", "has(rack)", "rack == 'a'", "!has(rack)")


class Random(random.Random):
    """Random choices among what a document may have."""

    def perhaps(self, chance: float, **fields: t.Sequence[t.Any]) -> dict[str, t.Any]:
        """Return each field with one of its values, by a chance of its own."""
        return {name: self.choice(of) for name, of in fields.items() if self.random() < chance}


def wish(choose: Random) -> tuple[Snapshot, Wish]:
    """Return what is stored, and what a run on some of the nodes wants; raises InvalidInput as storing does."""
    nodes, hosts = _nodes(choose)
    pools = [_pool(choose, number) for number in range(choose.randint(1, 3))]
    rest = [*_bgp(choose, list(nodes)), document("IPReservation", "r", reservedCIDRs=["10.244.0.0/28", "10.244.0.77"])]
    options = {
        "bgp": choose.choice(["auto", "auto", "enabled", "disabled"]),
        "secrets": choose.choice([None, ["bgp/mesh", "bgp/tor"], []]),
        "allow_cut_off": choose.choice([[], list(nodes)]),
        **choose.perhaps(0.5, standby=[True], guard=[False]),
    }
    documents = [*nodes.values(), *rest]
    if choose.random() < 0.4:
        return {}, Wish(hosts, [*pools, *documents], "", options)
    stored = claim(put({}, [*pools, *documents]), hosts, now=NOW)
    _lend(choose, stored, list(nodes))
    changing = choose.random() < 0.5
    wanted = [_with_mode(choose, each) if changing else each for each in pools]
    return stored, Wish(hosts, [*wanted, *documents], "", options, changing)


def _nodes(choose: Random) -> tuple[dict[str, Document], dict[str, t.Any]]:
    nodes, hosts = {}, {}
    versions = choose.choice(["4", "4", "46", "6"])
    for number, name in enumerate(choose.sample(NAMES, choose.randint(1, 5)), 11):
        subnet, length = choose.choice(["192.0.2", "192.0.2", "198.51.100"]), choose.choice([24, 24, 32])
        addresses = {"ipv4Address": f"{subnet}.{number}/{length}", "ipv6Address": f"2001:db8::{number}/64"}
        bgp = {key: address for key, address in addresses.items() if key[3] in versions}
        bgp |= choose.perhaps(0.15, asNumber=[64513], routeReflectorClusterID=["244.0.0.1"])
        macs = choose.perhaps(0.2, vxlanTunnelMACAddr=[f"66:00:00:00:00:{number}"])
        nodes[name] = document("Node", name, choose.perhaps(0.6, rack=["a", "b", ""]), bgp=bgp, **macs)
        if not hosts or choose.random() < 0.85:
            seen = choose.perhaps(
                0.3, pod_mtu=[1300], checks_sources=[True], advertised=[["eth0"]], address_device=["lo"]
            )
            hosts[name] = {"address": next(iter(bgp.values())), "device": "eth0", "mtu": 1500, **seen}
    return nodes, hosts


def _pool(choose: Random, number: int) -> Document:
    ipv6 = choose.random() < 0.3
    cidr = f"2001:db8:a{number}::/64" if ipv6 else f"10.{244 + number}.0.0/{choose.choice([16, 20])}"
    spec = choose.perhaps(
        0.2,
        natOutgoing=[True],
        nodeSelector=SELECTORS,
        disabled=[True],
        disableBGPExport=[True],
        blockSize=[122, 124] if ipv6 else [26, 28],
    )
    return pool(f"p{number}", cidr, choose.choice(OF_IPV6 if ipv6 else list(ENCAPSULATIONS)), **spec)


def _with_mode(choose: Random, old: Document) -> Document:
    modes = OF_IPV6 if ":" in old["spec"]["cidr"] else list(ENCAPSULATIONS)
    ipip, vxlan = ENCAPSULATIONS[choose.choice(modes)]
    return {**old, "spec": {**old["spec"], "ipipMode": ipip, "vxlanMode": vxlan}}


def _bgp(choose: Random, names: t.Sequence[str]) -> t.Iterator[Document]:
    secret = {"secretKeyRef": {"name": "bgp", "key": "mesh"}}
    default = choose.perhaps(
        0.3, nodeMeshPassword=[secret], asNumber=[64514], listenPort=[1790], nodeToNodeMeshEnabled=[False]
    )
    yield document("BGPConfiguration", "default", **default)
    if choose.random() < 0.3:
        yield document("BGPConfiguration", f"node.{choose.choice(names)}", listenPort=1999)
    if choose.random() < 0.5:
        yield document("BGPFilter", "out", exportV4=[{"action": "Reject", "cidr": "10.0.0.0/8", "matchOperator": "In"}])
        for number in range(choose.randint(1, 2)):
            yield document("BGPPeer", f"peer{number}", **_peer(choose))


def _peer(choose: Random) -> dict[str, t.Any]:
    tor = {"secretKeyRef": {"name": "bgp", "key": "tor"}}
    addresses = ["192.0.2.1", "192.0.2.11", "[2001:db8::12]:1790"]
    by_address = {"peerIP": choose.choice(addresses), "asNumber": choose.choice([64512, 65000])}
    end = choose.choice([by_address, {"peerSelector": choose.choice(SELECTORS)}])
    return {**end, **choose.perhaps(0.3, nodeSelector=SELECTORS, filters=[["out"]], password=[tor], ttlSecurity=[1])}


def _lend(choose: Random, stored: Snapshot, names: t.Sequence[str]) -> None:
    """Have some addresses borrowed, by nodes that may be gone, and some blocks without an owner."""
    for (kind, __), block in stored.items():
        if kind != "IPAMBlock":
            continue
        spec, chance = block["spec"], choose.random()
        if chance < 0.1:
            spec["affinity"] = None
        elif chance < 0.4 and spec["unallocated"]:
            place = choose.choice(spec["unallocated"])
            spec["unallocated"].remove(place)
            spec["allocations"][place] = len(spec["attributes"])
            spec["attributes"].append({"handle_id": "pod", "secondary": {"node": choose.choice([*names, "gone"])}})
