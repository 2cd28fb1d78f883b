# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each finding of a preflight: a host or hosts broken on purpose, and what is said of it; healthy ones have none."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.preflight.choice import chosen
from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import FIXABLE, KINDS, Wanted
from ansible_collections.podnet.calico.plugins.module_utils.preflight.judge import AREAS, judge, scope
from ansible_collections.podnet.calico.tests.unit.preflight.healthy import (
    Facts,
    address,
    closed,
    hosts,
    link,
    route,
    rule,
    wanted,
)

MODES = ("None", "IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet")
PREFLIGHT = Path(__file__).resolve().parents[3] / "plugins" / "module_utils" / "preflight"
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "preflight.md"

Break = t.Callable[[Facts], t.Any]


def feature(name: str, state: str) -> Break:
    return lambda facts: facts["kernel"]["features"].update({name: state})


def rp_filter(**values: int) -> Break:
    return lambda facts: facts["sysctl"]["rp_filter"].update(values)


def node(**values: str) -> Break:
    return lambda facts: facts["node"].update(values)


def unit(*names: str) -> Break:
    return lambda facts: facts["units"].update({name: {"active": True, "enabled": False} for name in names})


def firewall(**values: t.Any) -> Break:
    return lambda facts: facts["firewall"].update(values)


def cni(**values: t.Any) -> Break:
    return lambda facts: facts["cni"].update(values)


def adds(where: str, row: Facts) -> Break:
    return lambda facts: facts[where].append(row)


def both(*breaks: Break) -> Break:
    return lambda facts: [each(facts) for each in breaks]


VIP = both(adds("addresses", address("192.0.2.100/32")), node(asked="192.0.2.100", address="192.0.2.100/32"))
TEMPORARY = both(
    adds("addresses", address("2001:db8::77/64", state="temporary")),
    node(address="2001:db8::77/64", asked="2001:db8::77"),
)
ON_DOCKER = both(
    adds("addresses", address("172.17.0.1/16", "docker0")), node(address="172.17.0.1/16", device="docker0", towards="")
)
ON_DUMMY = both(
    adds("addresses", address("198.51.100.1/32", "anchor")),
    adds("links", link("anchor", "dummy")),
    node(address="198.51.100.1/32", device="anchor", towards=""),
)
SECOND = both(
    adds("addresses", address("192.0.2.50/24", secondary=True)), node(address="192.0.2.50/24", asked="192.0.2.50")
)
DOCKER = closed("forward", "-o docker0 -j ACCEPT", tool="iptables-nft", table="ip filter", chains=["DOCKER", "FORWARD"])
UFW = closed("forward", tool="iptables-nft", table="ip filter", chains=["FORWARD", "ufw-before-forward"])
FIREWALLD = closed("forward", "ct state established accept", table="inet firewalld", why="reject with icmpx")

