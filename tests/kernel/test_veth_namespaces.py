# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""calico_veth and network namespaces: of processes, of the user, made for pods, dead ones, and others of that name."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import NetnsName, RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

CALI = "cali" + "a4fc3c48bd8"  # printf shop.web-0 | sha1sum
NOTES = Path("/run/podnet.calico/netns")


class Sleeper:
    """A process in a network namespace of its own, or in a given one."""

    def __init__(self, *prefix: str) -> None:
        self._process = subprocess.Popen([*(prefix or ("unshare", "--net")), "sleep", "600"])
        self.pid = self._process.pid
        own = os.stat("/proc/self/ns/net").st_ino
        wait_for(lambda: os.stat(f"/proc/{self.pid}/ns/net").st_ino != own)
        self.inside = Namespace(str(self.pid))
        self.inside.path = f"/proc/{self.pid}/ns/net"

    def end(self) -> None:
        """End the process; its namespace goes too, unless somebody else holds it."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def sleeper() -> t.Iterator[t.Callable[..., Sleeper]]:
    """Return a function that starts a process: sleeper(), or sleeper("nsenter", "--net=…")."""
    made: list[Sleeper] = []

    def start(*prefix: str) -> Sleeper:
        made.append(Sleeper(*prefix))
        return made[-1]

    yield start
    for each in made:
        each.end()


def wait_until_gone(host: Namespace, name: str = CALI) -> None:
    """Wait for the kernel, which takes a dead namespace's links down by and by."""
    wait_for(lambda: name not in {link["ifname"] for link in host.show("link")})


def kill_namespace(host: Namespace, netns: str) -> None:
    """Leave the file of a named namespace, but nothing behind it, as a crash between two steps does."""
    subprocess.run(["umount", f"/run/netns/{netns}"], check=True)
    wait_until_gone(host)


@pytest.fixture
def by_pid(pod: Result) -> t.Callable[[int], Result]:
    """Return a function that gives the parameters for an endpoint of a process."""
    return lambda pid: {"endpoints": [{**pod, "netns": None, "pid": pid}]}


def test_life_of_an_endpoint_of_a_process(
    host: Namespace, converge: RunModule, sleeper: t.Callable[..., Sleeper], by_pid: t.Callable[[int], Result]
) -> None:
    before, process = host.state(), sleeper()
    converge("calico_veth", by_pid(process.pid))
    assert process.inside.show("-4 route show default")[0]["gateway"] == "169.254.1.1"
    assert host.link(CALI)["ifalias"] == f"podnet.calico endpoint shop.web-0 /proc/{process.pid}/ns/net"
    converge("calico_veth", {**by_pid(process.pid), "state": "absent"})
    assert [link["ifname"] for link in process.inside.show("link")] == ["lo"]
    assert host.state() == before


def test_a_process_that_does_not_exist(
    host: Namespace, run_module: RunModule, sleeper: t.Callable[..., Sleeper], by_pid: t.Callable[[int], Result]
) -> None:
    before, process = host.state(), sleeper()
    process.end()
    for check in (True, False):
        failed = run_module("calico_veth", by_pid(process.pid), check=check)
        assert failed["msg"] == (
            f"create endpoint shop.web-0: /proc/{process.pid}/ns/net is no network namespace. Correct netns or pid"
        )
    assert host.state() == before


@pytest.mark.parametrize("how", ["absent", "exclusive"])
def test_removal_after_the_process_has_died(
    host: Namespace, converge: RunModule, sleeper: t.Callable[..., Sleeper], by_pid: t.Callable[[int], Result], how: str
) -> None:
    before, process = host.state(), sleeper()
    params = by_pid(process.pid)
    converge("calico_veth", params)
    process.end()
    wait_until_gone(host)
    gone = {**params, "state": "absent"} if how == "absent" else {"endpoints": [], "exclusive": True}
    assert converge("calico_veth", gone)["changed"] is False
    assert host.state() == before


@pytest.mark.parametrize("how", ["absent", "exclusive"])
def test_removal_while_the_dead_processs_namespace_lives_on(
    host: Namespace, converge: RunModule, sleeper: t.Callable[..., Sleeper], by_pid: t.Callable[[int], Result], how: str
) -> None:
    before, process = host.state(), sleeper()
    params = by_pid(process.pid)
    converge("calico_veth", params)
    held = os.open(process.inside.path, os.O_RDONLY)
    process.end()
    gone = {**params, "state": "absent"} if how == "absent" else {"endpoints": [], "exclusive": True}
    assert converge("calico_veth", gone)["summary"]["delete"] == 1
    os.close(held)
    assert host.state() == before


