# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_nat against this kernel; the oracle is `nft list`."""

from __future__ import annotations

import itertools
import select
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result

NAT: Result = {
    "masquerade": ["10.244.0.0/16", "fd00:1::/64"],
    "pools": ["10.244.0.0/16", "10.245.0.0/16", "fd00:1::/64", "fd00:2::/64"],
    "tunnels": ["vxlan.calico"],
}
# What other people have, some of it close to what is ours.
FOREIGN = (
    "nft add table ip podnet_calico",
    "nft add table inet user",
    "nft add chain inet user postrouting { type nat hook postrouting priority srcnat ; }",
    "nft add rule inet user postrouting ip saddr 203.0.113.0/24 counter masquerade",
    "iptables-nft -t nat -A POSTROUTING -s 203.0.113.0/24 -j MASQUERADE",
    "ip6tables-nft -A FORWARD -d 2001:db8:9::/64 -j DROP",
)


def ruleset(host: Namespace) -> str:
    return host.run("nft -a list ruleset").stdout


def table(host: Namespace) -> str:
    return host.run("nft list table inet podnet_calico").stdout


def actions(result: Result) -> list[tuple[str, str]]:
    return [(change["action"], change["name"]) for change in result["changes"]]


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
SMALL: Result = {"masquerade": ["10.244.0.0/16"], "pools": ["10.244.0.0/16"]}


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


OUR = "inet podnet_calico"
# By name: what somebody does to the table, and the changes that put it right.
DAMAGES: dict[str, tuple[list[str], list[tuple[str, str]]]] = {
    "table deleted": ([f"delete table {OUR}"], []),  # everything is made, as the first test says
    "table asleep": ([f"add table {OUR} {{ flags dormant ; }}"], [("replace", "table podnet_calico")]),
    "rules flushed": (
        [f"flush chain {OUR} postrouting"],
        [("create", f"rule {name}") for name in ("pods IPv4", "pods IPv6", "tunnel vxlan.calico")],
    ),
    "rule deleted": ([f"delete rule {OUR} postrouting handle HANDLE"], [("create", "rule pods IPv4")]),
    "rule altered": (
        [f'replace rule {OUR} postrouting handle HANDLE ip saddr @masquerade4 masquerade comment "pods IPv4"'],
        [("replace", "rule pods IPv4")],
    ),
    "rule with less randomness": (
        [f"replace rule {OUR} postrouting handle HANDLE ip saddr @masquerade4 ip daddr != @pools4 masquerade random"],
        [("delete", "rule 1"), ("create", "rule pods IPv4")],
    ),
    "rule added before ours": ([f"insert rule {OUR} postrouting return"], [("delete", "rule 1")]),
    "rule twice": (
        [f'add rule {OUR} postrouting oifname "vxlan.calico" accept comment "tunnel vxlan.calico"'],
        [("delete", "rule 4")],
    ),
    "element deleted": (
        [f"delete element {OUR} masquerade4 {{ 10.244.0.0/16 }}"],
        [("create", "masquerade 10.244.0.0/16")],
    ),
    "element added": ([f"add element {OUR} pools4 {{ 203.0.113.0/24 }}"], [("delete", "pool 203.0.113.0/24")]),
    "range added": (
        [f"add element {OUR} pools6 {{ fd00:7::1-fd00:7::2 }}"],
        [("delete", "pool fd00:7::1/128"), ("delete", "pool fd00:7::2/128")],
    ),
    "element shrunk": (
        [f"delete element {OUR} pools4 {{ 10.244.0.0/15 }}", f"add element {OUR} pools4 {{ 10.244.0.0/16 }}"],
        [("create", "pool 10.245.0.0/16")],
    ),
    "policy": ([f"chain {OUR} postrouting {{ policy drop ; }}"], [("replace", "chain postrouting")]),
    "priority": (
        [
            f"delete chain {OUR} postrouting",
            f"add chain {OUR} postrouting {{ type nat hook postrouting priority 50 ; }}",
        ],
        [("replace", "chain postrouting")]
        + [("create", f"rule {name}") for name in ("pods IPv4", "pods IPv6", "tunnel vxlan.calico")],
    ),
    "chain added": ([f"add chain {OUR} more"], [("delete", "chain more")]),
    "set added": (
        [f"add set {OUR} more {{ type ipv4_addr ; }}", f"add element {OUR} more {{ 192.0.2.1 }}"],
        [("delete", "set more")],
    ),
}


