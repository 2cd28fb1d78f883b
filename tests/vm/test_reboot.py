# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines come back with their pod network without Ansible: after reboots, power cuts, and restarts of networkd, also
through firewalls that have to let it pass.

One lab for all tests, which build on each other. systemd-networkd sets the underlay up.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import time
import typing as t

import pod_unit
import pytest
from machines import Machines
from pod_pings import Pings
from pod_unit import POD
from stage import AGREEMENT
from walls import WALLS, Wall

from ansible_collections.podnet.calico.tests.tools.unpacked import Unavailable

pytestmark = pytest.mark.nightly

# Fails if systemd-networkd takes an address away on the way.
RESTART = """ip monitor address >/run/addresses & sleep 0.3
systemctl restart systemd-networkd; networkctl reload; sleep 1; kill $!
! grep Deleted /run/addresses"""
BOOTED_SECONDS = 60.0
Record = t.Callable[[str, object], None]


def answered(machines: Machines, pods: t.Mapping[str, str]) -> None:
    """Wait until each pod has had an answer of each other one."""
    deadline = time.monotonic() + BOOTED_SECONDS
    for source, target in itertools.permutations(pods, 2):
        ping = f"ip netns exec {POD} ping -c 1 -W 1 {pods[target]}"
        while machines.stage.run(source, ping).returncode:
            assert time.monotonic() < deadline, f"{source} does not reach the pod on {target}"


def started(machines: Machines, name: str, unit: str) -> int:
    """Return when a unit became active or its process was started, in microseconds since the boot."""
    properties = "ActiveEnterTimestampMonotonic,ExecMainStartTimestampMonotonic"
    lines = machines.stage.lines(name, f"systemctl show -p {properties} {unit}")
    values = {key: int(value) for key, __, value in (line.partition("=") for line in lines)}
    return values["ExecMainStartTimestampMonotonic" if unit == "bird" else "ActiveEnterTimestampMonotonic"]


@pytest.fixture(scope="module")
def pods(machines: Machines) -> dict[str, str]:
    """Return the addresses of a pod on each of two machines with IPIP, which come back with them."""
    machines.stage.up(2, "IPIP", options=("--kind", "vm"))
    machines.stage.succeed("deploy")
    blocks = {name: machines.block(name) for name in machines.names}
    found = pod_unit.install(machines.stage, blocks)
    answered(machines, found)
    return found


def test_one_reboots(machines: Machines, pods: dict[str, str], record_property: Record) -> None:
    before = machines.shown("node1")
    ping = machines.stage.enter("node2", "ip", "netns", "exec", POD, "ping", "-D", "-n", "-i", "0.1", pods["node1"])
    with subprocess.Popen(ping, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.5)
        began = time.time()
        machines.stage.do("reboot", "node1")
        answered(machines, pods)
        machines.stage.ask("node2", "pkill -INT ping")
        output = process.communicate(timeout=20)[0]
    replies = [float(stamp) for stamp in re.findall(r"^\[([\d.]+)\] \d+ bytes from", output, re.MULTILINE)]
    last, first = max(itertools.pairwise(replies), key=lambda pair: pair[1] - pair[0])
    record_property("seconds from the command to the first answer", round(first - began, 1))
    record_property("seconds without an answer", round(first - last, 1))
    print(f"reboot: {first - began:.1f} s to the first answered ping, {first - last:.1f} s without one")
    assert machines.shown("node1") == before
    assert started(machines, "node1", "podnet-calico") < min(
        started(machines, "node1", "bird"), started(machines, "node1", POD)
    )


def test_networkd_is_restarted_under_pings(machines: Machines, pods: dict[str, str]) -> None:
    before = {name: machines.shown(name) for name in machines.names}
    with Pings(machines.stage, pods, POD) as pings:
        for name in machines.names:
            machines.stage.ask(name, RESTART)
    assert pings.lost == {}
    assert pings.sent > 200
    assert {name: machines.shown(name) for name in machines.names} == before
    assert "unmanaged" in machines.stage.ask("node1", "networkctl list tunl0")


def reached(machines: Machines, pods: t.Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the pairs of nodes between whose pods a ping is answered now."""
    pairs = itertools.permutations(pods, 2)
    return {
        (source, target)
        for source, target in pairs
        if not machines.stage.run(source, f"ip netns exec {POD} ping -c 1 -W 2 {pods[target]}").returncode
    }


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.unit)
def test_a_firewall_lets_pods_through_after_reloads_and_a_boot(
    machines: Machines, pods: dict[str, str], wall: Wall
) -> None:
    stage = machines.stage
    try:
        for name in machines.names:
            wall.raise_on(stage, name)
    except Unavailable as error:
        pytest.skip(str(error))
    assert reached(machines, pods) == set()
    stage.succeed("firewall", *wall.options)
    answered(machines, pods)
    for command in wall.reloads:
        for name in machines.names:
            stage.ask(name, command)
        answered(machines, pods)
    stage.do("reboot", "node1")
    assert stage.ask("node1", f"systemctl is-active {wall.unit}") == "active\n"
    answered(machines, pods)
    for name in machines.names:
        assert stage.module(name, "calico_firewall", state="absent")["changed"]
    assert reached(machines, pods) == set()
    for name in machines.names:
        stage.ask(name, wall.reloads[-1])
    assert reached(machines, pods) == set()
    for name in machines.names:
        stage.ask(name, wall.down)
    answered(machines, pods)


def test_the_power_is_cut_within_a_change_of_mode(machines: Machines, pods: dict[str, str]) -> None:
    before = {name: machines.shown(name) for name in machines.names}
    machines.stage.up(2, "VXLAN", options=("--kind", "vm"))
    machines.stage.play_until("deploy", AGREEMENT)
    machines.stage.do("power-cut", *machines.names)
    machines.stage.do("start", *machines.names)
    answered(machines, pods)
    assert {name: machines.shown(name) for name in machines.names} == before


def test_the_next_run_finishes_it_and_the_new_mode_survives_a_power_cut(
    machines: Machines, pods: dict[str, str]
) -> None:
    machines.stage.succeed("deploy")
    before = {name: machines.shown(name) for name in machines.names}
    assert "vxlan.calico" in before["node1"][0]
    machines.stage.do("power-cut", *machines.names)
    machines.stage.do("start", *machines.names)
    answered(machines, pods)
    assert {name: machines.shown(name) for name in machines.names} == before
    assert set(machines.encapsulations().values()) == {"VXLAN"}
    failed = json.loads(machines.stage.ask("node1", "systemctl list-units --failed --output=json"))
    assert failed == []
