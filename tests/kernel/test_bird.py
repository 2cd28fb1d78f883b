# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real BIRDs in namespaces, each with its own /etc/bird and /run/bird, driven by calico_bird and calico_bird_info."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plans, pool

RUN = Path("/run/bird")
NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24"}
NewNamespace = t.Callable[[str], Namespace]
START = (
    'mount --bind "$1" /etc/bird && mount --bind "$2" /run/bird && '
    'exec nsenter --net="$3" bird -f -c /etc/bird/podnet-calico.conf -s /run/bird/bird.ctl'
)


@pytest.fixture(scope="module", autouse=True)
def run_directory() -> t.Iterator[None]:
    """Have a /run/bird to mount over."""
    made = not RUN.exists()
    RUN.mkdir(exist_ok=True)
    yield
    if made:
        RUN.rmdir()


class Bird:
    """A host with its own BIRD."""

    def __init__(self, host: Namespace, files: Path, modules: Modules) -> None:
        self.host, self.modules = host, modules
        self.etc, self.run = files / "etc", files / "run"
        self.config = self.etc / "podnet-calico.conf"
        for directory in (self.etc, self.run):
            directory.mkdir(parents=True)
        self._process: subprocess.Popen[str] | None = None

    def module(self, name: str, params: Result, *, check: bool = False) -> Result:
        binds = {"/etc/bird": str(self.etc), "/run/bird": str(self.run)}
        return self.modules.run(self.host.path, name, params, check=check, binds=binds)

    def start(self) -> None:
        command = ["unshare", "-m", "sh", "-c", START, "sh", str(self.etc), str(self.run), self.host.path]
        self._process = subprocess.Popen(command, text=True)
        wait_for(lambda: (self.run / "bird.ctl").exists())

    def ask(self, question: str) -> str:
        command = ["birdc", "-s", str(self.run / "bird.ctl"), *question.split()]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def since(self, session: str) -> str:
        return self.ask(f"show protocols {session}").splitlines()[2].split()[4]

    def kernel_routes(self) -> dict[str, Result]:
        return self.host.routes("proto bird")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def kill(self) -> None:
        """End BIRD as a crash does: its socket stays, and so do its routes."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


def wait_for(condition: t.Callable[[], t.Any], seconds: float = 20) -> None:
    """Wait until something is so; what is not in time fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def bird_modules() -> t.Iterator[Modules]:
    """Return the modules of one Python: BIRD's do not use pyroute2."""
    found = Modules(sys.executable, None)
    yield found
    found.close()


@pytest.fixture
def birds(new_namespace: NewNamespace, bird_modules: Modules, tmp_path: Path) -> t.Iterator[tuple[Bird, Bird, Bird]]:
    """Return node1, node2 and a third host (192.0.2.13) on one wire; no BIRD is started yet."""
    wire = new_namespace("wire")
    wire.ip("link add br0 type bridge")
    wire.ip("link set br0 up")
    made = []
    for index in (1, 2, 3):
        host = new_namespace(f"node{index}")
        host.ip(f"link add eth0 type veth peer name port{index} netns {wire.name}")
        wire.ip(f"link set port{index} master br0 up")
        host.ip("link set eth0 addrgenmode none up")
        host.ip(f"addr add 192.0.2.1{index}/24 dev eth0")
        made.append(Bird(host, tmp_path / f"node{index}", bird_modules))
    yield made[0], made[1], made[2]
    for bird in made:
        bird.stop()


def planned(encapsulation: str = "None", nodes: t.Mapping[str, str] = NODES) -> dict[str, Result]:
    made = plans(cluster(pool(encapsulation=encapsulation), nodes=nodes), nodes, bgp="enabled")
    return {name: {"bgp": plan["bgp"]} for name, plan in made.items()}


def start_mesh(birds: t.Sequence[Bird], plan: dict[str, Result]) -> None:
    """Configure and start a BIRD for each node of the plan, and wait for all sessions."""
    pairs = list(zip(birds, plan.values()))
    for bird, params in pairs:
        assert bird.module("calico_bird", params)["running"] is False
        bird.start()
    for bird, params in pairs:
        names = [session["name"] for session in params["bgp"]["sessions"]]
        found = bird.module("calico_bird_info", {"sessions": names, "wait": 30})
        assert [found["sessions"][name]["info"] for name in names] == ["Established"] * len(names)


def test_routes_arrive_in_both_kernels(birds: tuple[Bird, Bird, Bird]) -> None:
    plan = planned()
    start_mesh(birds, plan)
    for bird, own, other, gateway in ((birds[0], *plan, "192.0.2.12"), (birds[1], *reversed(plan), "192.0.2.11")):
        theirs, mine = plan[other]["bgp"]["blocks"][0], plan[own]["bgp"]["blocks"][0]
        wait_for(lambda bird=bird, theirs=theirs: theirs in bird.kernel_routes())
        route = bird.kernel_routes()[theirs]
        assert (route["gateway"], route["dev"]) == (gateway, "eth0")
        assert bird.kernel_routes()[mine]["type"] == "blackhole"


def test_routes_of_vxlan_pools_are_not_given_to_the_kernel(birds: tuple[Bird, Bird, Bird]) -> None:
    plan = planned("VXLAN")
    start_mesh(birds, plan)
    theirs = plan["node2"]["bgp"]["blocks"][0]
    wait_for(lambda: theirs in birds[0].ask("show route"))
    assert birds[0].kernel_routes() == {}


