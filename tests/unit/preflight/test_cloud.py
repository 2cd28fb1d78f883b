# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platforms of hosts do to a preflight: the finding cloud-mode, with and without a probe."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.filter.preflight import preflight_verdict
from ansible_collections.podnet.calico.tests.unit.preflight.healthy import hosts

EVIDENCE = "sys_vendor says so"
LOST = {"kind": "vxlan", "what": "VXLAN is lost", "pairs": ["node1 -> node2"], "remedy": "", "severity": "error"}
PASSED: dict[str, t.Any] = {"findings": [], "recommended": None}


def verdict(platform: str, mode: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the verdict on three healthy hosts of a platform; without one if it is empty."""
    found = {"platform": platform, "evidence": EVIDENCE, "confirmed": False, "metadata": None}
    hostvars = {
        name: {"preflight_seen": {"facts": facts}, **({"cloud_found": found} if platform else {})}
        for name, facts in hosts().items()
    }
    pool = {"name": "default", "cidr": "10.244.0.0/16", "encapsulation": mode}
    return preflight_verdict(hostvars, list(hostvars), [pool], **{"cloud": True, **given})


@pytest.mark.parametrize(
    ("platform", "mode", "given", "severity", "words"),
    [
        ("azure", "IPIP", {}, "error", "drops IP protocol 4"),
        ("azure", "IPIP", {}, "error", "Can work here: VXLAN"),
        ("azure", "IPIP", {"probe": PASSED}, "error", "cloud_ignore overrides this"),
        ("azure", "IPIP", {"cloud_ignore": ["azure/IPIP"]}, "warning", "drops IP protocol 4"),
        ("azure", "IPIP", {"ignore": ["cloud-mode"]}, "note", "(ignored)"),
        ("azure", "IPIP", {"ignore": "cloud-mode, udev-mac"}, "note", "(ignored)"),
        ("aws", "None", {}, "warning", "podnet.calico.cloud sets that, or has the commands"),
        (
            "aws",
            "None",
            {"probe": {"broken": "no route", "findings": []}},
            "warning",
            "check of source and destination",
        ),
        ("aws", "None", {"probe": PASSED}, "note", "The probe saw such packets pass"),
        ("aws", "VXLANCrossSubnet", {"probe": PASSED}, "note", "The probe saw such packets pass"),
        # A probe's packets go to a node's address and need no route to a pod's.
        ("azure", "None", {"probe": PASSED}, "warning", "the routes are yours"),
        ("azure", "VXLANCrossSubnet", {"probe": PASSED}, "warning", "need no routes to pods"),
        ("azure", "VXLAN", {"probe": PASSED}, "note", "The probe saw such packets pass"),
        ("google", "None", {"probe": PASSED}, "warning", "the VPC has a route to each block"),
        ("google", "VXLANCrossSubnet", {"probe": PASSED}, "note", "The probe saw such packets pass"),
        ("hetzner", "None", {"probe": PASSED}, "warning", "a route to each block of pods"),
        ("equinix", "None", {"probe": PASSED}, "warning", "announce their blocks"),
        ("digitalocean", "None", {"probe": PASSED}, "warning", "from and to pods' addresses"),
        ("openstack", "None", {"probe": PASSED}, "note", "The probe saw such packets pass"),
        ("aws", "VXLAN", {"probe": {**PASSED, "findings": [LOST]}}, "warning", "UDP 4789"),
        (
            "aws",
            "VXLAN",
            {"probe": {**PASSED, "findings": [{**LOST, "kind": "ipip"}]}},
            "note",
            "saw such packets pass",
        ),
        ("aws", "VXLAN", {"probe": {**PASSED, "findings": [{**LOST, "kind": "plain"}]}}, "warning", "UDP 4789"),
    ],
)
def test_a_mode_that_may_not_work_is_a_finding(
    platform: str, mode: str, given: dict[str, t.Any], severity: str, words: str
) -> None:
    found = verdict(platform, mode, **given)
    (row,) = [row for row in found["findings"] if row["kind"] == "cloud-mode"]
    assert row["severity"] == severity
    assert words in f"{row['what']} {row['why']} {row['remedy']}"
    assert row["evidence"] == dict.fromkeys(("node1", "node2", "node3"), EVIDENCE)
    assert found["ok"] is not any(each["severity"] == "error" for each in found["findings"])


@pytest.mark.parametrize("platform", ["metal", "unknown", ""])
def test_what_has_nothing_against_a_mode_is_none(platform: str) -> None:
    assert verdict(platform, "IPIP")["findings"] == []


def test_the_page_says_it_only_if_it_was_looked_at() -> None:
    assert "cloud or hypervisor" in " ".join(verdict("metal", "IPIP")["lines"])
    for found in (verdict("", "IPIP"), verdict("azure", "IPIP", cloud=False)):
        assert found["ok"]
        assert "cloud or hypervisor" not in " ".join(found["lines"])
