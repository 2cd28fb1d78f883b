# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_firewall with ufw in a namespace, and packets that meet it."""

from __future__ import annotations

from ansible_collections.podnet.calico.tests.kernel.firewalled import (
    ABSENT,
    FORWARDED,
    LET_IN,
    NFTABLES,
    NODE,
    PRESENT,
    SHUT,
    STRANGER,
    Site,
)

pytest_plugins = ["ansible_collections.podnet.calico.tests.kernel.firewall_fixtures"]


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