def test_a_process_that_has_been_restarted(
    host: Namespace, converge: RunModule, sleeper: t.Callable[..., Sleeper], by_pid: t.Callable[[int], Result]
) -> None:
    """The new process lives in the same namespace, or in a new one: the endpoint follows it."""
    first = sleeper()
    converge("calico_veth", by_pid(first.pid))
    same = sleeper("nsenter", f"--net=/proc/{first.pid}/ns/net")
    first.end()
    assert converge("calico_veth", by_pid(same.pid))["summary"]["replace"] == 1
    new = sleeper()
    assert converge("calico_veth", by_pid(new.pid))["summary"]["replace"] == 1
    assert [link["ifname"] for link in same.inside.show("link")] == ["lo"]
    assert new.inside.show("-4 route show default")[0]["gateway"] == "169.254.1.1"


@pytest.mark.parametrize("how", ["present", "absent", "exclusive"])
def test_the_file_of_a_dead_namespace_is_left(host: Namespace, converge: RunModule, pod: Result, how: str) -> None:
    before = host.state()
    converge("calico_veth", {"endpoints": [pod]})
    kill_namespace(host, pod["netns"])
    assert Path("/run/netns", pod["netns"]).exists()
    if how == "present":
        converge("calico_veth", {"endpoints": [pod]})
        assert Namespace(pod["netns"]).show("-4 route show default")[0]["gateway"] == "169.254.1.1"
    gone = {"endpoints": [], "exclusive": True} if how == "exclusive" else {"endpoints": [pod], "state": "absent"}
    assert converge("calico_veth", gone)["summary"]["delete"] == 1
    assert not Path("/run/netns", pod["netns"]).exists()
    assert not os.path.lexists(NOTES / pod["netns"])
    assert host.state() == before


def test_a_file_of_somebody_else_in_the_place_of_a_namespace(
    host: Namespace, run_module: RunModule, pod: Result
) -> None:
    path = Path("/run/netns", pod["netns"])
    path.parent.mkdir(exist_ok=True)
    path.write_text("notes of somebody")
    before = host.state()
    failed = run_module("calico_veth", {"endpoints": [pod]})
    assert f"{path} is a file of somebody else" in failed["msg"]
    assert path.read_text() == "notes of somebody"
    path.unlink()
    assert host.state() == before


def test_an_endpoint_whose_namespace_vanished(host: Namespace, converge: RunModule, pod: Result) -> None:
    subprocess.run(["ip", "netns", "add", pod["netns"]], check=True)
    converge("calico_veth", {"endpoints": [pod]})
    subprocess.run(["ip", "netns", "del", pod["netns"]], check=True)
    wait_until_gone(host)
    assert converge("calico_veth", {"endpoints": [pod]})["summary"]["create"] == 1
    assert os.path.lexists(NOTES / pod["netns"])


def test_a_namespace_whose_name_is_gone_while_a_process_lives_in_it(
    host: Namespace, converge: RunModule, sleeper: t.Callable[..., Sleeper], pod: Result
) -> None:
    """The link is there still, though it leads to where nobody can go by that name."""
    converge("calico_veth", {"endpoints": [pod]})
    old = sleeper("nsenter", f"--net=/run/netns/{pod['netns']}")
    subprocess.run(["umount", f"/run/netns/{pod['netns']}"], check=True)
    assert converge("calico_veth", {"endpoints": [pod]})["summary"]["replace"] == 1
    assert [link["ifname"] for link in old.inside.show("link")] == ["lo"]
    assert Namespace(pod["netns"]).show("-4 route show default")[0]["gateway"] == "169.254.1.1"


def test_a_new_namespace_of_the_same_name_is_not_mistaken_for_the_old_one(
    host: Namespace, run_module: RunModule, sleeper: t.Callable[..., Sleeper], pod: Result
) -> None:
    """Somebody's interface there has the name and even the index of the pod's end: it stays as it is."""
    subprocess.run(["ip", "netns", "add", pod["netns"]], check=True)
    run_module("calico_veth", {"endpoints": [pod]})
    users = Namespace(pod["netns"])
    index = users.link("eth0")["ifindex"]
    sleeper("nsenter", f"--net={users.path}")
    for verb in ("del", "add"):
        subprocess.run(["ip", "netns", verb, pod["netns"]], check=True)
    users.ip(f"link add eth0 index {index} type veth peer name eth1 index 77")
    states = host.state(), users.state()
    for check in (True, False):
        failed = run_module("calico_veth", {"endpoints": [pod]}, check=check)
        assert failed.get("failed"), failed
        assert f"namespace {pod['netns']} has an interface eth0 already" in failed["msg"]
    assert (host.state(), users.state()) == states


