# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_firewall with nftables, iptables, firewalld and ufw in a namespace, and packets that meet them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.firewalled import (
    NODE,
    NODE6,
    OTHER_POD,
    POD,
    STRANGER,
    STRANGER6,
    Site,
)
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.tools import firewalls

PRESENT: Result = {
    "open": ["ip protocol 4", "udp 4789", "tcp 179"],
    "nodes": [NODE, "2001:db8::12", "2001:db8::13", "2001:db8::14"],
    "pods": ["10.244.0.0/16", "fd00::/48"],
}
INSERT: Result = {**PRESENT, "insert": True}
ABSENT: Result = {"state": "absent"}
LET_IN = {"ip protocol 4": [NODE], "udp 4789": [NODE], "udp 4790": [], "tcp 179": [NODE], "tcp 23": []}
SHUT: dict[str, list[str]] = {name: [] for name in LET_IN}
FORWARDED = {"to a pod": [NODE, OTHER_POD], "from a pod": [POD]}
NFTABLES = """flush ruleset
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        tcp dport 2222 accept
    }
    chain forward { type filter hook forward priority 0; policy drop; }
    chain output { type filter hook output priority 0; policy drop; ct state established accept; }
}
"""


@pytest.fixture
def site(modules: Modules, new_namespace: t.Callable[[str], Namespace], tmp_path: Path) -> t.Iterator[Site]:
    """Return a host with the machine's own programs."""
    found = Site(modules, new_namespace, tmp_path, None)
    yield found
    found.close()


@pytest.fixture
def with_firewalls(modules: Modules, new_namespace: t.Callable[[str], Namespace], tmp_path: Path) -> t.Iterator[Site]:
    """Return a host that has firewalld and ufw."""
    try:
        root = firewalls.root()
    except firewalls.Unavailable as error:
        pytest.skip(str(error))
    found = Site(modules, new_namespace, tmp_path, root)
    yield found
    found.close()


def files(site: Site) -> list[str]:
    return sorted(path.name for path in site.etc.rglob("*podnet*"))


def test_without_a_firewall_there_is_nothing_to_do(site: Site) -> None:
    assert site.let_in()["tcp 23"] != []
    done = site.converge(INSERT)
    assert (done["changed"], done["backend"], files(site), site.rules()) == (False, "none", [], "")


def test_chains_of_others_are_left_alone_unless_asked(site: Site) -> None:
    site.run("nft", "-f", "-", text=NFTABLES)
    before = site.rules()
    answer = site.module(PRESENT)
    assert answer["failed"] is True
    assert f"ip saddr {NODE} ip protocol 4 accept" in answer["msg"]
    assert "nft, table inet filter, chain forward (policy drop)" in answer["msg"]
    assert (site.rules(), files(site)) == (before, [])


def test_nftables(site: Site) -> None:
    site.run("nft", "-f", "-", text=NFTABLES)
    before = site.rules()
    assert site.dropped() == {"input-dropped", "forward-dropped", "output-dropped"}
    assert (site.let_in(), site.forwarded()) == (SHUT, {"to a pod": [], "from a pod": []})
    done = site.converge(INSERT)
    assert (done["backend"], done["closed"]) == ("chains", [])
    unit = "podnet-calico-firewall.service"
    assert files(site) == ["podnet-calico", unit, unit]  # and the link by which it starts at boot
    assert (site.let_in(), site.forwarded()) == (LET_IN, FORWARDED)
    assert site.dropped() == set()
    site.run("nft", "-f", "-", text=NFTABLES)
    assert site.let_in() == SHUT
    site.run("/etc/podnet-calico/firewall")
    site.run("/etc/podnet-calico/firewall")
    assert (site.let_in(), site.forwarded()) == (LET_IN, FORWARDED)
    assert site.converge(INSERT)["changed"] is False
    site.converge(ABSENT)
    assert (site.rules(), files(site)) == (before, [])


def test_bgp_peers_that_are_no_nodes(site: Site) -> None:
    neighbours = "type filter hook {} priority 0; policy drop; meta l4proto ipv6-icmp accept;"
    text = NFTABLES
    for hook in ("input", "output"):
        text = text.replace(f"type filter hook {hook} priority 0; policy drop;", neighbours.format(hook))
    site.run("nft", "-f", "-", text=text)
    nodes = {**INSERT, "nodes": [NODE, NODE6]}
    assert site.bgp() == {"in": [], "out": []}
    site.converge(nodes)
    assert site.bgp() == {"in": [NODE, NODE6], "out": [NODE, NODE6]}
    everyone = [NODE, STRANGER, NODE6, STRANGER6]
    peers = [{"address": address, "port": 179, "local_port": 179} for address in (STRANGER, STRANGER6)]
    site.converge({**nodes, "peers": peers})
    assert site.bgp() == {"in": everyone, "out": everyone}
    assert site.let_in() == {**LET_IN, "tcp 179": [STRANGER, NODE]}


