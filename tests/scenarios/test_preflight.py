# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook preflight: healthy nodes, nodes that are broken on purpose, and what it mends; reset takes that back."""

from __future__ import annotations

import json
import typing as t

import pytest
from defects import surrounded
from stage import Played, Stage

# What is so of any lab: nothing but namespaces, whose kernel forwards nothing yet and whose clock is the machine's.
OF_ANY_LAB: t.Final = {"forwarding-off", "no-default-route", "clock-unsynchronised"}
STRICT: t.Final = "sysctl -qw net.ipv4.conf.all.rp_filter=1"
DROP: t.Final = (
    'nft add table inet wall; nft "add chain inet wall fw { type filter hook forward priority 0; policy drop; }"'
)

SHUT: t.Final = (
    'nft add table inet wall; nft "add chain inet wall in { type filter hook input priority 0; }";'
    " nft add rule inet wall in tcp dport 179 drop"
)


def preflight(stage: Stage, *arguments: str) -> tuple[dict[str, t.Any], Played]:
    """Run the playbook; return its verdict and what its tasks did."""
    report = stage.lab.files / "preflight.json"
    # Whatever machine the lab is on.
    place = ("-e", "cloud_platform=metal", "-e", f"calico_preflight_report={report}")
    played = stage.play("preflight", *place, *arguments)
    assert report.exists(), played.output
    verdict = t.cast("dict[str, t.Any]", json.loads(report.read_text()))
    report.unlink()
    return verdict, played


def kinds(verdict: dict[str, t.Any]) -> set[str]:
    """Return the kinds of findings, but for those of any lab."""
    return {row["kind"] for row in verdict["findings"]} - OF_ANY_LAB


def test_healthy_nodes_are_ready_and_stay_as_they_are(stage: Stage) -> None:
    stage.fresh(2, "VXLANCrossSubnet")
    verdict, played = preflight(stage)
    assert (kinds(verdict), played.status) == (set(), 0)
    assert verdict["lines"][-1] == "2 hosts: ready to deploy"
    assert len(verdict["lines"]) < 20
    assert [task for task in played.changed if not task.endswith("Write the verdict to a file")] == []
    assert played.module_calls()["node2"] == 5  # two that look, three of the probe


def test_what_deploy_would_refuse_is_an_error(stage: Stage) -> None:
    """Without encapsulation over two subnets: the hosts are healthy, and so is the network between them."""
    direct = '{"calico_ip_pools": [{"name": "main", "cidr": "10.244.0.0/16", "encapsulation": "None"}]}'
    verdict, played = preflight(stage, "-e", direct, "-e", "preflight_probe=false")
    assert (kinds(verdict), played.status) == ({"plan-refused"}, 2)
    assert "are in different subnets" in verdict["failure"]


def test_the_port_of_bgp_is_needed_for_a_peer_whatever_the_mode_is(stage: Stage) -> None:
    stage.ask("node2", SHUT)
    peers = '{"calico_bgp_peers": [{"name": "tor", "peer_ip": "192.0.2.254", "as_number": 64513}]}'
    assert "probe-tcp" in kinds(preflight(stage, "-e", peers)[0])
    stage.ask("node2", "nft delete table inet wall")


def test_what_is_broken_is_named_and_mended(stage: Stage) -> None:
    stage.ask("node2", STRICT)
    stage.ask("node2", DROP)
    verdict, played = preflight(stage)
    assert played.status != 0
    assert {"rp-filter-strict", "forward-dropped"} <= kinds(verdict)
    assert verdict["lines"][0] == "ERROR  node2 (of 2): nftables drops what is forwarded to pods"
    assert "[forward-dropped]" in verdict["lines"][1]
    assert any("node2 (of 2): nftables drops what is forwarded to pods" in text for text in played.failures)

    stage.ask("node2", "nft delete table inet wall")
    one = '{"preflight_fix": ["rp-filter-strict"], "preflight_probe": false}'
    assert "rp-filter-strict" not in kinds(preflight(stage, "-e", one)[0])
    assert stage.ask("node2", "cat /proc/sys/net/ipv4/ip_forward") == "0\n"
    stage.ask("node2", "sysctl -qw net.ipv4.conf.eth0.rp_filter=0")
    mended, played = preflight(stage, "--tags", "fix", "-e", "preflight_probe=false")
    assert (kinds(mended), played.status) == (set(), 0)
    assert "node2: podnet.calico.preflight : Mend the host" in played.changed
    assert stage.ask("node2", "cat /proc/sys/net/ipv4/conf/eth0/rp_filter").strip() == "2"
    __, again = preflight(stage, "-e", "preflight_fix=true", "-e", "preflight_probe=false")
    assert [task for task in again.changed if not task.endswith("Write the verdict to a file")] == []


def test_kinds_that_there_are_not_are_refused_before_anything_is_looked_at(stage: Stage) -> None:
    played = stage.play("preflight", "-e", '{"preflight_ignore": ["machine-id-twise"]}')
    assert played.status != 0
    assert any('"machine-id-twise" is no kind of finding. Do you mean machine-id-twice?' in x for x in played.failures)
    assert played.module_calls() == {}


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("fabric", "named"), [("firewalld", {"input-dropped"}), ("strict-rp_filter", {"rp-filter-strict"})]
)
def test_hosts_of_fabrics_are_named(stage: Stage, fabric: str, named: set[str]) -> None:
    surrounded(stage, 2, fabric, "VXLANCrossSubnet")
    verdict, __ = preflight(stage)
    assert named <= kinds(verdict), verdict["lines"]
