# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real pods of containerd, asked through the CRI as Kubernetes does, on the pod network of deploy. Needs root."""

from __future__ import annotations

import concurrent.futures
import re
import time
import typing as t

import pytest
from containers import (
    FOREVER,
    PORT,
    SERVER,
    Containerd,
    PodBox,
    container_runtimes,
    fetched,
    left,
    reaches,
    served,
    underlay,
)
from snapshot import take
from stage import Stage

USED = ("-e", "cni_runtime=containerd")
SOME = 12
MBIT = 80  # of the limit; containerd lets 512 MiB through before it counts
BURST, MEASURED = 560, 32  # files of the server, in MiB


@pytest.fixture(scope="module")
def stage_with_nodes(stage: Stage) -> Stage:
    """Have two nodes with VXLAN and nothing deployed."""
    stage.fresh(2)
    return stage


@pytest.fixture(scope="module", params=["containerd", pytest.param("containerd2", marks=pytest.mark.nightly)])
def engines(stage_with_nodes: Stage, request: pytest.FixtureRequest) -> t.Iterator[list[Containerd]]:
    """Have containerd of Debian 12 (1.6), then a newer one (2), in both nodes, and the network deployed for it."""
    stage = stage_with_nodes
    made = [Containerd(stage, name, request.param) for name in stage.names]
    try:
        for engine in made:
            engine.install()
            engine.load()
        stage.succeed("deploy", *USED)
        yield made
    except container_runtimes.Unavailable as error:
        pytest.skip(str(error))
    finally:
        for engine in made:
            engine.end()


@pytest.fixture
def boxes(engines: list[Containerd]) -> t.Iterator[list[PodBox]]:
    """Have a list of pods that are removed afterwards."""
    made: list[PodBox] = []
    yield made
    for box in made:
        box.remove()


def test_containerd_needs_no_restart(engines: list[Containerd]) -> None:
    for engine in engines:
        assert engine.client is not None
        assert engine.client.conditions()["NetworkReady"] == ""


def test_pods_of_two_nodes_reach_each_other_by_address_and_port(engines: list[Containerd]) -> None:
    stage = engines[0].stage
    for engine in engines:
        engine.start("first", ports={8087: PORT}).remove()
    before = take(stage)
    ours = engines[0].start("ours")
    theirs = engines[1].start("theirs", *SERVER, ports={8088: PORT})
    reaches(ours, theirs.address)
    reaches(theirs, ours.address)
    assert fetched(ours, f"http://{theirs.address}:{PORT}/hello") == "hello"
    port = f"http://{underlay(stage, 'node2')}:8088/hello"
    assert fetched(ours, port) == "hello"
    assert served(stage, "node1", port)
    ours.remove()
    theirs.remove()
    assert left(before, take(stage)) == []


def test_bandwidth_of_a_pod_is_limited(engines: list[Containerd], boxes: list[PodBox]) -> None:
    stage, engine = engines[1].stage, engines[1]
    boxes.append(engine.start("free"))
    assert rates(stage, engine.node) == []
    boxes.append(engine.start("limited", annotations={"kubernetes.io/egress-bandwidth": f"{MBIT}M"}))
    assert rates(stage, engine.node) == [f"{MBIT}Mbit"]


def rates(stage: Stage, node: str) -> list[str]:
    """Return the limits of a node's interfaces."""
    return re.findall(r"qdisc tbf .* rate (\S+)", stage.ask(node, "tc qdisc show"))


@pytest.mark.nightly
def test_a_pod_sends_no_faster_than_its_limit(engines: list[Containerd], boxes: list[PodBox]) -> None:
    boxes.append(engines[1].start("limited", *SERVER, annotations={"kubernetes.io/egress-bandwidth": f"{MBIT}M"}))
    boxes.append(engines[0].start("client"))
    least = MEASURED * 2**20 * 8 / (MBIT * 1e6)
    # What was left of the burst, and what came meanwhile, is not counted: a fifth.
    assert _seconds(boxes[1], boxes[0]) > 0.8 * least


def _seconds(client: PodBox, server: PodBox) -> float:
    """Return how long a file takes after the burst is used up."""
    url = f"http://{server.address}:{PORT}"
    assert fetched(client, f"{url}/hello") == "hello"
    for name in (BURST, MEASURED):
        began = time.monotonic()
        status, said = client.run("wget", "-q", "-O", "/dev/null", f"{url}/{name}")
        assert status == 0, said
    return time.monotonic() - began


def test_pods_that_start_together_have_different_addresses(engines: list[Containerd], boxes: list[PodBox]) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        boxes += pool.map(lambda number: engines[0].start(f"many{number}", *FOREVER), range(SOME))
    assert len({box.address for box in boxes}) == SOME