# kind and severity, what is wanted, what is broken on node2, and a word of what is said.
BROKEN: dict[str, tuple[str, str, Wanted, Break, str]] = {
    "ipip missing": ("kernel-ipip", "error", wanted("IPIP"), feature("ipip", "missing"), "neither built in"),
    "vxlan missing": ("kernel-vxlan", "error", wanted(), feature("vxlan", "missing"), "linux-modules-extra-6.1.0"),
    "vxlan blocked": ("kernel-vxlan", "error", wanted(), feature("vxlan", "blocked"), "/etc/modprobe.d"),
    "veth missing": ("kernel-veth", "error", wanted(), feature("veth", "missing"), "links of pods"),
    "no nftables": ("kernel-nf-tables", "error", wanted(), feature("nf_tables", "missing"), "outgoing NAT"),
    "no nftables for the guard": (
        "kernel-nf-tables",
        "error",
        wanted()._replace(pools=()),
        feature("nf_tables", "missing"),
        "the guard",
    ),
    "no notrack": ("kernel-nft-ct", "error", wanted(), feature("nft_ct", "missing"), "the guard"),
    "no reverse path": ("kernel-nft-fib-inet", "error", wanted(), feature("nft_fib_inet", "missing"), "the guard"),
    "no masquerade": ("kernel-nft-masq", "error", wanted(), feature("nft_masq", "missing"), "outgoing NAT"),
    "strict of all": ("rp-filter-strict", "warning", wanted(), rp_filter(all=1, eth0=0), "max(all=1, eth0=0) = 1"),
    "loose without an address": (
        *("rp-filter-unnumbered", "warning", wanted()),
        both(adds("routes", route("198.51.100.0/24", "eth1")), rp_filter(all=0, eth1=2)),
        "Set net.ipv4.conf.eth1.rp_filter to 0, or give eth1 an address",
    ),
    "strict for all and without an address": (
        *("rp-filter-unnumbered", "warning", wanted()),
        both(adds("routes", route("198.51.100.0/24", "eth1")), rp_filter(all=2, eth1=0)),
        "Set net.ipv4.conf.all.rp_filter to 0",
    ),
    "strict of one": ("rp-filter-strict", "warning", wanted("None"), rp_filter(eth0=1), "max(all=0, eth0=1) = 1"),
    "loose for Felix": (
        "rp-filter-loose",
        "warning",
        wanted(calicos_plugin=True),
        lambda facts: facts["managers"]["udev"].update(policy="none"),
        "Felix",
    ),
    "no forwarding": (
        "forwarding-off",
        "note",
        wanted(),
        lambda facts: facts["sysctl"].update(ip_forward="0"),
        "deploy sets",
    ),
    "no forwarding of one device": (
        "forwarding-device-off",
        "error",
        wanted(),
        lambda facts: facts["sysctl"]["forwarding"].update(eth0=0),
        "net.ipv4.conf.eth0.forwarding = 0",
    ),
    "no forwarding after a boot": (
        "forwarding-off-at-boot",
        "warning",
        wanted(),
        lambda facts: facts["sysctl"]["boot"].append({"file": "/etc/sysctl.d/99-hard.conf", "value": "0"}),
        "after a reboot",
    ),
    "vmxnet3": (
        "offload-vmxnet3",
        "warning",
        wanted("VXLAN"),
        lambda facts: facts.update(links=[link("eth0", driver="vmxnet3")], offloads={"tx-udp_tnl-segmentation": True}),
        "ethtool -K eth0 tx-udp_tnl-segmentation off",
    ),
    "old kernel": (
        "offload-old-kernel",
        "note",
        wanted("IPIP"),
        lambda facts: facts["kernel"].update(release="5.4.0-150-generic"),
        "5.4.0",
    ),
    "calico_mtu too large": (
        "mtu-too-large",
        "error",
        wanted(mtu=1460),
        lambda facts: None,
        "1500 bytes, of which VXLANCrossSubnet leaves 1450",
    ),
    "narrow card": ("mtu-differs", "error", wanted(), lambda facts: facts["links"][1].update(mtu=1400), "1350"),
    "address of nobody": (
        "address-missing",
        "error",
        wanted(),
        node(asked="203.0.113.9", address="", device="", towards_device=""),
        "203.0.113.9 is on no interface",
    ),
    "no address": ("address-missing", "error", wanted(), node(address="", device=""), "Set calico_node_address"),
    "virtual address": ("address-virtual", "error", wanted(), VIP, "192.0.2.100/32 on eth0 beside 192.0.2.12/24"),
    "temporary address": ("address-unfit", "error", wanted(), TEMPORARY, "is temporary"),
    "an IPv6 address that is not there": (
        "address-missing",
        "error",
        wanted(),
        node(ipv6_asked="2001:db8::9", ipv6_address=""),
        "Correct calico_node_ipv6_address",
    ),
    "a virtual IPv6 address": (
        "address-virtual",
        "error",
        wanted(),
        both(
            both(adds("addresses", address("2001:db8::12/64")), adds("addresses", address("2001:db8::100/128"))),
            node(ipv6_asked="2001:db8::100", ipv6_address="2001:db8::100/128"),
        ),
        "Set calico_node_ipv6_address to 2001:db8::12/64",
    ),
    "secondary address": ("address-secondary", "warning", wanted(), SECOND, "192.0.2.50/24"),
    "address of docker0": ("address-device", "error", wanted(), ON_DOCKER, "docker0, which leads to no other host"),
    "address of a dummy": ("address-device", "warning", wanted(), ON_DUMMY, "anchor"),
    "address of another card": (
        "address-elsewhere",
        "warning",
        wanted(),
        node(towards="198.51.100.7", towards_device="eth1"),
        "reached by eth1",
    ),
    "address of another host": (
        "address-twice",
        "error",
        wanted(),
        both(node(address="192.0.2.11/24"), lambda facts: facts.update(addresses=[address("192.0.2.11/24")])),
        "192.0.2.11",
    ),
    "hostname twice": ("hostname-twice", "warning", wanted(), lambda facts: facts.update(hostname="node1"), "node1"),
    "machine-id twice": (
        "machine-id-twice",
        "warning",
        wanted(),
        lambda facts: facts.update(machine_id=f"{1:032x}"),
        "machine-id-setup",
    ),
    "clock": ("clock-apart", "warning", wanted(), lambda f: f["clock"].update(earliest=4, latest=5), "differ by 4 s"),
    "clock without a master": (
        "clock-unsynchronised",
        "note",
        wanted(),
        lambda facts: facts["clock"].update(synchronised=False),
        "chrony",
    ),
    "pool is the underlay": (
        "range-taken",
        "error",
        wanted(cidr="192.0.2.0/24"),
        lambda facts: None,
        "192.0.2.12/24 on eth0",
    ),
    "pool is docker's": (
        "range-taken",
        "error",
        wanted(),
        adds("addresses", address("10.244.17.1/24", "docker0")),
        "10.244.17.1/24 on docker0",
    ),
    "services are routed": (
        "range-taken",
        "error",
        wanted(services=("10.96.0.0/12",)),
        adds("routes", route("10.96.4.0/24", "eth1", 4)),
        "service range 10.96.0.0/12 is in use",
    ),
    "pool within a routed network": (
        "range-routed",
        "warning",
        wanted(),
        adds("routes", route("10.0.0.0/8", "eth1", 4)),
        "route 10.0.0.0/8 by eth1",
    ),
    "pool and services": ("range-twice", "error", wanted(services=("10.244.0.0/20",)), lambda facts: None, "overlap"),
    "no default route": (
        "no-default-route",
        "note",
        wanted(),
        lambda facts: facts.update(pod_gateway=False, routes=[]),
        "169.254.1.1",
    ),
    "a table for the node's address": (
        "policy-routed",
        "warning",
        wanted(),
        both(
            adds("rules", rule(100, 200, "192.0.2.12/32")), adds("routes", route("0.0.0.0/0", gateway=True, table=200))
        ),
        "ip rule add to 10.244.0.0/16 lookup main priority 99",
    ),
    "docker drops": ("forward-dropped", "error", wanted(), firewall(closed=[DOCKER]), "firewall_insert=true"),
    "docker drops beside ufw": (
        "forward-dropped",
        "error",
        wanted(),
        both(firewall(closed=[DOCKER]), lambda facts: facts["managers"].update(ufw_enabled=True)),
        "opens ufw only: accept packets from and to 10.244.0.0/16 in DOCKER-USER",
    ),
    "nftables drops beside firewalld": (
        "input-dropped",
        "warning",
        wanted("VXLAN"),
        both(firewall(closed=[closed("input")]), unit("firewalld.service")),
        "opens firewalld only: let in UDP 4789 in chain input of table inet filter",
    ),
    "ufw drops": ("forward-dropped", "error", wanted(), firewall(closed=[UFW]), "Run podnet.calico.firewall"),
    "firewalld rejects": (
        "forward-dropped",
        "error",
        wanted(),
        firewall(closed=[FIREWALLD]),
        "Run podnet.calico.firewall",
    ),
    "a policy of firewalld": (
        "output-dropped",
        "warning",
        wanted("VXLAN"),
        firewall(closed=[closed("output", table="inet firewalld")]),
        "policy of yours for HOST: let out UDP 4789",
    ),
    "nftables drops": ("forward-dropped", "error", wanted(), firewall(closed=[closed("forward")]), "table inet filter"),
    "input without VXLAN": (
        "input-dropped",
        "warning",
        wanted("VXLAN"),
        firewall(closed=[closed("input", "tcp dport 22 accept")]),
        "accepts no UDP 4789 that comes in",
    ),
    "input without IPIP and BGP": (
        "input-dropped",
        "warning",
        wanted("IPIP"),
        firewall(closed=[closed("input", "udp dport 4789 accept")]),
        "accepts no IP protocol 4 or TCP 179",
    ),
    "output without VXLAN": (
        "output-dropped",
        "warning",
        wanted("VXLAN"),
        firewall(closed=[closed("output", "ip daddr 203.0.113.1 accept")]),
        "that goes out",
    ),
    "two iptables": (
        "iptables-mixed",
        "warning",
        wanted(),
        firewall(rules={"legacy": 3, "nft": 12}),
        "legacy: 3, nft: 12; iptables is nf_tables",
    ),
    "two firewalls": (
        "firewalls-several",
        "warning",
        wanted(),
        unit("firewalld.service", "ufw.service"),
        "firewalld.service, ufw.service",
    ),
    "nm-cloud-setup": ("nm-cloud-setup", "warning", wanted(), unit("nm-cloud-setup.timer"), "disable --now"),
    "networkd": (
        "networkd-routes",
        "note",
        wanted(),
        lambda facts: facts["managers"].update(networkd_keeps_routes=False),
        "systemd-networkd deletes routes",
    ),
    "NetworkManager": ("nm-pods", "note", wanted(), unit("NetworkManager.service"), "unmanaged-devices"),
    "udev": (
        "udev-mac",
        "note",
        wanted(),
        lambda f: f["managers"]["udev"].update(policy="persistent", file="/usr/lib/systemd/network/99-default.link"),
        "99-default.link",
    ),
    "a rival": (
        "cni-rival",
        "warning",
        wanted(),
        cni(rivals=[{"file": "05-flannel.conflist", "reason": "sorts before ours"}]),
        "05-flannel.conflist sorts before ours",
    ),
    "all networks are taken": (
        *("cni-several", "warning", wanted()),
        cni(taken=0, taken_too=[{"file": "99-b.conf", "reason": "is not JSON"}]),
        "max_conf_num = 0: 99-b.conf is not JSON",
    ),
    "a plugin is missing": (
        *("cni-plugin-missing", "warning", wanted()),
        cni(missing_plugins=["/usr/lib/cni/ptp"]),
        "/usr/lib/cni/ptp",
    ),
    "flannel's links": ("leftover-links", "warning", wanted(), cni(links=["flannel.1"]), "flannel.1"),
    "Felix' routes": ("leftover-routes", "warning", wanted(), cni(routes=7), "7 routes with protocol 80"),
    "Felix' chains": (
        "leftover-chains",
        "warning",
        wanted(),
        firewall(foreign_chains=[f"cali-{number}" for number in range(8)]),
        "and 2 more",
    ),
    "Calico's files": ("leftover-files", "note", wanted(), cni(traces=["/var/lib/calico/nodename"]), "nodename"),
}


