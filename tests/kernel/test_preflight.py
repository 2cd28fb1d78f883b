# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules calico_preflight_info and calico_preflight_fix on hosts that are broken on purpose, against this kernel."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.preflight.judge import judge
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.services import Services
from ansible_collections.podnet.calico.tests.unit.preflight.healthy import wanted

LOADED = Path("/proc/modules")  # which a kernel without modules has not
NETWORK = {"address": "192.0.2.11", "towards": ["192.0.2.11", "192.0.2.12"], "networks": ["10.244.0.0/16"]}


class Node:
    """A host with an /etc and a /run of its own."""

    def __init__(self, modules: Modules, host: Namespace, path: Path) -> None:
        self.modules, self.host, self.etc, self.runtime = modules, host, path / "etc", path / "run"
        for folder in ("etc/alternatives", "etc/sysctl.d", "etc/cni/net.d", "etc/systemd/network", "run"):
            (path / folder).mkdir(parents=True)
        for tool in Path("/etc/alternatives").glob("ip*tables*"):
            (self.etc / "alternatives" / tool.name).symlink_to(os.readlink(tool))
        (self.etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        self.binds = {"/etc": str(self.etc), "/run": str(self.runtime)}

    def run(self, module: str, params: Result, *, check: bool = False) -> Result:
        """Run a module."""
        return self.modules.run(self.host.path, module, params, check=check, binds=self.binds)

    def facts(self, **options: t.Any) -> Result:
        """Return what calico_preflight_info sees."""
        answer = self.run("calico_preflight_info", {**NETWORK, **options})
        assert not answer.get("failed"), answer
        assert answer["changed"] is False
        return t.cast("Result", answer["facts"])

    def verdict(self, **options: t.Any) -> Result:
        """Return the verdict on this host alone, for pools with VXLAN."""
        facts = self.facts(**options)
        facts["kernel"]["features"]["ipip"] = "loadable"  # whatever this machine has
        return judge({"node1": facts}, wanted())

    def kinds(self, **options: t.Any) -> set[str]:
        """Return the kinds of findings, but for what is so of any lab: a namespace has no clock of its own."""
        return {row["kind"] for row in self.verdict(**options)["findings"]} - {"clock-unsynchronised"}

    def nft(self, text: str) -> None:
        """Load rules of nftables."""
        subprocess.run(["nsenter", f"--net={self.host.path}", "nft", "-f", "-"], input=text, text=True, check=True)


@pytest.fixture
def node(modules: Modules, host: Namespace, tmp_path: Path) -> Node:
    """Return a host on which nothing is wrong."""
    host.ip("route add default via 192.0.2.12")
    host.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0")
    return Node(modules, host, tmp_path)


def test_a_healthy_host_has_no_findings_and_stays_as_it_is(node: Node) -> None:
    before, loaded = node.host.state(), LOADED.exists() and LOADED.read_text()
    assert node.kinds() == set()
    assert node.host.state() == before
    assert (LOADED.exists() and LOADED.read_text()) == loaded
    assert sorted(os.listdir(node.etc)) == ["alternatives", "cni", "machine-id", "sysctl.d", "systemd"]
    assert os.listdir(node.runtime) == []


# What breaks the host by commands of `ip` or sysctl, options of the module, and the finding.
BROKEN: dict[str, tuple[list[str], Result, str]] = {
    "rp_filter of all": (["sysctl -qw net.ipv4.conf.all.rp_filter=1"], {}, "rp-filter-strict"),
    "rp_filter of one": (["sysctl -qw net.ipv4.conf.eth0.rp_filter=1"], {}, "rp-filter-strict"),
    "forwarding": (["sysctl -qw net.ipv4.ip_forward=0"], {}, "forwarding-off"),
    "forwarding of one": (["sysctl -qw net.ipv4.conf.eth0.forwarding=0"], {}, "forwarding-device-off"),
    "no default route": (["ip route del default"], {}, "no-default-route"),
    "a virtual address": (["ip addr add 192.0.2.100/32 dev eth0"], {"address": "192.0.2.100"}, "address-virtual"),
    "a secondary address": (["ip addr add 192.0.2.50/24 dev eth0"], {"address": "192.0.2.50"}, "address-secondary"),
    "no such address": ([], {"address": "203.0.113.9"}, "address-missing"),
    "docker's address": (
        ["ip link add docker0 type bridge", "ip addr add 172.17.0.1/16 dev docker0", "ip link set docker0 up"],
        {"address": "172.17.0.1"},
        "address-device",
    ),
    "an address of another card": (
        ["ip addr add 198.51.100.11/24 dev eth1"],
        {"address": "198.51.100.11"},
        "address-elsewhere",
    ),
    "a bridge in the pool": (
        ["ip link add br0 type bridge", "ip addr add 10.244.9.1/24 dev br0"],
        {},
        "range-taken",
    ),
    "a route into the pool": (["ip route add 10.244.128.0/17 via 192.0.2.12"], {}, "range-taken"),
    "a route around the pool": (["ip route add 10.0.0.0/8 via 192.0.2.12"], {}, "range-routed"),
    "a table for the node's address": (
        ["ip rule add from 192.0.2.11 lookup 200", "ip route add default via 192.0.2.12 table 200"],
        {},
        "policy-routed",
    ),
    "flannel's link": (["ip link add flannel.1 type vxlan id 1 dstport 8472 dev eth0"], {}, "leftover-links"),
    "Felix' routes": (
        ["ip route add 198.51.100.0/26 via 192.0.2.12 proto 80"],
        {"networks": ["198.51.100.0/24"]},
        "leftover-routes",
    ),
}


@pytest.mark.parametrize(("commands", "options", "kind"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_named(node: Node, commands: list[str], options: Result, kind: str) -> None:
    for command in commands:
        node.host.run(command)
    assert kind in node.kinds(**options)


HARMLESS: dict[str, list[str]] = {
    "pods are looked up in main": ["ip rule add to 10.244.0.0/16 lookup main priority 90"],
    "main without its default route": ["ip rule add lookup main suppress_prefixlength 0 priority 90"],
    "no default route": ["ip route flush table 200"],
    "another address": ["ip rule del from 192.0.2.11 lookup 200", "ip rule add from 192.0.2.99 lookup 200"],
    "a mark": ["ip rule del from 192.0.2.11 lookup 200", "ip rule add from 192.0.2.11 fwmark 7 lookup 200"],
    "pods are thrown back": ["ip route add throw 10.244.0.0/16 table 200"],
}


@pytest.mark.parametrize("commands", HARMLESS.values(), ids=HARMLESS)
def test_rules_that_do_no_harm(node: Node, commands: list[str]) -> None:
    node.host.ip("rule add from 192.0.2.11 lookup 200 priority 100")
    node.host.ip("route add default via 192.0.2.12 table 200")
    assert "policy-routed" in node.kinds()
    for command in commands:
        node.host.run(command)
    assert "policy-routed" not in node.kinds()


INPUT = "table inet filter {{ chain input {{ type filter hook input priority 0; policy drop; {} }}\n}}\n"


def test_nftables_that_drop(node: Node) -> None:
    node.nft(INPUT.format("tcp dport 22 accept;"))
    node.nft("table inet filter { chain forward { type filter hook forward priority 0; policy drop; }\n}\n")
    assert node.kinds() == {"input-dropped", "forward-dropped"}


def test_nftables_that_let_in_what_is_needed(node: Node) -> None:
    node.nft(INPUT.format("ip saddr 192.0.2.0/24 accept;"))
    assert node.kinds() == set()


def test_iptables_with_the_policy_of_docker(node: Node) -> None:
    node.host.run("iptables-nft -N DOCKER")
    node.host.run("iptables-nft -A FORWARD -o docker0 -j DOCKER")
    node.host.run("iptables-nft -P FORWARD DROP")
    (row,) = [row for row in node.verdict()["findings"] if row["kind"] == "forward-dropped"]
    assert row["what"] == "Docker drops what is forwarded to pods"
    assert row["evidence"]["node1"] == "iptables-nft, table ip filter, chain FORWARD: policy drop"
    node.host.run("iptables-nft -A FORWARD -s 10.244.0.0/16 -j ACCEPT")
    assert node.kinds() == set()


def test_iptables_in_both_backends(node: Node) -> None:
    if node.host.run("iptables-legacy -A INPUT -s 203.0.113.1 -j DROP", check=False).returncode:
        pytest.skip("this kernel has no iptables but that of nftables")
    node.host.run("iptables-nft -A INPUT -s 203.0.113.2 -j DROP")
    assert node.kinds() == {"iptables-mixed"}


def test_chains_of_felix(node: Node) -> None:
    node.host.run("iptables-nft -N cali-FORWARD")
    assert node.kinds() == {"leftover-chains"}


def test_files_that_are_in_the_way(node: Node) -> None:
    (node.etc / "cni" / "net.d" / "05-flannel.conflist").write_text('{"name": "cbr0"}')
    (node.etc / "sysctl.d" / "99-hardening.conf").write_text("net.ipv4.ip_forward = 0\n")
    (node.etc / "systemd" / "network" / "50.link").write_text(
        "[Match]\nOriginalName=*\n[Link]\nMACAddressPolicy=persistent\n"
    )
    (node.runtime / "udev").mkdir()
    (node.runtime / "udev" / "control").touch()
    assert node.kinds() == {"cni-rival", "forwarding-off-at-boot", "udev-mac"}


def test_networks_have_to_be_networks(node: Node) -> None:
    answer = node.run("calico_preflight_info", {"networks": ["10.244/x"]})
    assert "networks: 10.244/x is no network" in answer["msg"]


def test_what_is_mended_is_no_finding_any_more(node: Node) -> None:
    node.host.run("sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=1")
    (node.etc / "systemd" / "network" / "50.link").write_text(
        "[Match]\nOriginalName=*\n[Link]\nMACAddressPolicy=persistent\n"
    )
    (node.runtime / "udev").mkdir()
    (node.runtime / "udev" / "control").touch()
    fixes = node.verdict()["fixes"]["node1"]
    predicted = node.run("calico_preflight_fix", fixes, check=True)
    assert node.host.sysctl("net/ipv4/ip_forward") == "0"
    done = node.run("calico_preflight_fix", fixes)
    assert (done["changes"], done["diff"]) == (predicted["changes"], predicted["diff"])
    assert {each["name"] for each in done["changes"]} == {
        "/etc/sysctl.d/99-zz-podnet-calico.conf",
        "/etc/systemd/network/10-podnet-calico.link",
        "net.ipv4.conf.eth0.rp_filter",
        "net.ipv4.ip_forward",
    }
    assert node.kinds() == set()
    assert (node.host.sysctl("net/ipv4/ip_forward"), node.host.sysctl("net/ipv4/conf/eth0/rp_filter")) == ("1", "2")
    # With nothing left to mend, what was mended stays.
    for options in (fixes, node.verdict()["fixes"]["node1"]):
        assert node.run("calico_preflight_fix", options)["changed"] is False
    taken_back = node.run("calico_preflight_fix", {"state": "absent"})
    assert taken_back["changed"]
    assert (node.host.sysctl("net/ipv4/ip_forward"), node.host.sysctl("net/ipv4/conf/eth0/rp_filter")) == ("0", "0")
    assert not list(node.etc.rglob("*podnet*"))
    assert node.run("calico_preflight_fix", {"state": "absent"})["changed"] is False


def test_drop_ins_for_network_managers_are_those_of_a_deployment(node: Node) -> None:
    managers = {"networkd": True, "network_manager": True}
    done = node.run("calico_preflight_fix", managers)
    assert {each["name"] for each in done["changes"]} == {
        "/etc/systemd/networkd.conf.d/podnet-calico.conf",
        "/etc/systemd/network/00-podnet-calico.network",
        "/etc/NetworkManager/conf.d/podnet-calico.conf",
    }
    assert node.run("calico_preflight_fix", managers)["changed"] is False
    found = node.facts()["managers"]
    assert (found["networkd_keeps_routes"], found["nm_leaves_pods"]) == (True, True)
    assert not list(node.etc.rglob(".pending"))


def test_a_network_manager_that_runs_reads_its_drop_in_at_once(node: Node, tmp_path: Path) -> None:
    services = Services(tmp_path)
    node.binds.update(services.binds)
    services.start_network_manager()
    node.run("calico_preflight_fix", {"networkd": True, "network_manager": True})
    assert services.told() == ["reload"]
    assert services.network_manager_has_read() == ["podnet-calico.conf"]
    node.run("calico_preflight_fix", {"networkd": True, "network_manager": True})
    assert services.told() == []


def test_a_file_of_somebody_else_is_refused(node: Node) -> None:
    (node.etc / "systemd" / "network" / "10-podnet-calico.link").write_text("[Match]\n")
    answer = node.run("calico_preflight_fix", {"sysctls": {"net.ipv4.conf.eth0.rp_filter": "2"}, "udev": True})
    assert "a file is there that is not ours" in answer["msg"]
    assert node.host.sysctl("net/ipv4/conf/eth0/rp_filter") == "0"
