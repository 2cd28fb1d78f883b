# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN between all nodes: the listings of ip and bridge as on a host of Calico."""

from __future__ import annotations

from cluster import REFUSED, Node, check_tunnel, expected_tunnel_entries, others, tunnel_entries


def test_routes_lead_through_the_tunnel_and_the_own_block_ends_here(nodes: list[Node]) -> None:
    for node in nodes:
        through = [f"{peer.block} via {peer.vtep} dev vxlan.calico proto podnet onlink" for peer in others(node, nodes)]
        assert node.pod_routes() == sorted([f"blackhole {node.block} proto podnet", REFUSED, *through])


def test_forwarding_entries_and_neighbours_are_permanent_and_complete(nodes: list[Node]) -> None:
    for node in nodes:
        assert tunnel_entries(node) == expected_tunnel_entries(node, nodes)


def test_tunnel_is_the_one_that_calico_makes(nodes: list[Node]) -> None:
    for node in nodes:
        check_tunnel(node)


def test_bird_does_not_run(nodes: list[Node]) -> None:
    assert not any(node.host.service("bird").is_running for node in nodes)