IPV6 = {"cidr": "fd00::/64", "encapsulation": "VXLAN"}
BROKEN["advertisements"] = (
    "router-advertisements",
    "note",
    wanted(**IPV6),
    lambda facts: facts.update(advertised={"eth0": 1, "eth1": 2}),
    "net.ipv6.conf.eth0.accept_ra = 1",
)


@pytest.mark.parametrize("advertised, want", [({"eth0": 2}, wanted(**IPV6)), ({"eth0": 1}, wanted())])
def test_advertisements_that_nothing_makes_the_kernel_forget_are_no_finding(
    advertised: dict[str, int], want: Wanted
) -> None:
    found = hosts()
    found["node2"]["advertised"] = advertised
    assert judge(found, want)["findings"] == []


@pytest.mark.parametrize(("kind", "severity", "want", "broken", "word"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_named(kind: str, severity: str, want: Wanted, broken: Break, word: str) -> None:
    found = hosts()
    broken(found["node2"])
    verdict = judge(found, want)
    row = next(row for row in verdict["findings"] if row["kind"] == kind)
    assert row["severity"] == severity
    assert row["tag"] in AREAS
    assert row["fixable"] is (kind in FIXABLE)
    assert "node2" in row["hosts"]
    assert word in " ".join([row["what"], row["why"], row["remedy"], *row["evidence"].values()])
    assert verdict["ok"] is (severity != "error")
    assert not verdict["counts"]["error"] or verdict["failure"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 3])
def test_healthy_hosts_have_no_findings(mode: str, count: int) -> None:
    verdict = judge(hosts(count), wanted(mode, services=("10.96.0.0/12",)))
    assert verdict["findings"] == []
    assert verdict["lines"][-1] == f"{count} host{'s' if count > 1 else ''}: ready to deploy"


def test_hosts_with_a_deployment_have_no_findings() -> None:
    found = hosts()
    for facts in found.values():
        facts["links"] += [link("vxlan.calico", "vxlan", 1450), link("tunl0", "ipip")]
        facts["addresses"] += [address("10.244.3.0/32", "vxlan.calico")]
        facts["routes"] += [
            route("10.244.4.0/26", "vxlan.calico", 98),
            route("10.244.5.0/26", "eth0", 12),
            route("10.244.3.7/32", "cali0123456789a", 98),
            {**route("10.244.3.0/26", protocol=98), "devices": []},
        ]
    assert judge(found, wanted())["findings"] == []


# What accepts enough, so that the policy does not matter.
OPEN = {
    "everything": closed("input", "accept"),
    "with a comment": closed("input", '-m comment --comment "all of it" -j ACCEPT', tool="iptables-nft"),
    "from the nodes": closed("input", "ip saddr 192.0.2.0/24 accept"),
    "from the nodes, in iptables": closed("input", "-s 192.0.2.0/24 -j ACCEPT", tool="iptables-nft"),
    "by protocol": closed(
        "input", "ip protocol ipencap accept", "udp dport 4789 accept", "tcp dport { 179, 22 } accept"
    ),
    "pods, forwarded": closed("forward", "ip saddr 10.244.0.0/16 accept"),
    "pods' links, forwarded": closed("forward", "-i cali+ -j ACCEPT"),
    "IPv6 only": closed("forward", table="ip6 filter"),
}


@pytest.mark.parametrize("chain", OPEN.values(), ids=OPEN)
def test_a_firewall_that_is_open_enough_is_no_finding(chain: Facts) -> None:
    found = hosts()
    found["node1"]["firewall"]["closed"] = [chain]
    for mode in ("IPIP", "VXLAN"):
        assert judge(found, wanted(mode))["findings"] == []


def test_rules_for_some_ports_or_nodes_are_not_enough() -> None:
    for text in ("ip saddr 192.0.2.0/24 tcp dport 22 accept", "ip saddr 192.0.2.11 accept", "-i lo -j ACCEPT"):
        found = hosts()
        found["node1"]["firewall"]["closed"] = [closed("input", text)]
        assert [row["kind"] for row in judge(found, wanted("VXLAN"))["findings"]] == ["input-dropped"]


def test_a_mode_that_does_not_need_it_does_not_complain() -> None:
    found = hosts()
    for facts in found.values():
        feature("ipip", "missing")(facts)
    assert judge(found, wanted("VXLAN"))["findings"] == []
    found["node1"]["kernel"]["features"]["vxlan"] = "missing"
    assert judge(found, wanted("None"))["findings"] == []


def test_clocks_are_apart_only_if_it_is_certain() -> None:
    found = hosts()
    found["node2"]["clock"].update(earliest=-3.0, latest=6.0)
    assert judge(found, wanted())["findings"] == []
    found["node3"]["clock"].update(earliest=-10.0, latest=-9.0)
    (row,) = judge(found, wanted())["findings"]
    assert (row["kind"], row["hosts"]) == ("clock-apart", ["node3"])


def test_findings_are_joined_over_hosts_and_errors_come_first() -> None:
    found = hosts()
    for facts in found.values():
        feature("vxlan", "missing")(facts)
    rp_filter(eth0=1)(found["node2"])
    lines = judge(found, wanted())["lines"]
    assert lines[0] == "ERROR  all 3 hosts: the kernel's vxlan is missing [kernel-vxlan]"
    assert "WARNING  node2 (of 3): rp_filter is strict on eth0 [rp-filter-strict]" in lines
    assert "or run this with --tags fix" in " ".join(" ".join(lines).split())
    assert lines[-1] == "3 hosts: errors: 1, warnings: 1; do not deploy yet"
    assert max(map(len, lines)) <= 73


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["node1"], "node1 (of 12)"),
        ([f"node{n}" for n in range(1, 9)], "node1, node2, node3, node4, node5 and 3 more (of 12)"),
    ],
)
def test_hosts_in_words(names: list[str], text: str) -> None:
    assert scope(names, [f"node{n}" for n in range(1, 13)]) == text


