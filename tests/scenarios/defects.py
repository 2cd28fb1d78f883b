# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe has to say of each fabric of the lab whose nodes are in two subnets."""

from __future__ import annotations

import json
import typing as t

if t.TYPE_CHECKING:
    from stage import Stage

DEFECTS: t.Final = {
    "aws": "a packet whose source is a pod's address is lost between all nodes",
    "azure": "IP protocol 4 is lost between all nodes",
    "firewalld": "VXLAN (UDP 4789) arrives at node1, but its own firewall or rp_filter drops it",
    "mtu1400": "passes up to 1400 bytes only between all nodes; the interfaces say 1500",
    "openstack": "a packet whose source is a pod's address is lost between all nodes",
    "strict-rp_filter": "a packet whose source is a pod's address arrives at node1, but its own firewall or rp_filter",
    "vmware": "VXLAN (UDP 4789) is lost between all nodes",
}


def surrounded(
    stage: Stage, nodes: int, fabric: str, encapsulation: str, subnets: int = 2, kind: str = "netns"
) -> None:
    """Give the lab that runs another fabric and encapsulation, or start it."""
    options = ["--subnets", str(subnets), "--fabric", fabric, "--kind", kind]
    stage.up(nodes, encapsulation, options=options)


def probe(stage: Stage, *arguments: str, encapsulations: t.Sequence[str] = ()) -> tuple[dict[str, t.Any], int]:
    """Run the playbook probe; return its verdict and its exit status.

    encapsulations: those of pools, if not the lab's one; a probe needs no kernel that has them.
    """
    if encapsulations:
        pools = [
            {"name": f"wanted{number}", "cidr": f"10.{number}.0.0/16", "encapsulation": encapsulation}
            for number, encapsulation in enumerate(encapsulations, start=244)
        ]
        arguments = (*arguments, "-e", json.dumps({"probe_pools": pools}))
    report = stage.lab.files / "probe.json"
    played = stage.play("probe", "-e", f"calico_probe_report={report}", *arguments)
    assert report.exists(), played.output
    verdict = t.cast("dict[str, t.Any]", json.loads(report.read_text()))
    report.unlink()
    return verdict, played.status


def names_defect(verdict: dict[str, t.Any], fabric: str) -> bool:
    """Tell whether a verdict names what is wrong with a fabric."""
    return any(DEFECTS[fabric] in finding["what"] for finding in verdict["findings"])
