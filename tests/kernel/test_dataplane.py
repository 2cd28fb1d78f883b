# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_dataplane on hosts with an /etc of their own; the oracle is `ip`, `bridge`, `nft`, and the files."""

from __future__ import annotations

import itertools
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.dataplane import node as dataplane
from ansible_collections.podnet.calico.plugins.module_utils.dataplane import wanted
from ansible_collections.podnet.calico.plugins.module_utils.dataplane.steps import make
from ansible_collections.podnet.calico.tests.kernel.faults import DONE, Run, do, killed_at
from ansible_collections.podnet.calico.tests.kernel.net import (
    Modules,
    Namespace,
    Result,
    both_pyroute2s,
    with_pyroute2,
)
from ansible_collections.podnet.calico.tests.kernel.services import Services
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plans, pool

NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24", "node3": "192.0.2.13/24"}
NODES6 = {name: f"2001:db8::1{name[-1]}/64" for name in NODES}
CONCERNS = ["baseline", "protocol", "sysctls", "tunnels", "routes", "nat", "persist"]
SECOND = "10.244.104.0/26"
PROTOCOL, RESTORE = "iproute2/rt_protos.d/podnet-calico.conf", "podnet-calico/restore"


def planned(encapsulation: str = "VXLAN", cidr: str = "10.244.0.0/16", **spec: t.Any) -> Result:
    """Return the plan of node1."""
    nodes = NODES6 if ":" in cidr else NODES
    stored = cluster(pool(cidr=cidr, encapsulation=encapsulation, natOutgoing=True, **spec), nodes=nodes)
    made: Result = plans(stored, nodes)["node1"]
    return made


PLANS = {
    "VXLAN": planned(),
    "VXLAN of IPv6": planned(cidr="fd00:10::/48"),
    "None": planned("None"),
}


class Node:
    """A host on which the module runs."""

    def __init__(self, modules: Modules, host: Namespace, path: Path) -> None:
        self.host, self.etc, self.lib = host, path / "etc", path / "lib"
        for folder in ("etc/alternatives", "etc/systemd/system", "run", "lib"):
            (path / folder).mkdir(parents=True)
        (self.etc / "alternatives" / "awk").symlink_to(Path(shutil.which("awk") or "").resolve())
        services = Services(path)
        self._binds = {"/etc": str(self.etc), "/run": str(path / "run"), "/var/lib": str(self.lib), **services.binds}
        self._modules = modules

    def call(self, plan: Result | None, *, check: bool = False, **options: t.Any) -> Result:
        """Run the module once."""
        params = {"plan": plan, **options} if plan else options
        return self._modules.run(self.host.path, "calico_dataplane", params, check=check, binds=self._binds)

    def converge(self, plan: Result | None, **options: t.Any) -> Result:
        """Run the module as it has to be: check mode predicts it and touches nothing, a second run is unchanged."""
        before = self.shown()
        predicted = self.call(plan, check=True, **options)
        assert self.shown() == before
        done = self.call(plan, **options)
        assert not done.get("failed"), done
        for part in ("changes", "summary", "diff", "surplus"):
            assert predicted[part] == done[part]
        again = self.call(plan, **options)
        assert (again["changed"], again["changes"], again["diff"]) == (False, [], [])
        return done

    def audit(self, plan: Result) -> set[str]:
        """Return what an audit finds, but for the container runtime's network."""
        found = self._modules.run(self.host.path, "calico_audit", {"plan": plan}, binds=self._binds)["findings"]
        rows = [f"{each['category']} {each['kind']} {each['name']}" for each in found]
        return {row for row in rows if " network " not in row}

    def files(self) -> dict[str, str]:
        """Return the files of ours, by path below /etc."""
        paths = [path for path in self.etc.rglob("*") if "podnet" in str(path.relative_to(self.etc)) and path.is_file()]
        return {str(path.relative_to(self.etc)): path.read_text() for path in paths}

    def shown(self) -> tuple[str, str, str, dict[str, str]]:
        """Return all that the module may change."""
        table = self.host.run("nft -s list ruleset").stdout
        forwarding = self.host.sysctl("net/ipv4/ip_forward")
        return self.host.state(), table, forwarding, self.files()