def test_hosts_that_could_not_be_looked_at_are_named() -> None:
    assert "Not looked at: node4" in judge(hosts(), wanted(), unseen=["node4"])["lines"]


def test_what_is_ignored_is_a_note() -> None:
    found = hosts()
    feature("vxlan", "missing")(found["node1"])
    verdict = judge(found, wanted(), ignore=["kernel-vxlan"])
    assert verdict["ok"]
    assert verdict["findings"][0]["what"] == "the kernel's vxlan is missing (ignored)"


def test_the_probe_is_part_of_the_page() -> None:
    lost = {"kind": "ipip", "what": "IP protocol 4 is lost between all nodes", "pairs": ["node1 -> node2"]}
    probe = {"findings": [{**lost, "remedy": "Let it pass", "severity": "error"}], "recommended": None}
    assert judge(hosts(), wanted("IPIP"), probe)["failure"] == "IP protocol 4 is lost between all nodes"
    probe["findings"][0]["severity"] = "information"
    verdict = judge(hosts(), wanted("VXLAN"), {**probe, "recommended": {"encapsulation": "VXLAN", "mtu": 1450}})
    assert verdict["ok"]
    assert "Recommended: VXLAN with an MTU of 1450" in verdict["lines"]
    broken = judge(hosts(), wanted(), {"broken": "no route", "findings": []})
    assert broken["counts"] == {"error": 0, "warning": 1, "note": 0}


