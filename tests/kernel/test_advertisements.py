# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that the kernel configures by router advertisements keeps its addresses and default route when it forwards."""

from __future__ import annotations

import ipaddress
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result, with_pyroute2
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

ROUTER = Path(__file__).with_name("router.py")
FORWARD, ACCEPT = "net.ipv6.conf.all.forwarding", "net.ipv6.conf.{}.accept_ra"


class Site:
    """A host, eth0 and vlan.7 of which are on wires with a router each."""

    def __init__(self, host: Namespace, router: Namespace) -> None:
        self.host, self.router = host, router
        host.ip(f"link add vlan.7 type veth peer name vlan.7 netns {router.name}")
        for place in (host, router):
            place.ip("link set vlan.7 up")
            place.ip("link set eth0 up")
        host.ip("addr add 192.0.2.11/24 dev eth0")

    def advertise(self, prefix: str, device: str = "eth0") -> None:
        """Have the router send an advertisement."""
        self.router.run(f"{sys.executable} {ROUTER} {device} {prefix}", check=False)  # no address yet

    def defaults(self) -> set[str]:
        """Return the devices of default routes."""
        return {row["dev"] for row in self.host.show("-6 route show default")}

    def learned(self) -> set[str]:
        """Return the prefixes from which addresses were made."""
        rows = [each for link in self.host.show("-6 addr show dynamic") for each in link.get("addr_info", [])]
        return {str(ipaddress.ip_interface(f"{row['local']}/64").network.network_address) for row in rows if row}


@pytest.fixture
def site(new_namespace: t.Callable[[str], Namespace]) -> Site:
    """Return a host and its routers, which have link-local addresses."""
    host, router = new_namespace("host"), new_namespace("router")
    host.ip(f"link add eth0 type veth peer name eth0 netns {router.name}")
    for place in (host, router):
        place.run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0")
    router.run("sysctl -qw net.ipv6.conf.all.forwarding=1")
    return Site(host, router)


@pytest.fixture
def run_sysctl(modules: Modules, site: Site, tmp_path: Path) -> RunModule:
    """Return a function that runs a module on the host with an /etc/sysctl.d of its own."""

    def run(module: str, params: Result, *, check: bool = False) -> Result:
        binds = {"/etc/sysctl.d": str(tmp_path)}
        return modules.run(site.host.path, module, params, check=check, binds=binds)

    return run


def learn(site: Site) -> None:
    """Have the host learn an address and a default route on both devices."""

    def learned() -> bool:
        site.advertise("2001:db8:1::", "eth0")
        site.advertise("2001:db8:7::", "vlan.7")
        return site.defaults() == {"eth0", "vlan.7"} and site.learned() >= {"2001:db8:1::", "2001:db8:7::"}

    wait_for(learned, "both are learned")


def settings(run: RunModule) -> dict[str, str]:
    """Return the sysctls that a plan has for the devices that calico_host_info names."""
    devices = run("calico_host_info", {"address": "192.0.2.11"})["host"]["advertised"]
    return {FORWARD: "1", **{ACCEPT.format(name.replace(".", "/")): "2" for name in devices}}


def test_forwarding_alone_makes_the_kernel_forget(site: Site, run_sysctl: RunModule) -> None:
    """The reason for all of this: without accept_ra the same module takes the default routes away."""
    learn(site)
    run_sysctl("calico_sysctl", {"sysctls": {FORWARD: "1"}})
    assert site.defaults() == set()
    site.advertise("2001:db8:2::")
    assert "2001:db8:2::" not in site.learned()


