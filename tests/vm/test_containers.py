# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real containers of Podman on machines: under IPIP, which nodes of kind netns have not, and after a boot. One lab."""

from __future__ import annotations

import time

import pytest
from containers import FOREVER, PORT, SERVER, Podman, PodmanBox, container_runtimes, fetched, reaches, underlay
from crowd import LEASES
from machines import OPTIONS, Machines

pytestmark = pytest.mark.nightly

USED = ("-e", "cni_runtime=podman")
BOOTED_SECONDS = 120.0


@pytest.fixture(scope="module")
def engines(machines: Machines) -> list[Podman]:
    """Have two machines in two subnets with IPIP and Podman."""
    stage = machines.stage
    stage.up(2, "IPIP", options=OPTIONS)
    made = [Podman(stage, name) for name in stage.names]
    try:
        for engine in made:
            engine.install()
    except container_runtimes.Unavailable as error:
        pytest.skip(str(error))
    stage.succeed("deploy", *USED)
    for engine in made:
        engine.load()
    return made


def meet(engines: list[Podman], boxes: list[PodmanBox]) -> None:
    """Have containers of both machines reach each other, and one a port of the other's machine."""
    ours, theirs = boxes
    reaches(ours, theirs.address)
    reaches(theirs, ours.address)
    assert fetched(ours, f"http://{theirs.address}:{PORT}/hello") == "hello"
    assert fetched(ours, f"http://{underlay(engines[1].stage, 'node2')}:8088/hello") == "hello"


def start(engines: list[Podman], name: str) -> list[PodmanBox]:
    """Start a container on the first machine, and a server on the second."""
    return [
        engines[0].start(name, *FOREVER),
        engines[1].start(name, *SERVER, ports={8088: PORT}),
    ]


def leases(engine: Podman) -> list[str]:
    """Return the addresses that host-local has given out on a machine."""
    return sorted(line.rpartition("/")[2] for line in engine.stage.lines(engine.node, LEASES))


def test_containers_under_ipip_and_its_cross_subnet(machines: Machines, engines: list[Podman]) -> None:
    boxes = start(engines, "first")
    meet(engines, boxes)
    machines.stage.up(2, "IPIPCrossSubnet", options=OPTIONS)
    machines.stage.succeed("switch_encapsulation", *USED)
    meet(engines, boxes)
    for box in boxes:
        box.remove()
    assert [leases(engine) for engine in engines] == [[], []]


@pytest.mark.parametrize("way", ["reboot", "power-cut"])
def test_no_lease_outlives_a_boot(machines: Machines, engines: list[Podman], way: str) -> None:
    stage, (podman, _other) = machines.stage, engines
    for number in range(3):
        podman.start(f"lost{number}", *FOREVER)
    assert len(leases(podman)) == 3
    if way == "reboot":
        stage.do("reboot", "node1")
    else:
        stage.ask("node1", "sync")  # the images of this lab are there on purpose
        stage.do("power-cut", "node1")
        stage.do("start", "node1")
    _await_network(machines)
    assert leases(podman) == [], "nobody has an address, so none is given out"
    podman.podman("rm", "--all", "--force", "--time", "0")
    boxes = start(engines, "again")
    assert leases(podman) == [boxes[0].address]
    meet(engines, boxes)
    for box in boxes:
        box.remove()
    assert leases(podman) == []
    assert stage.lines("node1", "ip -o link show type veth") == []


def _await_network(machines: Machines) -> None:
    deadline = time.monotonic() + BOOTED_SECONDS
    question = "systemctl is-active podnet-calico && ip route | grep -q tunl0"
    while machines.stage.run("node1", question).returncode:
        assert time.monotonic() < deadline, "node1 has no pod network after its boot"
        time.sleep(0.5)


def test_reset_gives_podman_back(machines: Machines, engines: list[Podman]) -> None:
    machines.stage.succeed("reset", "-e", "calico_reset_confirm=yes")
    for engine in engines:
        found = engine.stage.run(engine.node, "ls /etc/containers/containers.conf.d").stdout.split()
        assert found == ["90-lab.conf"]
