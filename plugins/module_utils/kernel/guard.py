# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of the data path: which packets of pods and of the underlay a node takes, as a part of our nftables table.

Pods send with their own addresses, and no packets of the tunnels' protocols; tunnels take packets of the cluster's
nodes alone, as Calico's Felix has it (felix/rules/static.go, endpoints.go). The outer packets of tunnels are not
tracked: no masquerading can give a connection of the nodes to a pod, and each flow has one entry less in conntrack.

A pod is known by its device. Those of calico_veth and of Calico's CNI plugin are named cali…, those of the CNI plugin
ptp veth…. A name of the latter kind may be somebody else's, so packets of veth… are looked at only if they have to do
with the pod network: by an address of a pool or a node, or because a host would take its routes from them.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import VXLAN_PORT, VXLAN_VNI
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_sets import Element, from_address, from_network
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_table import Table
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nft_words import (
    DEVICE,
    FAMILIES,
    Json,
    address,
    fib,
    ipip,
    ipip4,
    match,
    meta,
    rule,
    udp_to,
    verdict,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

ENCAPSULATIONS = ("ipip", "vxlan")
# Before connections are tracked, and after fragments are put together, where conntrack is in use (nft(8): raw).
_PREROUTING = {"type": "filter", "hook": "prerouting", "prio": -300, "policy": "accept"}
_TRANSLATED = {"type": "filter", "hook": "prerouting", "prio": -90, "policy": "accept"}  # after dstnat
_OUTPUT = {"type": "filter", "hook": "output", "prio": -300, "policy": "accept"}
_VNI = {"payload": {"base": "th", "offset": 96, "len": 24}}  # after the headers of UDP and VXLAN's flags (RFC 7348)
_FORGES_ROUTES = {"set": ["nd-router-advert", "nd-redirect"]}


class Guard(t.NamedTuple):
    """Whom a node trusts: addresses of the other nodes, on behalf of the encapsulations in use.

    uplinks: devices that lead to other nodes, which are no pods whatever their names.
    """

    nodes: list[Network]
    encapsulations: list[str]
    uplinks: list[str]


def parse(options: t.Mapping[str, t.Sequence[str] | None] | None) -> Guard | None:
    """Return the options (nodes, encapsulations, uplinks) as a guard, None without any. Raises InvalidInput."""
    if options is None:
        return None
    problems: list[InvalidInput] = []
    nodes: dict[Network, None] = {}
    for text in options.get("nodes") or []:
        try:
            if "/" in text or "%" in text:
                raise ValueError(text)
            nodes[ipaddress.ip_network(text)] = None
        except ValueError:
            remedy = "Write a node's address on the underlay, as 192.0.2.11"
            problems.append(InvalidInput(f'guard: nodes: "{text}" is not an address', remedy=remedy))
    used = dict.fromkeys(options.get("encapsulations") or [])
    problems += [
        InvalidInput(f'guard: encapsulations: "{kind}" is unknown', remedy=f"Use {' or '.join(ENCAPSULATIONS)}")
        for kind in used
        if kind not in ENCAPSULATIONS
    ]
    uplinks = sorted({*(options.get("uplinks") or [])})
    problems += [
        InvalidInput(f'guard: uplinks: "{name}" is not the name of a device', remedy="Write it as `ip link` shows it")
        for name in uplinks
        if not DEVICE.fullmatch(name)
    ]
    raise_all(problems)
    return Guard([*nodes], sorted(used), uplinks)


def of_plan(plan: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """Return the options of a node's plan; None where the guard is switched off."""
    if not plan["guard"]:
        return None
    needs = plan["requirements"]
    return {
        "nodes": needs["nodes"],
        "encapsulations": needs["kernel"],
        "uplinks": sorted({plan["device"], *plan["underlay"]}),
    }


def wanted(guard: Guard, pools: t.Iterable[Network]) -> Table:
    """Return the part of our table that the guard needs. pools: ranges of all pods."""
    ranges = list(pools)
    versions = sorted({network.version for network in ranges})
    sets: dict[str, t.Any] = {}
    members: dict[str, list[Element]] = {}
    for version in versions:
        sets[f"set pools{version}"] = {"type": FAMILIES[version][1], "flags": ["interval"]}
        members[f"pools{version}"] = [from_network(network) for network in ranges if network.version == version]
        sets[f"set nodes{version}"] = {"type": FAMILIES[version][1]}
        members[f"nodes{version}"] = [from_address(node) for node in guard.nodes if node.version == version]
    chains: dict[str, t.Any] = {"chain prerouting": _PREROUTING, "chain translated": _TRANSLATED}
    chains.update({"chain output": _OUTPUT, "chain containers": {}, "chain pods": {}})
    rules = {**_devices(guard, versions), **_outer(guard, versions), **_containers(versions), **_pods()}
    return Table({**sets, **chains, **rules}, members)


def _devices(guard: Guard, versions: t.Iterable[int]) -> dict[str, Json]:
    """Return the rules that tell packets of pods by their devices.

    What containers send to a published port is a packet to a pod once its destination was translated.
    """
    rules = {}
    for prefix, chain, verb in (("cali", "pods", "goto"), ("veth", "containers", "jump")):
        others = [match(meta("iifname"), name, "!=") for name in guard.uplinks if name.startswith(prefix)]
        of_pods = match(meta("iifname"), f"{prefix}*")
        rules[f"rule from {chain}"] = rule("prerouting", of_pods, *others, verdict(verb, chain))
        if prefix == "veth":
            for version in versions:
                to_pods = match(address(version, "daddr"), f"@pools{version}")
                published = rule("translated", of_pods, *others, to_pods, _no_way_back(), *_dropped())
                rules[f"rule forged source to published ports IPv{version}"] = published
    return rules


def _outer(guard: Guard, versions: t.Iterable[int]) -> dict[str, Json]:
    """Return the rules for packets between nodes: those of the tunnels are not tracked, and strangers have none."""
    rules = {}
    to_us = match(fib("type", "daddr"), "unicast", "!=")  # broadcast, multicast and anycast are delivered, too
    for kind in guard.encapsulations:
        title = {"ipip": "IPIP", "vxlan": "VXLAN"}[kind]
        outer = ipip4() if kind == "ipip" else udp_to(VXLAN_PORT)
        used = [version for version in versions if version == 4 or kind == "vxlan"]
        for version in used:
            nodes = f"@nodes{version}"
            untracked = (verdict("notrack"), verdict("accept"))
            for chain, field, word in (("prerouting", "saddr", "of"), ("output", "daddr", "to")):
                between = match(address(version, field), nodes)
                rules[f"rule {title} {word} nodes IPv{version}"] = rule(chain, outer, between, *untracked)
        if not used:
            continue
        if kind == "vxlan":  # a first fragment may be too short for the id: it matches neither == nor !=
            rules["rule VXLAN of other networks"] = rule(
                "prerouting", outer, match(_VNI, VXLAN_VNI, "!="), verdict("accept")
            )
        rules[f"rule {title} of strangers"] = rule("prerouting", outer, to_us, *_dropped())
    return rules


def _containers(versions: t.Iterable[int]) -> dict[str, Json]:
    """Return the rules that find packets which have to do with the pod network among those of devices veth…."""
    rules = {}
    for version in versions:
        for field, group in (("saddr", "pools"), ("daddr", "pools"), ("saddr", "nodes")):
            title = f"{'from' if field == 'saddr' else 'to'} {group} IPv{version}"
            concerns = match(address(version, field), f"@{group}{version}")
            rules[f"rule {title}"] = rule("containers", concerns, verdict("goto", "pods"))
    if 4 in versions:
        rules["rule to loopback"] = rule("containers", _loopback(), verdict("goto", "pods"))
    rules["rule from this node"] = rule("containers", match(fib("type", "saddr"), "local"), verdict("goto", "pods"))
    rules["rule routes of containers"] = rule("containers", *_forged_routes())
    return rules


def _pods() -> dict[str, Json]:
    """Return the rules that packets of pods meet."""
    return {
        "rule forged source": rule("pods", _no_way_back(), *_dropped()),
        "rule loopback of pods": rule("pods", _loopback(), *_dropped()),
        "rule IPIP of pods": rule("pods", ipip(), *_dropped()),
        "rule VXLAN of pods": rule("pods", udp_to(VXLAN_PORT), *_dropped()),
        "rule routes of pods": rule("pods", *_forged_routes()),
    }


def _forged_routes() -> list[Json]:
    """Match what would give the host routes: router advertisements and redirects (RFC 4861)."""
    return [match({"payload": {"protocol": "icmpv6", "field": "type"}}, _FORGES_ROUTES), *_dropped()]


def _no_way_back() -> Json:
    return match(fib("oif", "saddr", "iif"), right=False)


def _loopback() -> Json:
    """Match what only a host itself may send to; route_localnet of pods' devices lets it in."""
    return match(address(4, "daddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}})


def _dropped() -> tuple[Json, Json]:
    return verdict("counter"), verdict("drop")
