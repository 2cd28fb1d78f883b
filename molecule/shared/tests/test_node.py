# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every node has in every mode: its blocks, the runtime's configuration, the datastore on the first of them."""

from __future__ import annotations

import ipaddress
import json
import re

import yaml
from cluster import POOL, Node

HEADER = "# Managed by podnet.calico"


def test_every_node_has_one_block_of_its_own_in_the_pool(nodes: list[Node]) -> None:
    blocks = {node.block for node in nodes}
    assert len(blocks) == len(nodes)
    assert all(ipaddress.ip_network(block).subnet_of(ipaddress.ip_network(POOL)) for block in blocks)


def test_nodes_forward_packets_now_and_after_a_boot(nodes: list[Node]) -> None:
    for node in nodes:
        assert node.lines("cat /proc/sys/net/ipv4/ip_forward") == ["1"]
        assert "net.ipv4.ip_forward = 1" in node.lines("cat /etc/sysctl.d/90-podnet-calico.conf")


def test_routes_of_ours_have_a_name_for_people(nodes: list[Node]) -> None:
    for node in nodes:
        assert "98 podnet" in node.lines("cat /etc/iproute2/rt_protos.d/podnet-calico.conf")


def test_runtime_gets_addresses_of_the_own_block_and_the_right_mtu(nodes: list[Node], pod_mtu: int) -> None:
    for node in nodes:
        text = node.host.check_output("cat /etc/cni/net.d/10-podnet-calico.conflist")
        plugins = {plugin["type"]: plugin for plugin in json.loads(text)["plugins"]}
        assert list(plugins) == ["ptp", "portmap", "bandwidth"]
        assert plugins["ptp"]["mtu"] == pod_mtu
        assert plugins["ptp"]["ipam"]["ranges"] == [[{"subnet": node.block}]]


def test_what_pods_send_to_the_outside_is_masqueraded(nodes: list[Node]) -> None:
    for node in nodes:
        lines = node.lines("nft list table inet podnet_calico")
        rules = [line for line in lines if " masquerade " in line]
        assert rules[0].startswith("ip saddr @masquerade4 ip daddr != @pools4 masquerade fully-random")
        assert lines.count(f"elements = {{ {POOL} }}") == 2
        tunnels = re.findall(
            r"^\d+: (vxlan\.calico|tunl0)[@:].* alias podnet\.calico",
            node.host.check_output("ip -o link"),
            re.MULTILINE,
        )
        assert [rule.split()[1] for rule in rules[1:]] == [f'"{name}"' for name in tunnels]


def test_datastore_is_on_the_first_node_only_and_readable(nodes: list[Node]) -> None:
    folder = nodes[0].host.file("/etc/podnet-calico/datastore")
    assert folder.is_directory and folder.mode == 0o700
    assert not any(node.host.file("/etc/podnet-calico/datastore").exists for node in nodes[1:])
    kinds: dict[str, list[str]] = {}
    for path in nodes[0].lines("find /etc/podnet-calico/datastore -name '*.yaml'"):
        text = nodes[0].host.check_output(f"cat {path}")
        assert text.startswith(HEADER), path
        (document,) = yaml.safe_load_all(text)
        assert document["apiVersion"] == "projectcalico.org/v3"
        kinds.setdefault(document["kind"], []).append(document["metadata"]["name"])
    names = [node.name for node in nodes]
    assert sorted(kinds["Node"]) == names
    assert kinds["IPPool"] == ["default-ipv4-ippool"]
    assert sorted(kinds["IPAMBlock"]) == sorted(node.block.translate(str.maketrans("./", "--")) for node in nodes)
    assert len(kinds["BlockAffinity"]) == len(nodes)


def test_verification_left_no_probe_pod(nodes: list[Node]) -> None:
    for node in nodes:
        assert node.host.run("ip netns list").stdout == ""
        assert not [line for line in node.lines("ip -o link") if "cali" in line.split(":")[1] and "vxlan" not in line]
