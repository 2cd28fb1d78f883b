# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network managers take what is ours on a machine, preflight names them, and what it mends keeps them from that.

systemd-networkd and NetworkManager are real. Debian has no nm-cloud-setup, so units of its names stand in for it.
"""

from __future__ import annotations

import shlex
import time

import pytest
from machines import Machines, unpack

from ansible_collections.podnet.calico.plugins.module_utils.preflight.judge import judge
from ansible_collections.podnet.calico.tests.tools import network_manager
from ansible_collections.podnet.calico.tests.tools.unpacked import Unavailable
from ansible_collections.podnet.calico.tests.unit.preflight.healthy import wanted

pytestmark = pytest.mark.nightly

NODE = "node1"
ROUTE = "203.0.113.0/24"
TUNNEL = "10.244.99.1/32"
WAITED = 20.0
UNITS = {
    "service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "timer": "[Timer]\nOnBootSec=5min\nOnUnitInactiveSec=5min\n[Install]\nWantedBy=timers.target\n",
}


@pytest.fixture(scope="module")
def host(machines: Machines) -> Machines:
    """Have one machine, on which nothing is deployed."""
    machines.stage.up(1, "VXLAN", options=("--kind", "vm"))
    return machines


def kinds(host: Machines) -> set[str]:
    """Return the kinds of findings about managers."""
    seen = host.stage.module(NODE, "calico_preflight_info", address="192.0.2.11", towards=[], networks=[])
    return {row["kind"] for row in judge({NODE: seen["facts"]}, wanted())["findings"] if row["tag"] == "managers"}


def await_line(host: Machines, command: str, line: str) -> None:
    """Wait until a command prints a line."""
    deadline = time.monotonic() + WAITED
    while line not in host.stage.lines(NODE, command):
        assert time.monotonic() < deadline, host.stage.ask(NODE, command)
        time.sleep(0.5)


def test_networkd_takes_routes_until_it_is_told(host: Machines) -> None:
    stage = host.stage
    route = f"ip route add {ROUTE} via 192.0.2.1 proto 98"
    stage.ask(NODE, route)
    assert "networkd-routes" in kinds(host)
    stage.ask(NODE, "systemctl restart systemd-networkd; networkctl reload")
    await_line(host, f"ip route show {ROUTE} | wc -l", "0")
    assert stage.module(NODE, "calico_preflight_fix", networkd=True, underlay=["eth0"])["changed"]
    stage.ask(NODE, route)
    stage.ask(NODE, "systemctl restart systemd-networkd; networkctl reload")
    await_line(host, "networkctl --no-legend list eth0 | awk '{print $4}'", "routable")
    assert stage.lines(NODE, f"ip route show {ROUTE} | wc -l") == ["1"]
    assert "networkd-routes" not in kinds(host)


def test_network_manager_takes_addresses_until_it_is_told(host: Machines) -> None:
    try:
        unpack(host.stage, NODE, network_manager.root())
    except Unavailable as error:
        pytest.skip(str(error))
    stage = host.stage
    address = f"ip addr replace {TUNNEL} dev tunl0"
    stage.ask(NODE, f"modprobe ipip; ip link set tunl0 up; {address}")
    stage.ask(NODE, "systemctl enable --now NetworkManager 2>&1")
    assert "nm-pods" in kinds(host)
    await_line(host, "ip -o -4 addr show tunl0 | wc -l", "0")
    assert stage.module(NODE, "calico_preflight_fix", network_manager=True)["changed"]
    stage.ask(NODE, f"{address}; systemctl restart NetworkManager")
    await_line(host, "nmcli -t -f DEVICE,STATE device", "tunl0:unmanaged")
    assert TUNNEL in stage.ask(NODE, "ip -o -4 addr show tunl0")
    assert "nm-pods" not in kinds(host)


@pytest.mark.parametrize("how", ["start", "enable"])
def test_nm_cloud_setup_is_named(host: Machines, how: str) -> None:
    for suffix, text in UNITS.items():
        path = f"/etc/systemd/system/nm-cloud-setup.{suffix}"
        host.stage.ask(NODE, f"printf %s {shlex.quote(text)} >{path}; systemctl daemon-reload")
    assert "nm-cloud-setup" not in kinds(host)
    host.stage.ask(NODE, f"systemctl {how} nm-cloud-setup.timer 2>&1")
    assert "nm-cloud-setup" in kinds(host)
    host.stage.ask(NODE, "systemctl disable --now nm-cloud-setup.timer 2>&1")
