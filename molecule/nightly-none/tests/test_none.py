# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No encapsulation: BIRD exchanges the blocks, and packets travel as they are."""

from __future__ import annotations

import re

from cluster import Node, others


def test_routes_are_direct_and_birds(nodes: list[Node]) -> None:
    for node in nodes:
        through = [f"{peer.block} via {peer.address} dev eth0 proto bird metric 32" for peer in others(node, nodes)]
        assert node.pod_routes() == sorted([f"blackhole {node.block} proto bird metric 32", *through])


def test_every_session_is_established(nodes: list[Node]) -> None:
    for node in nodes:
        lines = [line for line in node.lines("birdc show protocols") if " BGP " in line]
        assert len(lines) == len(nodes) - 1
        assert all(line.endswith("Established") for line in lines)
        peers = re.findall(r"Neighbor address: (\S+)", node.host.check_output("birdc show protocols all"))
        assert sorted(peers) == sorted(peer.address for peer in others(node, nodes))


def test_bird_accepts_its_configuration_and_starts_with_the_machine(nodes: list[Node]) -> None:
    for node in nodes:
        assert node.host.run("bird -p -c /etc/bird/podnet-calico.conf").rc == 0
        assert node.host.service("bird").is_running
        assert node.host.service("bird").is_enabled


def test_there_is_no_tunnel(nodes: list[Node]) -> None:
    for node in nodes:
        assert node.host.check_output("ip -o link show type vxlan") == ""
