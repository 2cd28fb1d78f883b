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

# Nodes by lab: with one subnet, and with the second node in another one.
LABS: t.Final = {
    "IPIP": {"node1": "192.0.2.11", "node2": "192.0.2.12"},
    "IPIPCrossSubnet": {"node1": "192.0.2.11", "node2": "198.51.100.12", "node3": "192.0.2.13"},
}
POD_ADDRESSES: t.Final = ipaddress.IPv4Network("10.244.0.0/16")
PACKET: t.Final = re.compile(r"IP (\S+) > (\S+): IP (\S+) > (\S+): ICMP echo (request|reply)")
SCRIPT: t.Final = "tests/uml/ipip-lab.sh"


class Results(t.NamedTuple):
    """What a lab found: the folder of its files, its nodes, and the pairs of nodes between which a tunnel leads."""

    folder: Path
    nodes: dict[str, str]
    tunnelled: set[tuple[str, str]]


@pytest.fixture(scope="module", params=LABS)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Run a lab in one guest."""
    nodes = LABS[request.param]
    share = tmp_path_factory.mktemp("ipip")
    status = uml.run(uml.Guest((SCRIPT, str(len(nodes)), request.param), share=share), sys.stdout.buffer)
    assert status == 0, f"the lab failed with status {status}; its logs are in {share}"
    always = request.param == "IPIP"
    apart = {(a, b) for a in nodes for b in nodes if a != b and (always or subnet(nodes[a]) != subnet(nodes[b]))}
    return Results(share, nodes, apart)


def subnet(address: str) -> str:
    """Return what the addresses of a subnet of the lab have in common."""
    return address.rpartition(".")[0]


def load(path: Path) -> t.Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_pair_of_nodes_answered_and_only_the_far_ones_over_ipip(results: Results) -> None:
    report = load(results.folder / "verify.json")
    assert report["ok"]
    found = {(pair["source"], pair["target"]): pair["encapsulation"] for pair in report["pairs"]}
    wanted = {(a, b): "IPIP" if (a, b) in results.tunnelled else "None" for a in results.nodes for b in results.nodes}
    assert found == {pair: kind for pair, kind in wanted.items() if pair[0] != pair[1]}
    assert all(pair["received"] == pair["sent"] > 0 for pair in report["pairs"])


def test_blocks_of_far_nodes_are_routed_through_the_tunnel(results: Results) -> None:
    routes = [route for route in load(results.folder / "routes.json") if route["dst"].startswith("10.244.")]
    tunnel = {route["gateway"] for route in routes if route.get("dev") == "tunl0" and "onlink" in route["flags"]}
    direct = {route["gateway"] for route in routes if route.get("dev") == "eth0"}
    far = {results.nodes[target] for source, target in results.tunnelled if source == "node1"}
    assert tunnel == far
    assert direct == set(results.nodes.values()) - far - {results.nodes["node1"]}
    assert {route["protocol"] for route in routes} == {"bird"}


def test_the_tunnel_is_an_ipip_device_that_is_up(results: Results) -> None:
    (link,) = load(results.folder / "link.json")
    assert link["linkinfo"]["info_kind"] == "ipip"
    assert "UP" in link["flags"]
    assert link["mtu"] == 1480


def test_the_fabric_carries_pod_packets_inside_ip_protocol_4(results: Results) -> None:
    packets = PACKET.findall((results.folder / "capture.txt").read_text(encoding="utf-8"))
    outer = {(source, target) for source, target, *_inner in packets}
    assert outer == {(results.nodes[source], results.nodes[target]) for source, target in results.tunnelled}
    inner = {address for _source, _target, *ends, _kind in packets for address in ends}
    assert len(inner) == len(results.nodes)
    assert all(ipaddress.IPv4Address(address) in POD_ADDRESSES for address in inner)