HOSTILE = """router id 192.0.2.13;
protocol device {}
protocol static evil { ipv4; %s }
protocol bgp victim { local 192.0.2.13 as 64512; neighbor 192.0.2.11 as 64512; connect delay time 1;
  ipv4 { import all; export where proto = "evil"; }; }
"""


def test_lies_of_a_peer_never_reach_the_kernel(birds: tuple[Bird, Bird, Bird]) -> None:
    nodes = {"node1": "192.0.2.11/24", "node3": "192.0.2.13/24"}
    plan = planned(nodes=nodes)
    own, honest = (plan[name]["bgp"]["blocks"][0] for name in nodes)
    hijack = own.replace("/26", "/28")
    lies = ["203.0.113.0/24", "0.0.0.0/0", "192.0.2.0/28", hijack, own, "10.244.0.0/16"]
    routes = " ".join(f"route {prefix} unreachable;" for prefix in [*lies, honest])
    victim, _, liar = birds
    victim.module("calico_bird", plan["node1"])
    victim.start()
    liar.config.write_text(HOSTILE % routes)
    liar.start()
    wait_for(lambda: honest in victim.kernel_routes())
    assert set(victim.kernel_routes()) == {own, honest}
    assert victim.kernel_routes()[own]["type"] == "blackhole"


def test_a_changed_configuration_is_taken_over_without_reset(birds: tuple[Bird, Bird, Bird]) -> None:
    plan = planned()
    start_mesh(birds, plan)
    first = birds[0]
    session = plan["node1"]["bgp"]["sessions"][0]["name"]
    since = first.since(session)
    changed = {"bgp": {**plan["node1"]["bgp"], "blocks": [*plan["node1"]["bgp"]["blocks"], "10.244.255.0/26"]}}
    predicted = first.module("calico_bird", changed, check=True)
    assert "10.244.255.0/26" not in first.config.read_text()
    done = first.module("calico_bird", changed)
    assert (done["changes"], done["running"]) == (predicted["changes"], True)
    assert [change["kind"] for change in done["changes"]] == ["file", "bird"]
    wait_for(lambda: "10.244.255.0/26" in birds[1].kernel_routes())
    assert first.since(session) == since
    assert first.module("calico_bird", changed)["changed"] is False


def test_a_broken_text_is_refused_and_nothing_changes(birds: tuple[Bird, Bird, Bird]) -> None:
    plan = planned()
    first = birds[0]
    first.module("calico_bird", plan["node1"])
    first.start()
    before, digest = first.config.read_text(), first.ask("eval PODNET_DIGEST")
    failed = first.module("calico_bird", {"bgp": {**plan["node1"]["bgp"], "router_id": "nonsense"}})
    assert failed["failure"]["kind"] == "DaemonError"
    assert "podnet-calico.conf:4:" in failed["msg"]
    assert (first.config.read_text(), first.ask("eval PODNET_DIGEST")) == (before, digest)
    assert os.listdir(first.etc) == ["podnet-calico.conf"]


def test_a_bird_that_serves_somebody_else_is_refused(birds: tuple[Bird, Bird, Bird]) -> None:
    foreign = birds[2]
    foreign.config.write_text(HOSTILE % "")
    foreign.start()
    foreign.config.unlink()
    failed = foreign.module("calico_bird", planned()["node1"])
    assert failed["failure"]["kind"] == "Conflict"
    assert "the running BIRD has sessions that are not ours (victim)" in failed["msg"]
    assert not foreign.config.exists()


def test_absent_withdraws_the_routes(birds: tuple[Bird, Bird, Bird]) -> None:
    plan = planned()
    start_mesh(birds, plan)
    first, second, _ = birds
    wait_for(lambda: len(first.kernel_routes()) == len(second.kernel_routes()) == 2)
    predicted = first.module("calico_bird", {"state": "absent"}, check=True)
    done = first.module("calico_bird", {"state": "absent"})
    assert done["changes"] == predicted["changes"]
    assert first.kernel_routes() == {}
    assert not first.config.exists()
    assert first.module("calico_bird", {"state": "absent"})["changed"] is False


def test_absent_deletes_what_a_stopped_bird_left(birds: tuple[Bird, Bird, Bird]) -> None:
    start_mesh(birds, planned())
    first = birds[0]
    wait_for(lambda: len(first.kernel_routes()) == 2)
    first.host.ip("route add 203.0.113.0/24 via 192.0.2.13 proto bird")
    first.kill()
    assert len(first.kernel_routes()) == 3
    predicted = first.module("calico_bird", {"state": "absent"}, check=True)
    done = first.module("calico_bird", {"state": "absent"})
    assert done["changes"] == predicted["changes"]
    assert list(first.kernel_routes()) == ["203.0.113.0/24"]


def test_a_session_that_does_not_come_up_is_named(birds: tuple[Bird, Bird, Bird]) -> None:
    plan = planned()
    first = birds[0]
    first.module("calico_bird", plan["node1"])
    first.start()
    name = plan["node1"]["bgp"]["sessions"][0]["name"]
    failed = first.module("calico_bird_info", {"sessions": [name], "wait": 0.5})
    assert f"1 of 1 are not established: {name} (" in failed["msg"]
