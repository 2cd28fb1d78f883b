# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The router between the subnets as a BGP speaker: it learns the nodes' blocks and tells nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import commands
import fabric
import nodes
from settings import Lab, LabError, Shape

AS_NUMBER: t.Final = 64999
# The label by which the BGP peers of the inventory select the nodes of a subnet.
LABEL: t.Final = "subnet"
START_SECONDS: t.Final = 15.0
# Any node of a subnet may connect; without blocks of pods there is nothing to be learned from one.
CONFIGURATION: t.Final = """\
# Written by the lab.
router id {router_id};
protocol device {{
}}
protocol direct {{
    ipv4;
    interface "br*";
}}
protocol kernel {{
    ipv4 {{
        import none;
        export where source = RTS_BGP;
    }};
}}
template bgp nodes {{
    local as {as_number};
    passive;
    ipv4 {{
        import where net ~ [ {pods}+ ];
        export none;
    }};
}}
"""
NEIGHBOURS: t.Final = """\
protocol bgp from nodes {{
    neighbor range {network} external;
    dynamic name "subnet{number}_";
    source address {address};
}}
"""


def start(lab: Lab, shape: Shape, pods: str) -> None:
    """Start BIRD in the fabric; it accepts blocks within `pods` (CIDR) from all nodes. Raises LabError."""
    place = _folder(lab)
    place.mkdir()
    (place / "bird.conf").write_text(_configuration(shape, pods))
    files = ["-c", str(place / "bird.conf"), "-s", str(place / "bird.ctl")]
    with (place / "bird.log").open("wb") as log:
        daemon = subprocess.Popen(
            ["ip", "netns", "exec", lab.fabric, "bird", "-f", *files],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = nodes.started(daemon.pid)
    (place / "pid").write_text(f"{daemon.pid} {started}")
    deadline = time.monotonic() + START_SECONDS
    while not commands.succeeds("birdc", "-s", str(place / "bird.ctl"), "show", "status"):
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"The router's BIRD does not start: {(place / 'bird.log').read_text().strip()}")
        time.sleep(0.05)


def is_alive(lab: Lab) -> bool:
    """Tell whether the router's BIRD runs."""
    daemon = nodes.read_record(_folder(lab) / "pid")
    return daemon is not None and daemon.is_alive()


def stop(lab: Lab) -> None:
    """End the router's BIRD, if there is one. Raises LabError when it does not end."""
    daemon = nodes.read_record(_folder(lab) / "pid")
    if daemon and daemon.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon.pid, signal.SIGKILL)
        nodes.await_end([daemon])


def peers(shape: Shape) -> list[str]:
    """Return the lines of calico_bgp_peers that make the nodes of each subnet talk to the router."""
    lines = ["calico_bgp_peers:"]
    for number in range(shape.subnets):
        lines.append(f"  - name: router-{number}")
        lines.append(f"    peer_ip: {fabric.router_address(number).ip}")
        lines.append(f"    as_number: {AS_NUMBER}")
        lines.append(f"    node_selector: {LABEL} == '{number}'")
    return lines


def _folder(lab: Lab) -> Path:
    return lab.run_dir / "router"


def _configuration(shape: Shape, pods: str) -> str:
    text = CONFIGURATION.format(router_id=fabric.router_address(0).ip, as_number=AS_NUMBER, pods=pods)
    for number in range(shape.subnets):
        address = fabric.router_address(number)
        text += NEIGHBOURS.format(network=address.network, number=number, address=address.ip)
    return text
