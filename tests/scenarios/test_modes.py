# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab changes its encapsulation as foretold; a deployment that is killed is repaired by the next one."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import re
import typing as t

import pytest
from audits import CLEAN, audit
from cni_runtime import Container
from forgery import End, delivered
from snapshot import differences, take
from stage import AGREEMENT, Played, Stage

from ansible_collections.podnet.calico.tests.tools.seeds import seed

# Waiting for sessions is left out of check mode: they come up with the real run only. It changes nothing.
ONLY_IN_THE_REAL_RUN = "podnet.calico.bird : Wait for the sessions"


@pytest.fixture(scope="module")
def blocks(stage: Stage) -> dict[str, str]:
    """Have two nodes with VXLAN and return their blocks."""
    stage.deployed(2)
    return {name: re.findall(r"blackhole (\S+)", stage.ask(name, "ip route"))[0] for name in stage.names}


@pytest.fixture(scope="module")
def containers(stage: Stage, blocks: dict[str, str]) -> t.Iterator[list[Container]]:
    """Have a container on each node, made by the plugins while the nodes have VXLAN."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(Container(stage, name, "old")) for name in stage.names]
        for container in made:
            container.add()
        yield made


def talk(stage: Stage, containers: list[Container]) -> bool:
    """Tell whether the first container has an answer to every packet from the second."""
    address = str((containers[1].result or {})["ips"][0]["address"]).partition("/")[0]
    command = f"ip netns exec {containers[0].name} ping -c 3 -i 0.2 -W 10 {address}"
    return " 0% packet loss" in stage.run("node1", command).stdout


def forged(stage: Stage, containers: list[Container]) -> list[str]:
    """Return what of forged packets gets from the first container, or a stranger, to the second."""
    addresses = [str((each.result or {})["ips"][0]["address"]).partition("/")[0] for each in containers]
    ends = [End(each.node, each.name, address) for each, address in zip(containers, addresses)]
    beside = str(ipaddress.ip_address(addresses[0]) + 1)
    return delivered(stage, *ends, beside)


def routes(stage: Stage, node: str) -> set[str]:
    """Return the routes to pods as ip shows them, but for those of the plugins to containers."""
    return {line for line in stage.lines(node, "ip route") if "10.244." in line and " dev veth" not in line}


def vtep(stage: Stage, node: str) -> str:
    """Return the address of a node's VXLAN device; a new one gets the next of the block, as in Calico."""
    shown = stage.ask(node, "ip -4 -o addr show dev vxlan.calico")
    return re.findall(r"inet (\S+)/32 ", shown)[0]


def expected(stage: Stage, blocks: dict[str, str], node: str, encapsulation: str) -> set[str]:
    """Return the routes that a node shall have."""
    found = set()
    for index, (name, block) in enumerate(blocks.items(), start=11):
        if encapsulation == "VXLAN":
            own, path = "proto podnet", f"via {vtep(stage, name)} dev vxlan.calico proto podnet onlink"
        else:
            own, path = "proto bird metric 32", f"via 192.0.2.{index} dev eth0 proto bird metric 32"
        found.add(f"blackhole {block} {own}" if name == node else f"{block} {path}")
    if encapsulation == "VXLAN":
        found.add("unreachable 10.244.0.0/16 proto podnet metric 1000000")
    return found


def check(stage: Stage, blocks: dict[str, str], encapsulation: str) -> None:
    """Compare routes, tunnels and daemons of all nodes with what the encapsulation asks for, and nothing of another."""
    vxlan = encapsulation == "VXLAN"
    for name in stage.names:
        assert routes(stage, name) == expected(stage, blocks, name, encapsulation)
        assert ("vxlan.calico" in stage.ask(name, "ip -o link show type vxlan")) == vxlan
        assert (stage.run(name, "pgrep -x bird").returncode == 0) != vxlan
        files = stage.run(name, "ls /etc/bird/podnet-calico.conf /etc/systemd/system/bird.service.d/*").stdout.split()
        assert len(files) == (0 if vxlan else 2)


def test_nothing_forged_is_delivered(stage: Stage, blocks: dict[str, str], containers: list[Container]) -> None:
    assert talk(stage, containers)
    assert forged(stage, containers) == []


@pytest.fixture(scope="module")
def routed(stage: Stage, containers: list[Container]) -> Played:
    """Have the nodes change from VXLAN to BIRD without encapsulation, as foretold, and return how it went."""
    stage.up(2, "None")
    before = take(stage)
    predicted = stage.succeed("deploy", "--check")
    assert differences(before, take(stage)) == []
    done = stage.succeed("deploy")
    assert done.story - predicted.story == {(name, ONLY_IN_THE_REAL_RUN, False) for name in stage.names}
    assert predicted.story <= done.story
    return done


def test_another_encapsulation_is_foretold_and_leaves_containers_alone_and_nothing_of_the_one_before(
    stage: Stage, blocks: dict[str, str], containers: list[Container], routed: Played
) -> None:
    assert routed.changed
    check(stage, blocks, "None")
    assert talk(stage, containers)
    assert forged(stage, containers) == []


@pytest.mark.parametrize(
    ("encapsulation", "tasks"),
    [("VXLAN", ["Configure the data path"]), ("None", [AGREEMENT, "Configure BIRD"])],
)
def test_killed_deployments_are_repaired_by_the_next_one(
    stage: Stage, blocks: dict[str, str], routed: Played, encapsulation: str, tasks: list[str]
) -> None:
    """Of a change of mode; each run that is killed goes on where the one before was."""
    stage.up(2, encapsulation)
    for task in tasks:
        assert stage.play_until("deploy", task).status == -9
    stage.succeed("deploy")
    check(stage, blocks, encapsulation)


@pytest.mark.nightly
def test_deployments_that_are_killed_anywhere_are_repaired_by_the_next_one(
    stage: Stage, blocks: dict[str, str], routed: Played
) -> None:
    choices = random.Random(seed())  # noqa: S311 (nothing is kept secret)
    tasks = {"None": ran(routed)}
    stage.up(2)
    tasks["VXLAN"] = ran(stage.succeed("deploy"))
    for encapsulation in ("None", "VXLAN", "None", "VXLAN", "None"):
        stage.up(2, encapsulation)
        task = choices.choice(tasks[encapsulation])
        print(f"{encapsulation}: killed at {task}")
        stage.play_until("deploy", task)
        stage.succeed("deploy")
        check(stage, blocks, encapsulation)


def ran(played: Played) -> list[str]:
    """Return the tasks that ran, but for the last one, after which there is nothing to kill."""
    names = [result.task.rpartition(" : ")[2] for result in played.results if result.status == "ok"]
    return sorted({*names} - {names[-1]})


def test_nothing_is_left_of_all_this_and_old_containers_answer(
    stage: Stage, containers: list[Container], routed: Played
) -> None:
    audited, report = audit(stage)
    assert audited.status == CLEAN, report["lines"]
    stage.succeed("verify")
    assert talk(stage, containers)
