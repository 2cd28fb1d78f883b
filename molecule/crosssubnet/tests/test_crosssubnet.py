# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN between subnets, direct routes within them."""

from __future__ import annotations

from cluster import Node, check_tunnel, expected_tunnel_entries, others, tunnel_entries


def test_nodes_are_in_two_subnets(nodes: list[Node]) -> None:
    assert [sum(peer.interface.network == node.interface.network for peer in nodes) for node in nodes] == [2, 1, 2]


def test_routes_are_direct_within_the_subnet_and_tunnelled_beyond(nodes: list[Node]) -> None:
    for node in nodes:
        wanted = [f"blackhole {node.block} proto podnet"]
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


def test_bird_does_not_run(nodes: list[Node]) -> None:
    assert not any(node.host.service("bird").is_running for node in nodes)
