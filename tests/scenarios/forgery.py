# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods and a stranger on the underlay forge in a lab, and what of it is delivered to a pod of another node."""

from __future__ import annotations

import ipaddress
import subprocess
import typing as t
from pathlib import Path

from stage import Stage

PROGRAM: t.Final = (Path(__file__).resolve().parents[1] / "tools" / "forged.py").read_text(encoding="utf-8")
PORT: t.Final = 7777
OUTSIDE: t.Final = "198.51.100.77"
ANY_MAC: t.Final = "66:00:00:00:00:99"


class End(t.NamedTuple):
    """A pod: its node, its network namespace there, and its address."""

    node: str
    netns: str
    address: str


def delivered(stage: Stage, sender: End, receiver: End, beside: str) -> list[str]:
    """Return what a pod's forged packets, and a stranger's, come to at another node's pod; honest ones end it.

    beside: the address of another pod on the sender's node. Raises AssertionError if the honest packet is lost.
    """
    receiving = stage.enter(receiver.node, *_program(receiver.netns, "listen", receiver.address, str(PORT)))
    with subprocess.Popen(receiving, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        try:
            _send(stage, sender, *_of_pod(stage, sender, receiver, beside))
            _send_as_stranger(stage, receiver)
            _send(stage, sender, f"udp,{sender.address},{receiver.address},{PORT},honest")
            found, __ = listener.communicate(timeout=60)
        finally:
            listener.kill()
    assert found.endswith("honest\n"), found
    return found.split()[:-1]


def _of_pod(stage: Stage, sender: End, receiver: End, beside: str) -> list[str]:
    inner = f"udp,{beside},{receiver.address},{PORT},forged"
    node, mac = underlay(stage, receiver.node), _mac(stage, receiver.node)
    sources = [f"udp,{source},{receiver.address},{PORT},forged" for source in (beside, OUTSIDE)]
    return [*sources, f"vxlan,{sender.address},{node},{mac}/{inner}", f"ipip,{sender.address},{node}/{inner}"]


def _send(stage: Stage, sender: End, *packets: str) -> None:
    command = stage.enter(sender.node, *_program(sender.netns, "send", "eth0", *packets))
    subprocess.run(command, check=True)


def _send_as_stranger(stage: Stage, receiver: End) -> None:
    """Send from the fabric, with an address that no node has."""
    node = underlay(stage, receiver.node)
    inner = f"udp,{receiver.address},{receiver.address},{PORT},forged"
    stranger = str(ipaddress.ip_address(node) + 77)
    packets = [f"vxlan,{stranger},{node},{_mac(stage, receiver.node)}/{inner}", f"ipip,{stranger},{node}/{inner}"]
    command = _program(stage.lab.fabric, "send", "", *packets)
    subprocess.run(command, check=True)


def _program(netns: str, *arguments: str) -> list[str]:
    return ["ip", "netns", "exec", netns, "python3", "-c", PROGRAM, *arguments]


def underlay(stage: Stage, node: str) -> str:
    """Return a node's address on the underlay."""
    return stage.ask(node, "ip -4 -o addr show dev eth0").split()[3].partition("/")[0]


def _mac(stage: Stage, node: str) -> str:
    """Return the MAC of a node's VXLAN device, or one of nobody where it has none."""
    return stage.run(node, "cat /sys/class/net/vxlan.calico/address").stdout.strip() or ANY_MAC
