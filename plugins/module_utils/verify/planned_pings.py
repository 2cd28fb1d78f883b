# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What calico_ping pings of a node's plan; pure."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import host_prefix
from ansible_collections.podnet.calico.plugins.module_utils.verify import host_pings

PARTS = ("node", "device", "nat", "nodes", "probes")
"""The parts of a NodePlan that are used."""

KINDS = ("pods", "pods_and_hosts", "trial")

Target = t.Dict[str, t.Any]


def targets_of(plan: t.Mapping[str, t.Any], kind: str) -> list[Target]:
    """Return the probe pods of the other nodes of a run, with what is between pods and hosts, or those on trial."""
    pods = [pod for probe in plan["probes"] for pod in probe["targets"] if pod["name"] in plan["nodes"]]
    if kind == "trial":
        tried = set(plan["transition"]["trial"])
        return [pod for pod in pods if host_prefix(ipaddress.ip_address(pod["address"])) in tried]
    return pods if kind == "pods" else [*pods, *host_pings.targets(plan, plan["nodes"])]
