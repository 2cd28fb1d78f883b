# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one pool to another while pods of the old one live: nothing is lost, and nothing is left when they have gone."""

from __future__ import annotations

import ipaddress
import re
import typing as t

import pytest
from cni_runtime import Container
from pod_pings import POD, Pings
from snapshot import differences, take
from stage import Stage

pytestmark = pytest.mark.nightly

OLD, NEW = "10.244.0.0/16", "10.245.0.0/16"
Group = t.Dict[str, t.Any]


def pools(*rows: dict[str, t.Any]) -> t.Callable[[Group], None]:
    """Return a change of the inventory that replaces its pools."""

    def change(group: Group) -> None:
        group["vars"]["calico_ip_pools"] = list(rows)

    return change


def is_in(address: str, cidr: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def container_address(container: Container) -> str:
    """Run ADD and return the address that it gave, without prefix length."""
    return str(container.add()["ips"][0]["address"]).partition("/")[0]


def answers(stage: Stage, node: str, netns: str, address: str) -> bool:
    command = f"ip netns exec {netns} ping -c 3 -i 0.2 -W 10 {address}"
    return " 0% packet loss" in stage.run(node, command).stdout


@pytest.mark.parametrize(("encapsulation", "size"), [("VXLAN", 28), ("None", 26)])
def test_pods_move_to_a_new_pool_one_by_one(stage: Stage, encapsulation: str, size: int) -> None:
    stage.deployed(2)
    old = {"name": "default-ipv4-ippool", "cidr": OLD, "block_size": 26, "encapsulation": "VXLAN", "nat_outgoing": True}
    new = {**old, "name": "next", "cidr": NEW, "block_size": size, "encapsulation": encapsulation}
    # Two old pods, one of the container runtime, one of calico_veth.
    box = Container(stage, "node1", POD)
    box.start()
    block = re.findall(r"blackhole (\S+)", stage.ask("node2", "ip route"))[0]
    pods = {"node1": container_address(box), "node2": str(ipaddress.ip_network(block)[1])}
    stage.module("node2", "calico_veth", endpoints=[{"name": POD, "addresses": [pods["node2"]]}])

    refused = stage.play("migrate_pool", "-e", "calico_pool=default-ipv4-ippool")
    assert refused.status != 0
    assert "the inventory has it, enabled. Set disabled: true on it" in refused.output

    both = stage.changed_inventory(pools({**old, "disabled": True}, new))
    with Pings(stage, pods) as through_deploy:
        stage.succeed("deploy", inventory=both)
    assert through_deploy.lost == {}

    fresh = [Container(stage, name, "new.pod") for name in stage.names]
    for container in fresh:
        container.start()
    addresses = [container_address(container) for container in fresh]
    assert all(is_in(address, NEW) for address in addresses)
    assert answers(stage, "node1", POD, addresses[1])
    assert answers(stage, "node2", "new.pod", pods["node1"])
    assert answers(stage, "node1", "new.pod", addresses[1])

    before = take(stage)
    waiting = stage.play("migrate_pool", "-e", "calico_pool=default-ipv4-ippool", inventory=both)
    assert waiting.status != 0
    assert f"node1: {pods['node1']} container {POD}" in waiting.output
    assert f"node2: {pods['node2']} {POD} (cali" in waiting.output
    assert (waiting.changed, differences(before, take(stage))) == ([], [])

    box.delete()  # with the network's new description
    assert stage.run("node1", f"test -e /run/podnet-calico/cni/podnet-calico/{pods['node1']}").returncode
    stage.module("node2", "calico_veth", endpoints=[], exclusive=True)
    with Pings(stage, dict(zip(stage.names, addresses)), "new.pod") as through_end:
        stage.succeed("migrate_pool", "-e", "calico_pool=default-ipv4-ippool", inventory=both)
    assert through_end.lost == {}
    files = "cat /etc/cni/net.d/* /etc/bird/* 2>/dev/null; true"
    places = f"ip route show table all; nft list ruleset; ip neigh show nud permanent; {files}"
    everything = [line for name in stage.names for line in stage.lines(name, places)]
    everything += stage.lines("node1", "find /etc/podnet-calico/datastore -type f -exec cat {} +")
    assert [line for line in everything if "10.244." in line] == []
    assert [line for line in everything if "10.245." in line] != []

    after = stage.changed_inventory(pools(new))
    assert stage.succeed("deploy", inventory=after).changed == []

    block = re.findall(r"blackhole (\S+)", stage.ask("node1", "ip route"))[0]
    stage.module("node1", "calico_ippool", name="next", state="absent")
    bare = stage.changed_inventory(pools({**new, "name": "far", "cidr": "10.246.0.0/16"}))
    cut = stage.play("deploy", inventory=bare)
    assert f'block {block} of node "node1" is in no IPPool: pods in it would be cut off' in cut.output
    assert cut.changed == []
    assert answers(stage, "node1", "new.pod", addresses[1])
