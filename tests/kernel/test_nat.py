# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_nat against this kernel; the oracle is `nft list`."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.nat_shown import NAT, SMALL, actions, ruleset, table
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

# What other people have, some of it close to what is ours.
FOREIGN = (
    "nft add table ip podnet_calico",
    "nft add table inet user",
    "nft add chain inet user postrouting { type nat hook postrouting priority srcnat ; }",
    "nft add rule inet user postrouting ip saddr 203.0.113.0/24 counter masquerade",
    "iptables-nft -t nat -A POSTROUTING -s 203.0.113.0/24 -j MASQUERADE",
    "ip6tables-nft -A FORWARD -d 2001:db8:9::/64 -j DROP",
)


def test_life_of_the_table_beside_what_others_have(
    host: Namespace, converge: RunModule, run_module: RunModule, golden: t.Callable[[str, str], None]
) -> None:
    for command in FOREIGN:
        host.run(command)
    before = ruleset(host)
    predicted = run_module("calico_nat", NAT, check=True)
    assert ruleset(host) == before
    done = converge("calico_nat", NAT)
    assert predicted["changes"] == done["changes"]
    assert {action for action, __ in actions(done)} == {"create"}
    assert {"masquerade fd00:1::/64", "pool 10.244.0.0/16", "rule pods IPv4"} < {name for __, name in actions(done)}
    golden("nft/podnet_calico.nft", table(host))
    assert ruleset(host).startswith(before)
    removed = converge("calico_nat", {"state": "absent"})
    assert {action for action, __ in actions(removed)} == {"delete"}
    assert ruleset(host) == before


def test_without_anything_to_masquerade_there_is_no_table(host: Namespace, converge: RunModule) -> None:
    before = ruleset(host)
    nothing = {**NAT, "masquerade": []}
    assert converge("calico_nat", nothing)["changed"] is False
    converge("calico_nat", NAT)
    assert converge("calico_nat", nothing)["changed"] is True
    assert ruleset(host) == before


# By name: the options before and after, and the changes between them.
REPLACEMENTS: dict[str, tuple[Result, Result, list[tuple[str, str]]]] = {
    "one pool more": (
        {"pools": ["10.244.0.0/16"]},
        {"pools": ["10.244.0.0/16", "10.246.0.0/16"]},
        [("create", "pool 10.246.0.0/16")],
    ),
    "a pool next to another": (
        {"pools": ["10.244.0.0/16"]},
        {"pools": ["10.244.0.0/16", "10.245.0.0/16"]},
        [("create", "pool 10.245.0.0/16")],
    ),
    "a pool within another": (
        {"pools": ["10.244.0.0/16", "10.246.0.0/16"]},
        {"pools": ["10.244.0.0/16", "10.244.8.0/24"]},
        [("delete", "pool 10.246.0.0/16")],
    ),
    "another range": (
        {"masquerade": ["10.244.0.0/16"]},
        {"masquerade": ["10.244.0.0/17"]},
        [("delete", "masquerade 10.244.0.0/16"), ("create", "masquerade 10.244.0.0/17")],
    ),
    "an address to spare": (
        {"exclude": ["192.0.2.12"]},
        {"exclude": ["192.0.2.12", "192.0.2.14"]},
        [("create", "exclude 192.0.2.14/32")],
    ),
    "another tunnel": (
        {"tunnels": ["vxlan.calico"]},
        {"tunnels": ["tunl0"]},
        [("create", "rule tunnel tunl0"), ("delete", "rule tunnel vxlan.calico")],
    ),
    "one IP version less": (
        {"masquerade": ["10.244.0.0/16", "fd00:1::/64"], "pools": ["10.244.0.0/16", "fd00:1::/64"]},
        {"pools": ["10.244.0.0/16", "fd00:1::/64"]},
        [("delete", name) for name in ("masquerade fd00:1::/64", "pool fd00:1::/64", "rule pods IPv6")]
        + [("delete", "set masquerade6"), ("delete", "set pools6")],
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), REPLACEMENTS.values(), ids=REPLACEMENTS)
def test_only_what_differs_is_named(
    converge: RunModule, before: Result, after: Result, expected: list[tuple[str, str]]
) -> None:
    converge("calico_nat", {**SMALL, **before})
    assert actions(converge("calico_nat", {**SMALL, **after})) == expected


