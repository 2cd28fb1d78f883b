# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_firewall with firewalld and ufw in a namespace, and packets that meet them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.firewalled import (
    ABSENT,
    FORWARDED,
    LET_IN,
    NFTABLES,
    NODE,
    OTHER_POD,
    PRESENT,
    SHUT,
    STRANGER,
    Site,
    files,
)
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace
from ansible_collections.podnet.calico.tests.tools import firewalls


@pytest.fixture
def with_firewalls(modules: Modules, new_namespace: t.Callable[[str], Namespace], tmp_path: Path) -> t.Iterator[Site]:
    """Return a host that has firewalld and ufw."""
    try:
        root = firewalls.root()
    except firewalls.Unavailable as error:
        pytest.skip(str(error))
    with Site.made(modules, new_namespace, tmp_path, root) as found:
        yield found


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
