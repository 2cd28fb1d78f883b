# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes with both IP versions and a pod on each, which ping each other while modes change."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t

from pod_pings import POD, Pings, give_pods
from stage import Stage

# Hosts that check where packets come from as strictly as the kernel can, for which both directions have to agree.
STRICT: t.Final = "net.ipv4.conf.all.rp_filter"
QUICK: t.Final = ("-e", "calico_switch_wait=2")
Pods = t.Dict[int, t.Dict[str, str]]


def wish(stage: Stage, encapsulation: str) -> None:
    """Write an inventory of nodes with both IP versions and pools of both with an encapsulation."""

    def dual(group: dict[str, t.Any]) -> None:
        for index, name in enumerate(group["hosts"], start=1):
            group["hosts"][name]["calico_node_ipv6_address"] = f"2001:db8::1{index}"
        group["vars"]["calico_ip_pools"] = [
            {"name": "ipv4", "cidr": "10.244.0.0/16", "encapsulation": encapsulation},
            {"name": "ipv6", "cidr": "2001:db8:244::/48", "encapsulation": encapsulation},
        ]

    stage.changed_inventory(dual).replace(stage.inventory)


def deploy(stage: Stage, encapsulation: str) -> Pods:
    """Have two nodes with a network and a pod on each, and return the pods' addresses by IP version."""
    stage.fresh(2, encapsulation)
    wish(stage, encapsulation)
    for index, name in enumerate(stage.names, start=1):
        stage.ask(name, f"ip addr add 2001:db8::1{index}/64 dev eth0 nodad; sysctl -qw {STRICT}=1")
    stage.succeed("deploy")
    found: Pods = {4: {}, 6: {}}
    for name in stage.names:
        for version in found:
            block = re.findall(r"blackhole (\S+)", stage.ask(name, f"ip -{version} route"))[0]
            found[version][name] = str(ipaddress.ip_network(block)[2])
    give_pods(stage, {name: [addresses[name] for addresses in found.values()] for name in stage.names})
    return found


@contextlib.contextmanager
def nothing_lost(stage: Stage, pods: Pods) -> t.Iterator[None]:
    """Ping between the pods of all pairs of nodes by both IP versions, and fail if anything is lost."""
    with Pings(stage, pods[4]) as four, Pings(stage, pods[6]) as six:
        yield
    assert four.sent > 1000
    assert (four.lost, six.lost) == ({}, {})


def talk(stage: Stage, pods: Pods) -> bool:
    """Tell whether all pods answer each other."""
    pairs = [(name, address) for found in pods.values() for name in found for address in found.values()]
    return all(
        stage.run(name, f"ip netns exec {POD} ping -q -n -c 3 -i 0.05 -W 10 {address}").returncode == 0
        for name, address in pairs
    )


def devices(stage: Stage, node: str, pods: Pods) -> dict[str, str]:
    """Return by which devices a node sends to the pods of the others, by IP version and node."""
    return {
        f"{name} IPv{version}": re.findall(r"dev (\S+)", stage.ask(node, f"ip -{version} route get {address}"))[0]
        for version, found in pods.items()
        for name, address in found.items()
        if name != node
    }