def test_what_can_be_mended_is_told_to_the_module() -> None:
    found = hosts()
    broken = found["node2"]
    broken["sysctl"].update(ip_forward="0", rp_filter={"all": 1, "eth0": 0})
    broken["managers"].update(networkd_keeps_routes=False)
    fixes = judge(found, wanted())["fixes"]
    assert fixes["node2"] == {
        "sysctls": {"net.ipv4.conf.eth0.rp_filter": "2", "net.ipv4.ip_forward": "1"},
        "networkd": True,
        "network_manager": False,
        "udev": False,
        "underlay": ["eth0"],
    }
    assert not any([fixes["node1"]["sysctls"], fixes["node1"]["networkd"], fixes["node1"]["udev"]])
    some = judge(found, wanted(), fix=["forwarding-off"])["fixes"]["node2"]
    assert (some["sysctls"], some["networkd"]) == ({"net.ipv4.ip_forward": "1"}, False)


@pytest.mark.parametrize(
    ("fix", "tagged", "kinds"),
    [
        (False, False, []),
        ("false", False, []),
        (True, False, list(FIXABLE)),
        ("true", False, list(FIXABLE)),
        (False, True, list(FIXABLE)),
        (["udev-mac"], True, ["udev-mac"]),
        ("udev-mac, nm-pods", False, ["udev-mac", "nm-pods"]),
        ("no,", False, []),
        ("udev-mac,", False, ["udev-mac"]),
    ],
)
def test_what_is_to_be_mended_can_be_chosen(fix: object, tagged: bool, kinds: list[str]) -> None:
    assert chosen(fix, [], tagged=tagged) == kinds