@pytest.mark.parametrize(
    "pools",
    [
        ["10.244.0.0/17", "10.244.128.0/17"],
        ["10.244.0.0/16", "10.244.7.0/24"],
        ["0.0.0.0/0", "10.244.0.0/16"],
        ["10.244.0.0/16", "255.255.255.255/32"],
        ["10.244.0.0/16", "::/0", "fd00:1::/64"],
    ],
    ids=["adjacent", "overlapping", "everything", "the last address", "two versions"],
)
def test_ranges_that_touch_are_joined_but_named_as_given(converge: RunModule, pools: list[str]) -> None:
    versions = {":" in pool for pool in pools}
    inside = ["10.244.0.0/16", *(["fd00:1::/64"] if True in versions else [])]
    done = converge("calico_nat", {"masquerade": inside, "pools": pools})
    assert [name for __, name in actions(done) if name.startswith("pool ")] == sorted(f"pool {p}" for p in pools)


INVALID: dict[str, tuple[Result, list[str]]] = {
    "host bits": ({"pools": ["10.244.0.1/16"]}, ['pools: "10.244.0.1/16" cannot be used', "without host bits"]),
    "no prefix length": ({"masquerade": ["10.244.0.0"]}, ['masquerade: "10.244.0.0" cannot be used']),
    "no address": ({"exclude": ["node2"]}, ['exclude: "node2" cannot be used']),
    "not within pools": (
        {"masquerade": ["10.243.0.0/16"]},
        ["masquerade: 10.243.0.0/16 is not within pools", "List in pools the ranges of all pods"],
    ),
    "another version than pools": ({"masquerade": ["fd00:1::/64"]}, ["fd00:1::/64 is not within pools"]),
    "no device": ({"tunnels": ["vxlan*"]}, ['tunnels: "vxlan*" is not the name of a device']),
    "two at once": (
        {"pools": ["10.244.0.1/16"], "tunnels": ["a device"]},
        ["2 problems", 'pools: "10.244.0.1/16"', 'tunnels: "a device"'],
    ),
}


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "run"])
@pytest.mark.parametrize(("options", "texts"), INVALID.values(), ids=INVALID)
def test_invalid_input_touches_nothing(
    host: Namespace, run_module: RunModule, options: Result, texts: list[str], check: bool
) -> None:
    run_module("calico_nat", NAT)
    before = ruleset(host)
    failed = run_module("calico_nat", {**SMALL, **options}, check=check)
    assert failed["failure"]["kind"] == "InvalidInput"
    assert [text for text in texts if text not in failed["msg"]] == []
    assert ruleset(host) == before


def test_what_is_masqueraded_has_to_be_said(run_module: RunModule) -> None:
    failed = run_module("calico_nat", {"tunnels": ["tunl0"]})
    assert failed["msg"] == "state is present but all of the following are missing: masquerade, pools"


def test_without_nft_a_run_says_what_to_install(host: Namespace, modules: Modules, tmp_path: Path) -> None:
    binds = {"/usr/sbin": str(tmp_path)}
    predicted = modules.run(host.path, "calico_nat", NAT, check=True, binds=binds)
    assert predicted["changed"]
    failed = modules.run(host.path, "calico_nat", NAT, binds=binds)
    assert failed["failure"]["kind"] == "KernelError"
    assert failed["msg"] == (
        "replace the nftables table inet podnet_calico: there is no nft. Install it (Debian: nftables)"
    )
    absent = modules.run(host.path, "calico_nat", {"state": "absent"}, binds=binds)
    assert (absent["changed"], absent["changes"]) == (False, [])


def test_without_the_right_to_the_refusal_says_what_is_needed(
    host: Namespace, modules: Modules, tmp_path: Path
) -> None:
    before = ruleset(host)
    shutil.copy2("/usr/sbin/nft", tmp_path / "real-nft")
    script = tmp_path / "nft"
    script.write_text('#!/bin/sh\nexec setpriv --bounding-set=-net_admin /usr/sbin/real-nft "$@"\n')
    script.chmod(0o755)
    failed = modules.run(host.path, "calico_nat", NAT, binds={"/usr/sbin": str(tmp_path)})
    assert failed["failure"]["kind"] == "KernelError"
    assert failed["msg"].startswith("read the nftables table inet podnet_calico: Operation not permitted")
    needs = "It needs root (become: true) and a kernel with nf_tables, nft_masq, nft_ct and nft_fib_inet"
    assert failed["msg"].endswith(needs)
    assert ruleset(host) == before


def test_a_table_that_a_process_keeps_for_itself_is_left_alone(host: Namespace, run_module: RunModule) -> None:
    command = ["nsenter", f"--net={host.path}", "nft", "-i"]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdin is not None
    owner.stdin.write("add table inet podnet_calico { flags owner; }\n")
    owner.stdin.flush()
    try:
        wait_for(lambda: "table inet podnet_calico" in host.run("nft list tables").stdout, "the owner's table")
        before = ruleset(host)
        failed = run_module("calico_nat", NAT)
        assert failed["failure"]["kind"] == "KernelError"
        assert failed["msg"].startswith("read the nftables table inet podnet_calico: it belongs to a process")
        assert ruleset(host) == before
    finally:
        owner.communicate()
