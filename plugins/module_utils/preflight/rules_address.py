# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about addresses, ranges and routes of one host; pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import addresses
from ansible_collections.podnet.calico.plugins.module_utils.preflight import policy
from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import (
    ERROR,
    NOTE,
    WARNING,
    Facts,
    Finding,
    Wanted,
    network,
    overlap,
)

_BRIDGES = re.compile(r"docker\d*|br-[0-9a-f]{12}|virbr\d+|cni\d+|podman\d+|lxdbr\d+|flannel.*|kube-bridge|kube-ipvs0")
_OUR_DEVICES = re.compile(r"cali[0-9a-f]{11}|tunl0|vxlan\.calico|vxlan-v6\.calico")
_OUR_PROTOCOLS = (98, 12, 80)  # ours, BIRD's, Felix'


def node(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield what is wrong with the node's address."""
    found = facts["node"]
    if "ipv6_asked" in found:
        yield from _one(facts, found["ipv6_asked"], found["ipv6_address"], "calico_node_ipv6_address")
    yield from _one(facts, found["asked"], found["address"], "calico_node_address")
    if not found["address"]:
        return
    if found["towards"] and found["towards_device"] != found["device"]:
        yield Finding(
            "address-elsewhere",
            WARNING,
            "address",
            f"the node's address is on {found['device']}, but the others are reached by {found['towards_device']}",
            f"{found['address']} on {found['device']}; packets to the others leave with {found['towards']}",
            "tunnels take their answers elsewhere than their requests; Vagrant's first network card is such a case",
            f"Set calico_node_address to {found['towards']}, or mend the routes",
        )


def _one(facts: Facts, asked: str, address: str, variable: str) -> t.Iterator[Finding]:
    """Yield what is wrong with an address (CIDR, empty for none) that was asked for, or chosen."""
    if not address:
        yield Finding(
            "address-missing",
            ERROR,
            "address",
            f"{asked} is on no interface that leads to others" if asked else "the node's address cannot be told",
            f"it has {_addresses(facts)}",
            "tunnels and BGP sessions need an address of the host",
            f"Correct {variable}" if asked else f"Set {variable}, or mend the routes to the others",
        )
        return
    (row, *_again) = [each for each in facts["addresses"] if each["address"] == address]
    yield from _passing(facts, row, variable)
    yield from _device(facts, row, variable)


def _passing(facts: Facts, row: Facts, variable: str) -> t.Iterator[Finding]:
    """Yield an address that may move to another host, or end; deploy refuses what is an error here."""
    fault = addresses.fault(row, facts["addresses"])
    keepalived = facts["units"].get("keepalived.service", {}).get("active")
    beside = f" beside {fault.instead}" if fault and fault.instead else ""
    seen = f"{row['address']} on {row['device']}{beside}{', keepalived runs' if keepalived else ''}"
    if fault is not None:
        what, remedy = f"the node's address {fault.what}", f"Set {variable} to {fault.instead or 'another address'}"
        if fault.kind == addresses.VIRTUAL:
            yield Finding("address-virtual", ERROR, "address", what, seen, fault.why, remedy)
        else:
            yield Finding("address-unfit", ERROR, "address", what, seen, fault.why, remedy)
    elif row["secondary"]:
        yield Finding(
            "address-secondary",
            WARNING,
            "address",
            "the node's address is a secondary one",
            f"{row['address']} on {row['device']} is not the first of its network there",
            "it goes with the first one, and may be one that moves to another host",
            f"Set {variable} to the first address of the device",
        )


def _device(facts: Facts, row: Facts, variable: str) -> t.Iterator[Finding]:
    device = row["device"]
    kind = next((each["kind"] for each in facts["links"] if each["name"] == device), "")
    if _BRIDGES.fullmatch(device) or _OUR_DEVICES.fullmatch(device):
        yield Finding(
            "address-device",
            ERROR,
            "address",
            f"the node's address is on {device}, which leads to no other host",
            f"{row['address']} on {device}",
            "other nodes cannot reach it",
            f"Set {variable} to the address of a network card",
        )
    elif device == "lo" or kind == "dummy":
        yield Finding(
            "address-device",
            WARNING,
            "address",
            f"the node's address is on {device}",
            f"{row['address']} on {device}",
            "other nodes reach it only by routes that something else announces; a virtual address is often found there",
            f"Nothing if the host routes by BGP; else set {variable} to the address of a network card",
        )


def _addresses(facts: Facts) -> str:
    return ", ".join(f"{row['address']} ({row['device']})" for row in facts["addresses"]) or "none"


def ranges(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield addresses and routes of the host that pools or services would take over."""
    named = [("pool", str(pool.cidr), pool.name) for pool in wanted.pools]
    named += [("service range", cidr, "") for cidr in wanted.services]
    for what, cidr, name in named:
        used = [f"{row['address']} on {row['device']}" for row in facts["addresses"] if _is_taken(row, cidr)]
        devices = {row["device"] for row in facts["addresses"] if _is_taken(row, cidr)}
        routes = [row for row in facts["routes"] if _is_foreign(row) and overlap(row["destination"], cidr)]
        inside = [row for row in routes if network(row["destination"]).prefixlen >= network(cidr).prefixlen]
        wider = [row for row in routes if row not in inside and network(row["destination"]).prefixlen]
        used += [_route(row) for row in inside if not devices & set(row["devices"])]
        title = f"{what} {cidr}{f' ({name})' if name else ''}"
        if used:
            yield Finding(
                "range-taken",
                ERROR,
                "ranges",
                f"{title} is in use on the host",
                "; ".join(used[:4]),
                "packets to these addresses go to pods, or to where they go now, but not to both",
                f"Choose another {what}, or renumber the host's",
            )
        elif wider and what == "pool":
            yield Finding(
                "range-routed",
                WARNING,
                "ranges",
                f"{title} is part of a network that the host has a route to",
                "; ".join(map(_route, wider[:4])),
                "if the pool's addresses are in use there, pods cannot reach them",
                "Make sure that they are not, or choose another pool",
            )


def _is_taken(row: Facts, cidr: str) -> bool:
    return not _OUR_DEVICES.fullmatch(row["device"]) and overlap(row["address"], cidr)


def _is_foreign(row: Facts) -> bool:
    if row["protocol"] in _OUR_PROTOCOLS or not row["devices"]:
        return False
    return not any(_OUR_DEVICES.fullmatch(device) for device in row["devices"])


def _route(row: Facts) -> str:
    return f"route {row['destination']} by {', '.join(row['devices'])}"


def default_route(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield a host that does not answer pods' requests for their gateway by itself."""
    if not facts["pod_gateway"] and any(pool.cidr.version == 4 for pool in wanted.pools):
        yield Finding(
            "no-default-route",
            NOTE,
            "address",
            "there is no default route",
            "no route covers 169.254.1.1, the gateway of pods",
            "the host would not answer pods' ARP for their gateway; and pods reach nothing outside of the cluster",
            "deploy adds a route for 169.254.1.1; add a default route if pods are to reach the outside",
        )


def policy_routing(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield rules by which what the node itself sends to pods takes another way than the pods' routes."""
    found: dict[tuple[int, str, str, str], list[str]] = {}
    for address in filter(None, (facts["node"]["address"], facts["node"].get("ipv6_address"))):
        for pool in wanted.pools:
            other = policy.diverted(facts["rules"], facts["routes"], address, str(pool.cidr))
            if other is not None:
                rule, way = other
                words = f"from {rule['from']} lookup {rule['table']}"
                found.setdefault((rule["priority"], words, way, address), []).append(str(pool.cidr))
    for (priority, words, way, address), pools in found.items():
        yield Finding(
            "policy-routed",
            WARNING,
            "address",
            f"what the node sends from {address} to pods is not routed by the main table",
            f"rule {priority}: {words}, which has {way}",
            "answers of the host to its own pods, and to those of other nodes that are routed directly, leave for the "
            "network: pods do not reach their own host",
            "; ".join(f"ip rule add to {pool} lookup main priority {max(priority - 1, 1)}" for pool in pools)
            + ", where the other rule is set",
        )


RULES = (node, ranges, default_route, policy_routing)
