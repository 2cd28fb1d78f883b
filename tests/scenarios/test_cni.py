# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration that deploy writes, executed as a container runtime does, with the plugins of the distribution."""

from __future__ import annotations

import contextlib
import ipaddress
import typing as t

import pytest
from cni_runtime import Container, PluginError
from snapshot import differences, take
from stage import Stage

from ansible_collections.podnet.calico.tests.tools import cni_plugins

# CHECK of bandwidth 1.1.1 (Debian 12) ends with a nil pointer when the runtime asked for no limit.
UNABLE_TO_CHECK = ("bandwidth",)


@pytest.fixture(scope="module")
def nodes(stage: Stage) -> Stage:
    """Have nodes with VXLAN."""
    stage.deployed(3)
    return stage


@pytest.fixture
def containers(nodes: Stage) -> t.Iterator[list[Container]]:
    """Have a container on each node, without a network yet."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Container(nodes, f"node{number}", f"box{number}")) for number in (1, 2)]


def address(result: dict[str, t.Any]) -> str:
    """Return the one address in the result of ADD, without prefix length."""
    (found,) = result["ips"]
    return str(found["address"]).partition("/")[0]


def leases(stage: Stage, node: str) -> list[str]:
    """Return the addresses that host-local has given out on a node."""
    found = stage.run(node, "ls /run/podnet-calico/cni/podnet-calico").stdout.split()
    return [name for name in found if name[0].isdigit()]


def test_containers_of_two_nodes_reach_each_other_and_leave_nothing(nodes: Stage, containers: list[Container]) -> None:
    before = take(nodes)
    addresses = [address(container.add()) for container in containers]
    for container, given in zip(containers, addresses):
        block = container.network["plugins"][0]["ipam"]["ranges"][0][0]["subnet"]
        assert ipaddress.ip_address(given) in ipaddress.ip_network(block)
        assert leases(nodes, container.node) == [given]
        container.check(without=UNABLE_TO_CHECK)
    (one, _), (ours, theirs) = containers, addresses
    inside = f"ip netns exec {one.name}"
    assert " 0% packet loss" in nodes.ask("node1", f"{inside} ping -c 3 -i 0.2 -W 10 {theirs}")
    assert "mtu 1450" in nodes.ask("node1", f"{inside} ip link show eth0")
    # 1450 bytes are 1422 of data; one more has to be refused where it starts.
    assert " 0% packet loss" in nodes.ask("node1", f"{inside} ping -c 1 -W 10 -M do -s 1422 {theirs}")
    assert "message too long" in nodes.run("node1", f"{inside} ping -c 1 -W 10 -M do -s 1423 {theirs}").stderr
    fetch = f"import urllib.request as r; print(r.urlopen('http://{theirs}:8080/', timeout=10).status)"
    assert nodes.ask("node1", f'{inside} python3 -c "{fetch}"') == "200\n"
    assert " 0% packet loss" in nodes.ask("node2", f"ping -c 1 -W 10 {ours}"), "the other node reaches the container"
    for container in containers:
        container.delete()
        assert leases(nodes, container.node) == []
    # host-local keeps its lock and where it will go on.
    left = [line for line in differences(before, take(nodes)) if " files /run/podnet-calico" not in line]
    assert left == []
    names = nodes.ask("node1", "find /run/podnet-calico -type f").split()
    assert all(name.endswith(("/last_reserved_ip.0", "/lock")) for name in names)


def test_plugins_notice_what_is_missing_and_delete_twice(nodes: Stage, containers: list[Container]) -> None:
    container = containers[0]
    container.add()
    nodes.ask("node1", f"ip netns exec {container.name} ip link del eth0")
    with pytest.raises(PluginError):
        container.check(without=UNABLE_TO_CHECK)
    container.delete()
    container.delete()
    assert leases(nodes, "node1") == []


def test_capabilities_of_the_runtime_reach_portmap_and_bandwidth(nodes: Stage, containers: list[Container]) -> None:
    container = containers[0]
    container.capabilities = {
        "portMappings": [{"hostPort": 8088, "containerPort": 8080, "protocol": "tcp"}],
        "bandwidth": {
            "ingressRate": 8_000_000,
            "ingressBurst": 800_000,
            "egressRate": 4_000_000,
            "egressBurst": 400_000,
        },
    }
    container.add()
    # CHECK of portmap 1.1.1 (Debian 12) wants rules for IPv6 of a container that has IPv4 alone.
    container.check(without=("portmap",))
    fetch = "import urllib.request as r; print(r.urlopen('http://192.0.2.11:8088/', timeout=10).status)"
    assert nodes.ask("node2", f'python3 -c "{fetch}"') == "200\n"
    limited = [line for line in nodes.lines("node1", "tc qdisc show") if line.startswith("qdisc tbf")]
    assert sorted(" ".join(line.split()[line.split().index("rate") :][:2]) for line in limited) == [
        "rate 4Mbit",
        "rate 8Mbit",
    ]
    container.delete()
    assert "8088" not in nodes.ask("node1", "iptables -t nat -S")
    assert nodes.ask("node1", "ip -o link show type ifb") == ""


@pytest.fixture
def other_network(nodes: Stage) -> t.Iterator[None]:
    """Have a network of somebody else on node1 that the container runtime would take first."""
    path = "/etc/cni/net.d/05-other.conflist"
    nodes.ask("node1", f"echo '{{}}' >{path}")
    try:
        yield
    finally:
        nodes.ask("node1", f"rm {path}")


@pytest.mark.usefixtures("other_network")
def test_others_are_warned_of_and_a_network_that_nodes_do_not_agree_on_is_refused(nodes: Stage) -> None:
    def differ(group: dict[str, t.Any]) -> None:
        group["hosts"]["node2"] = {**(group["hosts"]["node2"] or {}), "cni_spec_version": "0.4.0"}

    played = nodes.play("deploy", "--check", inventory=nodes.changed_inventory(differ))
    assert played.status == 2
    assert 'The container runtimes\' networks differ: cniVersion: "0.4.0" on node2; "1.0.0" on node1' in played.output
    assert "05-other.conflist sorts before 10-podnet-calico.conflist" in " ".join(played.output.split())


def test_a_bad_network_of_ours_is_refused_first(nodes: Stage) -> None:
    before = take(nodes)
    refused = nodes.play("deploy", "-e", "cni_chain=calico", "-e", '{"cni_calico": {"log_levl": "info"}}')
    assert "Did you mean log_level?" in refused.output
    assert differences(before, take(nodes)) == []


@pytest.fixture(scope="module")
def newer() -> str:
    """Return the directory with plugins that know CNI 1.1.0."""
    cni_plugins.fetch()
    try:
        return str(cni_plugins.newer())
    except cni_plugins.Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.nightly
def test_status_check_and_gc_of_newer_plugins(nodes: Stage, newer: str) -> None:
    here = ("-e", "cni_plugins_source=present", "-e", f"cni_bin_dir={newer}")
    nodes.succeed("deploy", "-e", "cni_spec_version=1.1.0", *here)
    one, other = (Container(nodes, "node1", name, plugins=newer) for name in ("new1", "new2"))
    one.status()
    with one, other:
        for container in (one, other):
            container.add()
            container.check()
        assert one.network["cniVersion"] == "1.1.0"
        other.delete()
        one.collect(one)
        one.check()
        assert leases(nodes, "node1") == [address(one.result or {})]
    assert leases(nodes, "node1") == []
