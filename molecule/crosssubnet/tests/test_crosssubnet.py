# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN between subnets, direct routes within them."""

from __future__ import annotations

import shlex
import time

from cluster import REFUSED, Node, check_tunnel, expected_tunnel_entries, others, tunnel_entries
from settings import CHECKOUT


def test_nodes_are_in_two_subnets(nodes: list[Node]) -> None:
    assert [sum(peer.interface.network == node.interface.network for peer in nodes) for node in nodes] == [2, 1, 2]


def test_routes_are_direct_within_the_subnet_and_tunnelled_beyond(nodes: list[Node]) -> None:
    for node in nodes:
        wanted = [f"blackhole {node.block} proto podnet", REFUSED]
        for peer in others(node, nodes):
            near = peer.interface.network == node.interface.network
            path = f"via {peer.address} dev eth0" if near else f"via {peer.vtep} dev vxlan.calico"
            wanted.append(f"{peer.block} {path} proto podnet onlink")
        assert node.pod_routes() == sorted(wanted)


def test_forwarding_entries_and_neighbours_are_permanent_and_complete(nodes: list[Node]) -> None:
    for node in nodes:
        assert tunnel_entries(node) == expected_tunnel_entries(node, nodes)


def test_tunnel_is_the_one_that_calico_makes(nodes: list[Node]) -> None:
    for node in nodes:
        check_tunnel(node)


def test_a_stranger_with_packets_of_the_tunnel_is_not_heard(nodes: list[Node]) -> None:
    """Node1 is trusted by its address alone: with another one, what it sends is a stranger's."""
    program = shlex.quote((CHECKOUT / "tests" / "tools" / "forged.py").read_text(encoding="utf-8"))
    sender, receiver = nodes[0], nodes[1]
    assert sender.interface.network != receiver.interface.network
    listen = f"python3 -c {program} listen {receiver.vtep} 7777"
    receiver.host.check_output(f"timeout 60 {listen} >/run/heard 2>&1 & until grep -q listening /run/heard; do :; done")
    stranger = str(sender.interface.network[77])
    for source, word in ((stranger, "forged"), (sender.address, "honest")):
        inner = f"udp,{sender.vtep},{receiver.vtep},7777,{word}"
        packet = f"vxlan,{source},{receiver.address},{receiver.mac}/{inner}"
        sender.host.check_output(f"python3 -c {program} send '' {packet}")
    heard = ""
    while "honest" not in heard and receiver.host.run("pgrep -f 'listen .* 7777'").rc == 0:
        time.sleep(0.1)
        heard = receiver.host.check_output("cat /run/heard")
    receiver.host.check_output("rm /run/heard")
    assert heard.split() == ["listening", "honest"]


def test_bird_does_not_run(nodes: list[Node]) -> None:
    assert not any(node.host.service("bird").is_running for node in nodes)
