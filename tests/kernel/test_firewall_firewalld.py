# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_firewall with firewalld in a namespace, and packets that meet it."""

from __future__ import annotations

from ansible_collections.podnet.calico.tests.kernel.firewalled import (
    ABSENT,
    FORWARDED,
    LET_IN,
    NODE,
    OTHER_POD,
    PRESENT,
    SHUT,
    STRANGER,
    Site,
    files,
)

pytest_plugins = ["ansible_collections.podnet.calico.tests.kernel.firewall_fixtures"]


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
