# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod that calico_veth connects: what it sees, and what the host does for it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from cluster import Node, others
from settings import CHECKOUT, current_lab

POD: t.Final = "demo.web-0"
INTERFACE: t.Final = "cali50aeaf5a85d"

# Broadcasts an ARP request (RFC 826) for the pods' gateway and prints the MAC in the answer. The entry that the pod has
# is not asked, nor is anything but the host on the other end of the pair.
ARP: t.Final = r"""
import socket
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
sender.bind(("eth0", 0))
sender.settimeout(5)
mac, address = sender.getsockname()[4], socket.inet_aton("@ADDRESS@")
head = bytes.fromhex("0001080006040001")
sender.send(b"\xff" * 6 + mac + b"\x08\x06" + head + mac + address + bytes(6) + socket.inet_aton("169.254.1.1"))
while True:
    frame = sender.recv(60)
    if frame[20:22] == b"\x00\x02":
        print(frame[22:28].hex(":"))
        break
"""


def ask(node: Node, module: str, **options: t.Any) -> dict[str, t.Any]:
    """Run a module of the collection on a node and return its result; it has to succeed."""
    program = Path(sys.executable).parent / "ansible"
    command = [str(program), "-i", str(current_lab().files / "inventory.yml"), node.name]
    command += ["-m", f"podnet.calico.{module}", "-a", json.dumps(options)]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    answer = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return dict(json.loads(answer.stdout.partition("=> ")[2]))


@pytest.fixture(scope="module")
def address(nodes: list[Node], pod_mtu: int) -> t.Iterator[str]:
    """Have a pod on node1, and return its address."""
    first, _, last = nodes[0].vtep.rpartition(".")
    pod_address = f"{first}.{int(last) + 5}"
    endpoint = {"name": POD, "addresses": [pod_address], "mtu": pod_mtu}
    made = ask(nodes[0], "calico_veth", endpoints=[endpoint])
    assert made["changed"]
    assert made["endpoints"] == [{"name": POD, "host_interface": INTERFACE}]
    yield pod_address
    assert ask(nodes[0], "calico_veth", endpoints=[endpoint], state="absent")["changed"]
    assert INTERFACE not in nodes[0].host.check_output("ip -o link")


def test_default_route_of_the_pod_leads_through_the_link_local_gateway(nodes: list[Node], address: str) -> None:
    routes = nodes[0].lines(f"ip -n {POD} route")
    assert routes == ["default via 169.254.1.1 dev eth0", "169.254.1.1 dev eth0 scope link"]
    assert f"inet {address}/32 scope global eth0" in nodes[0].host.check_output(f"ip -n {POD} -o -4 addr show eth0")


def test_host_has_calicos_end_of_the_pair(nodes: list[Node], address: str, pod_mtu: int) -> None:
    link = nodes[0].host.check_output(f"ip link show {INTERFACE}")
    assert "link/ether ee:ee:ee:ee:ee:ee" in link
    assert f"mtu {pod_mtu} " in link
    assert nodes[0].lines(f"cat /proc/sys/net/ipv4/conf/{INTERFACE}/proxy_arp") == ["1"]
    assert nodes[0].lines(f"ip route show {address}") == [f"{address} dev {INTERFACE} proto podnet scope link"]


def test_host_answers_arp_for_the_gateway(nodes: list[Node], address: str) -> None:
    script = shlex.quote(ARP.replace("@ADDRESS@", address))
    assert nodes[0].lines(f"ip netns exec {POD} python3 -c {script}") == ["ee:ee:ee:ee:ee:ee"]


def test_every_node_reaches_the_pod(nodes: list[Node], address: str) -> None:
    for node in others(nodes[0], nodes):
        assert " 0% packet loss" in node.host.check_output(f"ping -c 2 -i 0.2 -W 2 {address}")


def test_pod_reaches_the_router_which_knows_no_way_to_pods(nodes: list[Node], address: str) -> None:
    router = nodes[0].interface.network[254]
    assert " 0% packet loss" in nodes[0].host.check_output(f"ip netns exec {POD} ping -c 2 -i 0.2 -W 2 {router}")