def test_an_interface_in_the_way_is_refused_before_anything_is_done(
    host: Namespace,
    new_namespace: t.Callable[[str], Namespace],
    run_module: RunModule,
    pod: Result,
    netns_name: NetnsName,
) -> None:
    users = new_namespace("user")
    users.ip("link add eth0 type bridge")
    states = host.state(), users.state()
    first = {"name": "shop.first", "netns": netns_name(), "addresses": ["10.244.0.9"]}
    for check in (True, False):
        failed = run_module("calico_veth", {"endpoints": [first, {**pod, "netns": users.name}]}, check=check)
        assert failed["failure"]["kind"] == "Conflict"
        assert f"namespace {users.name} has an interface eth0 already" in failed["msg"]
    assert (host.state(), users.state()) == states
    assert not Path("/run/netns", first["netns"]).exists()


def test_an_interface_beside_those_of_the_user(
    gateway: Namespace, new_namespace: t.Callable[[str], Namespace], converge: RunModule, pod: Result
) -> None:
    users = new_namespace("user")
    users.batch("link add eth0 type veth peer name eth1", "addr add 198.51.100.1/24 dev eth0")
    before = users.state()
    second = {**pod, "netns": users.name, "interface": "net1"}
    converge("calico_veth", {"endpoints": [second]})
    users.reach("192.0.2.11")
    converge("calico_veth", {"endpoints": [second], "state": "absent"})
    assert users.state() == before


def test_two_endpoints_in_one_namespace(
    gateway: Namespace, new_namespace: t.Callable[[str], Namespace], converge: RunModule, pod: Result
) -> None:
    users = new_namespace("user")
    one = {**pod, "netns": users.name, "addresses": ["10.244.0.5"]}
    two = {"name": "shop.web-0-v6", "netns": users.name, "addresses": ["fd00::5"], "interface": "net1"}
    converge("calico_veth", {"endpoints": [one, two]})
    assert users.show("-4 route show default")[0]["dev"] == "eth0"
    assert users.show("-6 route show default")[0]["dev"] == "net1"
    converge("calico_veth", {"endpoints": [one], "state": "absent"})
    assert [link["ifname"] for link in users.show("link show type veth")] == ["net1"]


def test_removing_one_of_two_endpoints_keeps_the_namespace_that_was_made_for_them(
    host: Namespace, converge: RunModule, pod: Result
) -> None:
    one = {**pod, "addresses": ["10.244.0.5"]}
    two = {"name": "shop.web-0-v6", "netns": pod["netns"], "addresses": ["fd00::5"], "interface": "net1"}
    converge("calico_veth", {"endpoints": [one, two]})
    converge("calico_veth", {"endpoints": [one], "state": "absent"})
    assert [link["ifname"] for link in Namespace(pod["netns"]).show("link show type veth")] == ["net1"]
    converge("calico_veth", {"endpoints": [two], "state": "absent"})
    assert not Path("/run/netns", pod["netns"]).exists()


def test_another_workload_takes_the_place_of_the_first_in_its_namespace(
    host: Namespace, new_namespace: t.Callable[[str], Namespace], converge: RunModule, pod: Result
) -> None:
    users = new_namespace("user")
    converge("calico_veth", {"endpoints": [{**pod, "netns": users.name}]})
    heir = {"name": "shop.heir", "netns": users.name, "addresses": ["10.244.0.77"]}
    done = converge("calico_veth", {"endpoints": [heir], "exclusive": True})
    assert [change["action"] for change in done["changes"]] == ["delete", "create"]
    assert [link["ifname"] for link in users.show("link show type veth")] == ["eth0"]
    assert set(host.routes()) == {"10.244.0.77"}


def test_a_named_namespace_given_by_its_path_is_the_same(host: Namespace, converge: RunModule, pod: Result) -> None:
    before = host.state()
    converge("calico_veth", {"endpoints": [pod]})
    for directory in ("/run/netns", "/var/run/netns"):
        by_path = {**pod, "netns": f"{directory}/{pod['netns']}"}
        assert converge("calico_veth", {"endpoints": [by_path]})["changed"] is False
    converge("calico_veth", {"endpoints": [by_path], "state": "absent"})
    assert host.state() == before
    assert not Path("/run/netns", pod["netns"]).exists()