def test_nftables_that_change_and_rules_that_somebody_spoiled(site: Site) -> None:
    site.run("nft", "-f", "-", text=NFTABLES)
    site.converge(INSERT)
    assert site.converge({**INSERT, "nodes": [NODE, "192.0.2.14", "192.0.2.15"], "open": ["udp 4789"]})["changed"]
    assert site.let_in() == {**SHUT, "udp 4789": [NODE]}
    site.run("nft", "add", "rule", "inet", "filter", "podnet_calico_input", "tcp", "dport", "23", "accept")
    assert site.converge(INSERT)["changed"]
    assert site.let_in() == LET_IN
    handle = (
        site.run("nft", "-a", "list", "chain", "inet", "filter", "input").split("podnet_calico_input")[1].split()[4]
    )
    site.run("nft", "delete", "rule", "inet", "filter", "input", "handle", handle)
    assert site.let_in() == SHUT
    site.converge(INSERT)
    assert site.let_in() == LET_IN


def test_iptables(site: Site) -> None:
    for tool in ("iptables-nft", "ip6tables-nft"):
        for chain in ("INPUT", "FORWARD"):
            site.run(tool, "-P", chain, "DROP")
    site.run("iptables-nft", "-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT")
    before = site.run("iptables-nft", "-S")
    assert (site.let_in(), site.forwarded()) == (SHUT, {"to a pod": [], "from a pod": []})
    site.converge(INSERT)
    assert (site.let_in(), site.forwarded()) == (LET_IN, FORWARDED)
    assert site.dropped() == set()
    site.run("iptables-nft", "-F")
    assert site.let_in() == SHUT
    site.run("/etc/podnet-calico/firewall")
    assert site.let_in() == LET_IN
    site.run("iptables-nft", "-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT")
    assert "-s 2001:db8::12/127 -p udp -m udp --dport 4789" in site.run("ip6tables-nft", "-S")
    site.converge(ABSENT)
    assert (site.run("iptables-nft", "-S"), files(site)) == (before, [])
    assert "PODNET" not in site.run("ip6tables-nft", "-S")


def test_firewalld(with_firewalls: Site) -> None:
    site = with_firewalls
    site.start_firewalld()
    before = site.rules()
    assert site.dropped() == {"input-dropped", "forward-dropped"}
    assert (site.let_in(), site.forwarded()["to a pod"]) == (SHUT, [])
    done = site.converge(PRESENT)
    assert (done["backend"], done["closed"]) == ("firewalld", [])
    assert (site.let_in(), site.forwarded()) == (LET_IN, FORWARDED)
    assert site.dropped() == set()
    for way in ("--reload", "--complete-reload"):
        site.run("firewall-cmd", way)
        assert (site.let_in(), site.forwarded()) == (LET_IN, FORWARDED)
    assert site.converge({**PRESENT, "open": ["udp 4789"], "clients": ["198.51.100.0/24"]})["changed"]
    assert site.let_in() == {**SHUT, "udp 4789": [NODE]}
    assert site.forwarded()["to a pod"] == ["198.51.100.9", NODE, OTHER_POD]
    site.converge({**PRESENT, "peers": [{"address": STRANGER}]})
    assert site.let_in() == {**LET_IN, "tcp 179": [STRANGER, NODE]}
    site.converge(ABSENT)
    assert (site.rules(), files(site)) == (before, [])


def test_firewalld_that_was_not_told(with_firewalls: Site) -> None:
    site = with_firewalls
    site.start_firewalld()
    site.converge(PRESENT)
    site.run("firewall-cmd", "--ipset=podnet-nodes4", f"--remove-entry={NODE}")
    assert site.let_in() == SHUT
    assert [each["name"] for each in site.converge(PRESENT)["changes"]] == ["firewalld"]
    assert site.let_in() == LET_IN


def test_ufw(with_firewalls: Site) -> None:
    site = with_firewalls
    site.run("ufw", "--force", "enable")
    paths = [site.etc / "ufw" / name for name in ("before.rules", "before6.rules")]
    texts = [path.read_text() for path in paths]
    assert site.dropped() == {"input-dropped", "forward-dropped"}
    assert (site.let_in(), site.forwarded()["to a pod"]) == (SHUT, [])
    done = site.converge(PRESENT)
    assert (done["backend"], done["closed"]) == ("ufw", [])
    assert (site.let_in(), site.forwarded()) == (LET_IN, FORWARDED)
    assert site.dropped() == set()
    for verbs in (("reload",), ("disable", "enable")):
        for verb in verbs:
            site.run("ufw", "--force", verb)
        assert (site.let_in(), site.forwarded()) == (LET_IN, FORWARDED)
    site.run("iptables", "-F", "ufw-before-input")
    assert [each["name"] for each in site.converge(PRESENT)["changes"]] != []
    assert site.let_in() == LET_IN
    site.converge({**PRESENT, "peers": [{"address": STRANGER}]})
    assert site.let_in() == {**LET_IN, "tcp 179": [STRANGER, NODE]}
    site.converge(ABSENT)
    assert [path.read_text() for path in paths] == texts
    assert "podnet" not in site.run("iptables-save") + site.run("ip6tables-save")


def test_what_another_tool_drops_is_said(with_firewalls: Site) -> None:
    site = with_firewalls
    site.run("ufw", "--force", "enable")
    site.run("nft", "-f", "-", text=NFTABLES.replace("flush ruleset", ""))
    done = site.converge(PRESENT)
    assert {row["place"] for row in done["closed"]} >= {"nft, table inet filter, chain input"}
    assert len(done["warnings"]) == len(done["closed"]) == 3