@pytest.mark.parametrize(
    ("fix", "ignore", "words"),
    [
        (False, ["machine-id-twise"], ['preflight_ignore: "machine-id-twise"', "Do you mean machine-id-twice?"]),
        (False, "machine-id-twice,mtu", ['preflight_ignore: "mtu" is no kind']),
        (["udev"], [], ['preflight_fix: "udev"', "Do you mean udev-mac?"]),
        (["address-twice"], ["zzz"], ["2 problems", 'preflight_fix: "address-twice" is no kind', "There are address-"]),
    ],
)
def test_kinds_that_there_are_not_are_refused(fix: object, ignore: object, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        chosen(fix, ignore, tagged=False)
    assert [word for word in words if word not in str(caught.value)] == []


def test_every_kind_is_broken_here_and_documented() -> None:
    sources = "".join(path.read_text() for path in PREFLIGHT.glob("rules_*.py"))
    kinds = set(re.findall(r'Finding\(\s*f?"([a-z0-9-]+)"', sources)) | {"input-dropped", "output-dropped"}
    kinds |= {f"leftover-{what}" for what in ("links", "chains", "routes")}
    kinds |= {f"kernel-{what}" for what in ("ipip", "vxlan", "veth", "nf-tables", "nft-masq", "nft-ct")}
    kinds |= {"kernel-nft-fib-inet"}
    elsewhere = {"cloud-mode", "plan-refused", "plan-failed"}  # test_cloud.py and test_plan.py
    kinds -= elsewhere
    assert {kind for kind, *__ in BROKEN.values()} == kinds
    documented = set(re.findall(r"^\| `([a-z0-9-]+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    probed = {f"probe-{kind}" for kind in ("plain", "pod", "ipip", "vxlan", "mtu", "tcp", "udp", "failed")}
    assert documented == set(KINDS) == kinds | probed | elsewhere


def test_the_tests_that_the_table_of_pains_names_are_there() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert [int(number) for number, __ in rows] == [*range(1, 10), *range(20, 24)]
    for __, cell in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)`|`(test_\w+)?(?:\[([^]]+)\])?`", cell)
        assert [path for path, *__ in named if path]
        text = ""
        for path, function, case in named:
            text = (DOCUMENT.parents[1] / path).read_text() if path else text
            assert not function or f"def {function}(" in text, function
            assert not case or f'"{case}"' in text, case
