# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_firewall with nftables and iptables in a namespace, and packets that meet them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.firewalled import (
    ABSENT,
    FORWARDED,
    INSERT,
    LET_IN,
    NFTABLES,
    NODE,
    NODE6,
    PRESENT,
    SHUT,
    STRANGER,
    STRANGER6,
    Site,
    files,
)
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace

UNIT = "podnet-calico-firewall.service"


@pytest.fixture
def site(modules: Modules, new_namespace: t.Callable[[str], Namespace], tmp_path: Path) -> t.Iterator[Site]:
    """Return a host with the machine's own programs."""
    with Site.made(modules, new_namespace, tmp_path, None) as found:
        yield found


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
    assert files(site) == ["podnet-calico", UNIT, UNIT]  # and the link by which it starts at boot
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
