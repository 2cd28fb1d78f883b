# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "bgp": their ids, which stay as they are, and their goals."""

from __future__ import annotations

from ansible_collections.podnet.calico.tests.benchmarks import bgp_converge, bgp_loss, bgp_plan
from ansible_collections.podnet.calico.tests.benchmarks.case import Case

NONE = "<= 0"

CASES = (
    Case(
        "sessions of 1,000 and 2,000 nodes",
        {"bgp.plan_1000_nodes_s": "< 5", "bgp.plan_growth_2000_vs_1000": "<= 2.3"},
        bgp_plan.planned,
        runs=9,
    ),
    Case("a full mesh of 1,000 nodes", {"bgp.plan_mesh_1000_s": None}, bgp_plan.full_mesh, runs=3),
    Case(
        "convergence of 50, 100 and 200 nodes",
        {
            "bgp.converge_mesh_50_s": None,
            "bgp.converge_mesh_100_s": None,
            "bgp.converge_rr_50_s": None,
            "bgp.converge_rr_100_s": None,
            "bgp.converge_rr_200_s": None,
            "bgp.converge_mesh_vs_rr_100": None,
            "bgp.converge_rr_100_vs_50": None,
            "bgp.converge_rr_200_vs_100": None,
            "bgp.pss_mesh_100_mib": None,
            "bgp.pss_rr_100_mib": None,
        },
        bgp_converge.converge,
    ),
    Case("a peer added", {"bgp.lost_peer_added": NONE}, bgp_loss.peer_added, runs=3),
    Case(
        "mesh to reflectors and back",
        {"bgp.lost_mesh_to_rr": NONE, "bgp.lost_rr_to_mesh": NONE, "bgp.lost_mesh_to_rr_no_standby": None},
        bgp_loss.reflectors,
        runs=3,
    ),
    Case("BIRD restarted", {"bgp.lost_restart": NONE, "bgp.lost_restart_plain": None}, bgp_loss.restarted, runs=3),
    Case("BIRD 3 restarted", {"bgp.lost_restart_bird3": NONE}, bgp_loss.restarted_bird3, runs=3),
    Case(
        "a tunnel down and up with BIRD 3",
        {"bgp.lost_tunnel_flap_bird3": NONE, "bgp.open_tunnel_flap_bird3": NONE},
        bgp_loss.tunnel_flaps_bird3,
        runs=3,
    ),
    Case("a node added", {"bgp.lost_node_added": NONE}, bgp_loss.node_added, runs=3),
)