def damage(host: Namespace, commands: list[str]) -> None:
    """Run commands of nft in one transaction; HANDLE is that of the first rule."""
    rules = [line for line in ruleset(host).splitlines() if 'comment "pods IPv4"' in line]
    text = "\n".join(commands).replace("HANDLE", rules[0].rpartition(" ")[2])
    if "delete chain" in text:
        text = f"flush chain {OUR} postrouting\n{text}"
    command = ["nsenter", f"--net={host.path}", "nft", "-f", "-"]
    subprocess.run(command, input=text, text=True, check=True)


@pytest.mark.parametrize(("commands", "expected"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_noticed_and_repaired(
    host: Namespace,
    converge: RunModule,
    run_module: RunModule,
    commands: list[str],
    expected: list[tuple[str, str]],
) -> None:
    made = converge("calico_nat", NAT)
    intact = table(host)
    damage(host, commands)
    damaged = ruleset(host)
    predicted = run_module("calico_nat", NAT, check=True)
    assert sorted(actions(predicted)) == sorted(expected or actions(made))
    assert ruleset(host) == damaged
    assert predicted["diff"]["before"] != predicted["diff"]["after"]
    converge("calico_nat", NAT)
    assert table(host) == intact


class Monitor:
    """`nft monitor`, read from one mark to the next; a mark is a table that the test itself makes."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        command = ["nsenter", f"--net={host.path}", "nft", "monitor"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        while not select.select([self._output], [], [], 0.05)[0]:
            host.run("nft add table ip awake")

    def until_mark(self, mark: str) -> list[str]:
        """Return the lines seen before a mark appears."""
        self._host.run(f"nft add table ip {mark}")
        lines = iter(self._output.readline, "")
        return list(itertools.takewhile(lambda line: mark not in line, lines))

    def close(self) -> None:
        """End the monitor."""
        self._process.kill()
        self._process.communicate()


def test_a_change_is_one_transaction(host: Namespace, run_module: RunModule) -> None:
    run_module("calico_nat", NAT)
    monitor = Monitor(host)
    try:
        monitor.until_mark("mark1")
        run_module("calico_nat", {**NAT, "pools": [*NAT["pools"], "10.250.0.0/16"]})
        lines = [line for line in monitor.until_mark("mark2") if "mark1" not in line]
    finally:
        monitor.close()
    generations = [number for number, line in enumerate(lines) if "new generation" in line]
    ours = [number for number, line in enumerate(lines) if "podnet_calico" in line]
    assert any(lines[number].startswith("delete table") for number in ours)
    assert any("10.250.0.0/16" in lines[number] for number in ours)
    assert len([number for number in generations if number > ours[0]]) == 1
    assert generations[-1] > ours[-1]


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
    assert failed["msg"].endswith("It needs root (become: true) and a kernel with nf_tables, nft_masq and nft_fib_inet")
    assert ruleset(host) == before


def test_a_table_that_a_process_keeps_for_itself_is_left_alone(host: Namespace, run_module: RunModule) -> None:
    command = ["nsenter", f"--net={host.path}", "nft", "-i"]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdin is not None
    owner.stdin.write("add table inet podnet_calico { flags owner; }\n")
    owner.stdin.flush()
    while "table inet podnet_calico" not in host.run("nft list tables").stdout:
        assert owner.poll() is None
    try:
        before = ruleset(host)
        failed = run_module("calico_nat", NAT)
        assert failed["failure"]["kind"] == "KernelError"
        assert failed["msg"].startswith("read the nftables table inet podnet_calico: nft cannot show it")
        assert ruleset(host) == before
    finally:
        owner.communicate()
