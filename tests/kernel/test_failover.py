# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node whose address is on lo, behind two uplinks: the other one takes over, and nothing of ours changes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.persist import restore
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result, with_pyroute2
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plan_all, pool

NewNamespace = t.Callable[[str], Namespace]
NODES = {"node1": "203.0.113.1/32", "node2": "203.0.113.2/32"}
UPLINKS = {"eth0": "198.51.100", "eth1": "192.0.2"}


class Pair:
    """Two nodes with an address on lo each, and two wires between them."""

    def __init__(self, modules: Modules, node1: Namespace, node2: Namespace) -> None:
        self.modules, self.nodes = modules, {"node1": node1, "node2": node2}
        self.stored = cluster(pool(encapsulation="VXLAN"), nodes=NODES)
        for device in UPLINKS:
            node1.ip(f"link add {device} type veth peer name {device} netns {node2.name}")
        for number, (name, node) in enumerate(self.nodes.items(), 1):
            node.ip(f"addr add {NODES[name]} dev lo")
            for device, network in UPLINKS.items():
                node.ip(f"link set {device} up")
                node.ip(f"addr add {network}.{number}/24 dev {device}")
        self.go_by("eth0")

    def go_by(self, device: str) -> None:
        """Have a routing daemon of the hosts choose an uplink."""
        for name, other in (("node1", "node2"), ("node2", "node1")):
            there, source = NODES[other], NODES[name].partition("/")[0]
            self.nodes[name].ip(f"route replace {there} via {UPLINKS[device]}.{other[-1]} dev {device} src {source}")

    def plan(self, name: str) -> Result:
        """Return the plan of a node as it is now."""
        peers = [address.partition("/")[0] for address in NODES.values()]
        host = self.run(name, "calico_host_info", {"peers": peers})["host"]
        facts = {**host, "encapsulations": ["vxlan"]}
        return t.cast("Result", plan_all(self.stored, {name: facts}, "disabled")[name])

    def run(self, name: str, module: str, params: Result) -> Result:
        """Run a module on a node."""
        answer = self.modules.run(self.nodes[name].path, module, params)
        assert not answer.get("failed"), answer
        return answer

    def deploy(self) -> list[bool]:
        """Have tunnels and routes as planned now; return which modules have changed something."""
        changed = []
        for name in self.nodes:
            made = self.plan(name)
            changed.append(self.run(name, "calico_tunnel", {"tunnels": made["tunnels"]})["changed"])
            changed.append(self.run(name, "calico_route", {"routes": made["routes"]})["changed"])
        return changed

    def restore_file(self, name: str) -> str:
        """Return what a boot would run."""
        made = self.plan(name)
        nat = {"masquerade": [], "pools": [], "exclude": [], "tunnels": []}
        return restore.render(restore.wanted(made["tunnels"], made["routes"], nat, None))


@pytest.fixture
def pair(modules: Modules, new_namespace: NewNamespace) -> Pair:
    return Pair(modules, new_namespace("node1"), new_namespace("node2"))


@with_pyroute2
def test_the_other_uplink_takes_over_and_nothing_changes(pair: Pair) -> None:
    assert all(pair.deploy())
    far = next(row["address"] for row in pair.plan("node2")["tunnels"]).partition("/")[0]
    pair.nodes["node1"].reach(far)
    before, file = pair.plan("node1"), pair.restore_file("node1")
    assert (before["device"], before["underlay"]) == ("eth0", ["lo"])
    pair.go_by("eth1")
    for node in pair.nodes.values():
        node.ip("link set eth0 down")
    after = pair.plan("node1")
    assert after["device"] == "eth1"
    assert {key for key in before if before[key] != after[key]} == {"device"}
    assert not any(pair.deploy())
    assert pair.restore_file("node1") == file
    pair.nodes["node1"].reach(far)


@with_pyroute2
def test_a_tunnel_that_stands_on_an_uplink_is_made_anew_once(pair: Pair) -> None:
    pair.deploy()
    (tunnel,) = pair.plan("node1")["tunnels"]
    pair.run("node1", "calico_tunnel", {"tunnels": [{**tunnel, "parent": "eth0"}]})
    assert pair.nodes["node1"].link("vxlan.calico")["linkinfo"]["info_data"]["link"] == "eth0"
    assert any(pair.deploy())
    assert "link" not in pair.nodes["node1"].link("vxlan.calico")["linkinfo"]["info_data"]
    assert not any(pair.deploy())


@with_pyroute2
def test_a_boot_makes_the_tunnel_without_a_device_and_finds_one_with_it(pair: Pair, tmp_path: t.Any) -> None:
    pair.deploy()
    script = tmp_path / "restore"
    script.write_text(pair.restore_file("node1"))
    node = pair.nodes["node1"]
    made = node.link("vxlan.calico")["linkinfo"]["info_data"]
    node.ip("link del vxlan.calico")
    run = f"env PODNET_PATIENCE=5 sh {script}"
    assert node.run(run, check=False).returncode == 0
    assert node.link("vxlan.calico")["linkinfo"]["info_data"] == made
    assert not any(pair.deploy()[:1])
    again = node.run(run, check=False)
    assert (again.returncode, again.stdout + again.stderr) == (0, "")
    (tunnel,) = pair.plan("node1")["tunnels"]
    pair.run("node1", "calico_tunnel", {"tunnels": [{**tunnel, "parent": "eth1"}]})
    done = node.run(run, check=False)
    assert done.returncode == 1
    assert "vxlan.calico is somebody else's, or was changed: it is not local 203.0.113.1" in done.stdout + done.stderr