@pytest.fixture
def node(modules: Modules, host: Namespace, tmp_path: Path) -> Node:
    """Return a host that nothing has happened to."""
    host.run("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
    return Node(modules, host, tmp_path)


def concerns_of(result: Result) -> list[str]:
    """Return the concerns that changed something, in order."""
    return list(dict.fromkeys(change["concern"] for change in result["changes"]))


@both_pyroute2s
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_life_of_a_data_path(node: Node, plan: Result) -> None:
    bare = node.shown()
    done = node.converge(plan)
    assert concerns_of(done) == [each for each in CONCERNS if each != "tunnels" or plan["tunnels"]]
    assert [each["before_header"] for each in done["diff"]] == concerns_of(done)
    assert all(each["after"] for each in done["diff"])
    version = 6 if ":" in plan["address"] else 4
    routes = node.host.routes(version=version)
    assert set(routes) == {route["destination"].removesuffix("/32") for route in plan["routes"]}
    assert {link["ifname"] for link in node.host.show("link show") if "ifalias" in link} == {
        tunnel["name"] for tunnel in plan["tunnels"]
    }
    assert "98 podnet" in node.files()[PROTOCOL]
    assert (node.lib / "podnet-calico" / "before.json").exists()
    gone = node.converge(None, state="absent")
    assert concerns_of(gone) == [
        each
        for each in ("persist", "nat", "routes", "tunnels", "sysctls", "protocol")
        if each != "tunnels" or plan["tunnels"]
    ]
    assert node.shown() == bare
    assert (node.lib / "podnet-calico" / "before.json").exists()


@with_pyroute2
def test_an_audit_finds_nothing_then_and_the_file_of_the_protocol_if_it_is_another(node: Node) -> None:
    node.converge(PLANS["VXLAN"])
    assert node.audit(PLANS["VXLAN"]) == set()
    _edited(node, PROTOCOL)
    assert node.audit(PLANS["VXLAN"]) == {f"wrong file /etc/{PROTOCOL}"}


def _edited(node: Node, path: str) -> None:
    (node.etc / path).write_text((node.etc / path).read_text().replace("podnet\n", "other\n") + "# by hand\n")


# What is broken by hand: how, and the only concern that has something to do then.
DRIFTS: dict[str, tuple[t.Callable[[Node], t.Any], str]] = {
    "protocol": (lambda node: _edited(node, PROTOCOL), "protocol"),
    "sysctl": (lambda node: node.host.run("sysctl -qw net.ipv4.ip_forward=0"), "sysctls"),
    "tunnel's MTU": (lambda node: node.host.ip("link set vxlan.calico mtu 1300"), "tunnels"),
    "forwarding entry": (
        lambda node: node.host.run(
            f"bridge fdb del {PLANS['VXLAN']['tunnels'][0]['peers'][0]['mac']} dev vxlan.calico"
        ),
        "tunnels",
    ),
    "route": (lambda node: node.host.ip(f"route del {SECOND}"), "routes"),
    "table": (lambda node: node.host.run("nft delete table inet podnet_calico"), "nat"),
    "trusted stranger": (
        lambda node: node.host.run("nft add element inet podnet_calico nodes4 { 192.0.2.99 }"),
        "nat",
    ),
    "restore file": (lambda node: _edited(node, RESTORE), "persist"),
}


@with_pyroute2
def test_each_drift_is_repaired_alone(node: Node) -> None:
    node.converge(PLANS["VXLAN"])
    for name, (break_it, concern) in DRIFTS.items():
        break_it(node)
        assert concerns_of(node.converge(PLANS["VXLAN"])) == [concern], name


@with_pyroute2
def test_the_routes_of_a_device_that_is_made_anew_are_predicted(node: Node) -> None:
    plan = PLANS["VXLAN"]
    node.converge(plan)
    (tunnel,) = plan["tunnels"]
    other = {**plan, "tunnels": [{**tunnel, "vni": 4097}]}
    done = node.converge(other, concerns=["tunnels", "routes"])
    assert concerns_of(done) == ["tunnels", "routes"]
    by_tunnel = [route for route in plan["routes"] if route["device"] == tunnel["name"]]
    assert len(done["changes"]) == 1 + len(by_tunnel)
    assert "deleted and made anew: vni" in done["diff"][0]["before"]


@with_pyroute2
def test_only_exclusive_removes_what_is_not_planned_any_more(node: Node) -> None:
    plan = PLANS["VXLAN"]
    node.converge(plan)
    standby = {**plan["routes"][1], "destination": "10.244.250.0/26", "type": "unicast", "gateway": "192.0.2.12"}
    waiting = {**PLANS["None"], "standby": [{**standby, "device": "eth0", "scope": "global", "metric": 4096}]}
    done = node.converge(waiting)
    surplus = {"vxlan.calico", *(route["destination"] for route in plan["routes"] if route["device"] == "vxlan.calico")}
    assert set(done["surplus"]) >= surplus
    assert "10.244.250.0/26" in node.host.routes()
    pruned = node.converge(waiting, concerns=["tunnels", "routes"], exclusive=True)
    assert [change["name"] for change in pruned["changes"]][-1] == "vxlan.calico"
    assert {change["action"] for change in pruned["changes"]} == {"delete"}
    assert pruned["surplus"] == []
    assert "via" in pruned["diff"][0]["before"]
    assert "dev vxlan.calico" in pruned["diff"][0]["before"]
    assert set(node.host.routes()) == {route["destination"].removesuffix("/32") for route in waiting["routes"]}


@with_pyroute2
def test_exclusive_from_another_plan_in_one_call(node: Node) -> None:
    node.converge(PLANS["VXLAN"])
    done = node.converge(PLANS["None"], exclusive=True)
    assert concerns_of(done) == ["routes", "tunnels", "nat", "persist"]
    (tunnel,) = PLANS["VXLAN"]["tunnels"]
    back = node.converge({**PLANS["VXLAN"], "tunnels": [{**tunnel, "peers": tunnel["peers"][:1]}]}, exclusive=True)
    assert concerns_of(back) == ["tunnels", "routes", "nat", "persist"]


# What is in the way: how it comes and goes, the concern that fails of it, and a part of the message.
FAILURES: dict[str, tuple[str, str, str, str]] = {
    "a device of another kind": (
        "link add vxlan.calico type bridge",
        "link del vxlan.calico",
        "tunnels",
        "a device of that name exists, of kind bridge",
    ),
    "a route of others": (
        f"route add {SECOND} via 192.0.2.99 dev eth0 proto static",
        f"route del {SECOND}",
        "routes",
        f"{SECOND} via 192.0.2.99 dev eth0 proto static",
    ),
}


@with_pyroute2
@pytest.mark.parametrize(("come", "go", "concern", "reason"), FAILURES.values(), ids=FAILURES)
def test_a_failure_says_how_far_it_came_and_the_next_run_makes_the_rest(
    node: Node, come: str, go: str, concern: str, reason: str
) -> None:
    node.host.ip(come)
    failed = node.call(PLANS["VXLAN"])
    place = CONCERNS.index(concern)
    done, left = CONCERNS[:place], CONCERNS[place + 1 :]
    assert failed["msg"].startswith(f"{concern}: ")
    assert reason in failed["msg"]
    assert f"(in line: {', '.join(done)}; not yet: {', '.join(left)})" in failed["msg"]
    failure = failed["failure"]
    assert (failure["kind"], failure["concern"], failure["done"], failure["not_done"]) == (
        "Conflict", concern, done, left
    )  # fmt: skip
    assert concerns_of(failure) == done
    node.host.ip(go)
    assert concerns_of(node.converge(PLANS["VXLAN"])) == [concern, *left]


def _with(part: str, **changed: t.Any) -> Result:
    plan = PLANS["VXLAN"]
    return {**plan, part: [{**plan[part][0], **changed}, *plan[part][1:]]}


INVALID = {
    "a part is missing": ({k: v for k, v in PLANS["VXLAN"].items() if k != "nat"}, "plan.nat is missing"),
    "tunnel": (_with("tunnels", mtu=10), "mtu 10 is not between"),
    "route": (_with("routes", destination="10.0.0.1/26"), "host bits"),
    "standby": ({**PLANS["VXLAN"], "standby": [{"destination": "10.9.0.0/26"}]}, "neither gateway nor device"),
    "NAT": ({**PLANS["VXLAN"], "nat": {"masquerade": ["10.9.0.0/16"], "pools": []}}, "is not within pools"),
    "guard": ({**PLANS["VXLAN"], "underlay": ["eth0:1"]}, 'uplinks: "eth0:1"'),
    "sysctl": (
        {
            **PLANS["VXLAN"],
            "requirements": {**PLANS["VXLAN"]["requirements"], "sysctls": {"net.ipv4.ip_forward": "1\n0"}},
        },
        "the value has several lines",
    ),
}


@pytest.mark.parametrize(("plan", "reason"), INVALID.values(), ids=INVALID)
def test_input_of_any_concern_is_refused_before_the_first_is_touched(node: Node, plan: Result, reason: str) -> None:
    before = node.shown()
    failed = node.call(plan)
    assert reason in failed["msg"]
    assert failed["failure"]["kind"] == "InvalidInput"
    assert node.shown() == before
    assert not list(node.lib.iterdir())


@with_pyroute2
def test_concerns_can_be_chosen_and_parts_of_the_plan_are_enough(node: Node) -> None:
    parts = ("device", "guard", "nat", "requirements", "routes", "standby", "tunnels", "underlay")
    plan = {part: PLANS["VXLAN"][part] for part in parts}
    assert concerns_of(node.converge(plan, concerns=["protocol"])) == ["protocol"]
    # What carries a mark of ours is no baseline any more.
    assert concerns_of(node.converge(plan)) == ["sysctls", "tunnels", "routes", "nat", "persist"]
    assert concerns_of(node.converge(None, state="absent", concerns=["nat"])) == ["nat"]


def kernel_changes(*, present: bool) -> int:
    """Bring tunnels and routes here in line with a plan, or take them away; return how many changes it took."""
    asked = wanted.of_plan(PLANS["VXLAN"], exclusive=True, checksum_offload=None)
    there = dataplane.Present(asked, check_mode=False, exclusive=True, offload=None, bird="bird").steps()
    steps = there if present else dataplane.absent(check_mode=False)
    chosen = [(concern, work) for concern, work in steps if concern in ("tunnels", "routes")]
    return len(make(chosen, with_diff=False).result(with_diff=False)["changes"])


@pytest.mark.parametrize("present", [True, False], ids=["present", "absent"])
def test_a_run_killed_at_any_of_its_steps_is_finished_by_the_next(host: Namespace, present: bool) -> None:
    bare = host.state()
    for place in itertools.count(1, 4):
        do(host, lambda: kernel_changes(present=not present))
        run = Run(host, killed_at(place, lambda: kernel_changes(present=present)))
        run.start()
        status, answer = run.finish()
        do(host, lambda: kernel_changes(present=present))
        assert do(host, lambda: kernel_changes(present=present))[0] == 0
        assert (host.state() == bare) is not present
        if status is not None:
            assert status == DONE, answer
            assert place > 10
            break
