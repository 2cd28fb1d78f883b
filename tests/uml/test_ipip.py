# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab with IPIP, deployed and verified by the collection's playbooks under a kernel that has IPIP."""

from __future__ import annotations

import ipaddress
import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
import uml

NODES: t.Final = {f"node{number}": f"192.0.2.{10 + number}" for number in (1, 2)}
PODS: t.Final = ipaddress.IPv4Network("10.244.0.0/16")
PACKET: t.Final = re.compile(r"IP (\S+) > (\S+): IP (\S+) > (\S+): ICMP echo (request|reply)")
SCRIPT: t.Final = "tests/uml/ipip-lab.sh"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the lab in one guest and return the folder of what it found."""
    share = tmp_path_factory.mktemp("ipip")
    status = uml.run(uml.Guest((SCRIPT,), share=share), sys.stdout.buffer)
    assert status == 0, f"the lab failed with status {status}; its logs are in {share}"
    return share


def load(path: Path) -> t.Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_pair_of_nodes_answered_over_ipip(results: Path) -> None:
    report = load(results / "verify.json")
    assert report["ok"]
    found = {(pair["source"], pair["target"]) for pair in report["pairs"]}
    assert found == {(source, target) for source in NODES for target in NODES if source != target}
    assert {pair["encapsulation"] for pair in report["pairs"]} == {"IPIP"}
    assert all(pair["received"] == pair["sent"] > 0 for pair in report["pairs"])


def test_blocks_of_other_nodes_are_routed_through_the_tunnel(results: Path) -> None:
    routes = [route for route in load(results / "routes.json") if route.get("dev") == "tunl0" and "gateway" in route]
    assert {route["gateway"] for route in routes} == set(NODES.values()) - {NODES["node1"]}
    assert all("onlink" in route["flags"] for route in routes)
    assert all(ipaddress.IPv4Network(route["dst"]).subnet_of(PODS) for route in routes)


def test_the_tunnel_is_an_ipip_device_that_is_up(results: Path) -> None:
    (link,) = load(results / "link.json")
    assert link["linkinfo"]["info_kind"] == "ipip"
    assert "UP" in link["flags"]
    assert link["mtu"] == 1480


def test_the_fabric_carries_pod_packets_inside_ip_protocol_4(results: Path) -> None:
    packets = PACKET.findall((results / "capture.txt").read_text(encoding="utf-8"))
    outer = {(source, target) for source, target, *_inner in packets}
    assert outer == {(source, target) for source in NODES.values() for target in NODES.values() if source != target}
    inner = {address for _source, _target, *ends, _kind in packets for address in ends}
    assert all(ipaddress.IPv4Address(address) in PODS for address in inner)
    assert len(inner) >= len(NODES)
