# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real containers of Podman on the pod network that deploy has made, in each mode that nodes here have. Needs root."""

from __future__ import annotations

import concurrent.futures
import ipaddress
import typing as t

import pytest
from containers import FOREVER, PORT, SERVER, Podman, container_runtimes, fetched, left, reaches, served, underlay
from snapshot import take
from stage import Stage

TWO_SUBNETS = ("--subnets", "2", "--router")
DROP_IN = "/etc/containers/containers.conf.d/50-podnet-calico.conf"
USED = ("-e", "cni_runtime=podman")
SOME, MANY = 12, 200


@pytest.fixture(scope="module")
def engines(stage: Stage) -> t.Iterator[list[Podman]]:
    """Have two nodes in two subnets with Podman, which deploy has told of CNI, under VXLAN."""
    stage.fresh(2, "VXLAN", options=TWO_SUBNETS)
    made = [Podman(stage, name) for name in stage.names]
    try:
        for engine in made:
            engine.install()
        stage.succeed("deploy", *USED)
        for engine in made:
            engine.load()
        yield made
    except container_runtimes.Unavailable as error:
        pytest.skip(str(error))
    finally:
        for engine in made:
            engine.end()


@pytest.fixture
def here(engines: list[Podman]) -> t.Iterator[Podman]:
    """Have Podman of node1, without containers on any node afterwards."""
    yield engines[0]
    for engine in engines:
        engine.podman("rm", "--all", "--force", "--time", "0")


def test_deploy_tells_podman(engines: list[Podman]) -> None:
    podman = engines[0]
    assert podman.podman("info", "--format", "{{.Host.NetworkBackend}}") == "cni"
    assert "podnet-calico" in podman.podman("network", "ls", "--format", "{{.Name}}").split()


def test_containers_of_two_nodes_reach_each_other_by_address_and_port(engines: list[Podman], here: Podman) -> None:
    stage = here.stage
    # What portmap makes once and for all of a node's rules is there before.
    for engine in engines:
        engine.start("first", *FOREVER, ports={8087: PORT}).remove()
    before = take(stage)
    ours = here.start("ours", *FOREVER)
    theirs = engines[1].start("theirs", *SERVER, ports={8088: PORT})
    block = stage.ask("node2", "ip route show type blackhole").split()[1]
    assert ipaddress.ip_address(theirs.address) in ipaddress.ip_network(block)
    reaches(ours, theirs.address)
    reaches(theirs, ours.address)
    assert fetched(ours, f"http://{theirs.address}:{PORT}/hello") == "hello"
    port = f"http://{underlay(stage, 'node2')}:8088/hello"
    assert fetched(ours, port) == "hello"
    assert served(stage, "node1", port)
    ours.remove()
    theirs.remove()
    assert left(before, take(stage)) == []


# For every change, test_modes.py has containers of the plugins, and test_switch.py has pods under load.
@pytest.mark.nightly
@pytest.mark.parametrize("mode", ["None", "VXLANCrossSubnet"])
def test_containers_live_through_a_change_of_mode(engines: list[Podman], here: Podman, mode: str) -> None:
    stage = here.stage
    old = [engine.start("old", *FOREVER) for engine in engines]
    stage.up(2, mode, options=TWO_SUBNETS)
    switched = stage.succeed("switch_encapsulation", *USED)
    assert not [line for line in switched.changed if "Have the container runtime use" in line], "it was told once"
    new = [engine.start("new", *FOREVER) for engine in engines]
    for one, other in ((old[0], old[1]), (old[0], new[1]), (new[0], old[1]), (new[1], new[0])):
        reaches(one, other.address)


def together(podman: Podman, count: int) -> list[str]:
    """Start containers as fast as this machine can, and return their addresses."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        boxes = list(pool.map(lambda number: podman.start(f"many{number}", *FOREVER), range(count)))
        return list(pool.map(lambda box: box.address, boxes))


def test_containers_that_start_together_have_different_addresses(here: Podman) -> None:
    addresses = together(here, SOME)
    assert len(set(addresses)) == SOME
    assert len(here.names()) == SOME