@with_pyroute2
def test_what_is_learned_stays_and_more_is_learned(site: Site, run_sysctl: RunModule, tmp_path: Path) -> None:
    learn(site)
    wanted = settings(run_sysctl)
    assert set(wanted) == {FORWARD, ACCEPT.format("eth0"), ACCEPT.format("vlan/7")}
    run_sysctl("calico_sysctl", {"sysctls": wanted})
    assert site.host.sysctl("net/ipv6/conf/all/forwarding") == "1"
    assert site.defaults() == {"eth0", "vlan.7"}
    site.advertise("2001:db8:2::")
    wait_for(lambda: "2001:db8:2::" in site.learned(), "a further advertisement is followed")
    lines = (tmp_path / "90-podnet-calico.conf").read_text().splitlines()
    assert lines[-1] == f"{FORWARD} = 1"  # systemd-sysctl goes from top to bottom


@with_pyroute2
def test_a_second_run_is_the_same_without_a_router_and_reset_puts_back(site: Site, run_sysctl: RunModule) -> None:
    learn(site)
    wanted = settings(run_sysctl)
    run_sysctl("calico_sysctl", {"sysctls": wanted})
    for device in ("eth0", "vlan.7"):
        site.host.run(f"ip -6 route flush dev {device} proto ra")
        site.host.run(f"ip -6 addr flush dev {device} dynamic")
    assert settings(run_sysctl) == wanted
    assert run_sysctl("calico_sysctl", {"sysctls": wanted})["changed"] is False
    learn(site)
    run_sysctl("calico_sysctl", {"state": "absent"})
    assert site.host.sysctl("net/ipv6/conf/eth0/accept_ra") == "1"
    assert site.host.sysctl("net/ipv6/conf/all/forwarding") == "0"
    assert site.defaults() == {"eth0", "vlan.7"}


@with_pyroute2
@pytest.mark.parametrize(
    ("eth0", "devices"), [("0", {"vlan/7"}), ("2", {"vlan/7"})], ids=["a manager does it", "somebody has set 2"]
)
def test_what_somebody_else_takes_care_of_is_left_alone(
    site: Site, run_sysctl: RunModule, eth0: str, devices: set[str]
) -> None:
    learn(site)
    site.host.run(f"sysctl -qw net.ipv6.conf.eth0.accept_ra={eth0}")
    assert set(settings(run_sysctl)) - {FORWARD} == {ACCEPT.format(name) for name in devices}


@with_pyroute2
def test_a_manager_that_takes_over_later_is_left_alone(site: Site, run_sysctl: RunModule) -> None:
    learn(site)
    run_sysctl("calico_sysctl", {"sysctls": settings(run_sysctl)})
    site.host.run("sysctl -qw net.ipv6.conf.eth0.accept_ra=0")
    wanted = settings(run_sysctl)
    assert ACCEPT.format("eth0") not in wanted
    run_sysctl("calico_sysctl", {"sysctls": wanted})
    assert site.host.sysctl("net/ipv6/conf/eth0/accept_ra") == "0"


@with_pyroute2
def test_the_node_does_not_live_on_an_address_that_ends(site: Site, run_sysctl: RunModule) -> None:
    site.host.run("sysctl -qw net.ipv6.conf.eth0.use_tempaddr=2 net.ipv6.conf.all.use_tempaddr=2")
    learn(site)
    peer = "2001:db8:1::99"
    source = site.host.run(f"ip -6 route get {peer}").stdout.split(" src ")[1].split()[0]
    assert f"{source}/64 scope global temporary" in site.host.run("ip -6 addr show dev eth0").stdout
    found = run_sysctl("calico_host_info", {"peers": [peer]})["host"]["address"]
    assert found.startswith("2001:db8:1:0:") and not found.startswith(source)
    assert "is temporary: it ends soon" in run_sysctl("calico_host_info", {"address": source})["msg"]


def test_nothing_is_learned_nothing_is_named(site: Site, run_sysctl: RunModule) -> None:
    facts = run_sysctl("calico_preflight_info", {"towards": [], "networks": []})["facts"]
    assert facts["advertised"] == {}
    learn(site)
    facts = run_sysctl("calico_preflight_info", {"towards": [], "networks": []})["facts"]
    assert facts["advertised"] == {"eth0": 1, "vlan.7": 1}
