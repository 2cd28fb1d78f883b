# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How calico_nat changes a table that is there: what is put right, what stays as it is, and in how many steps."""

from __future__ import annotations

import itertools
import select
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.nat_shown import NAT, SMALL, actions, handles, ruleset, table
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result

OUR, OUR_TABLE = "inet podnet_calico", "table podnet_calico"
RULES = ("spare IPIP", "spare VXLAN", "pods IPv4", "pods IPv6", "tunnel vxlan.calico")
# By name: what somebody does to the table, and the changes that put it right.
DAMAGES: dict[str, tuple[list[str], list[tuple[str, str]]]] = {
    "table deleted": ([f"delete table {OUR}"], []),  # everything is made, as the first test says
    "table asleep": ([f"add table {OUR} {{ flags dormant ; }}"], []),  # everything is made anew
    "rules flushed": (
        [f"flush chain {OUR} postrouting"],
        [("create", f"rule {name}") for name in RULES],
    ),
    "rule deleted": ([f"delete rule {OUR} postrouting handle HANDLE"], [("create", "rule pods IPv4")]),
    "rule altered": (
        [f'replace rule {OUR} postrouting handle HANDLE ip saddr @masquerade4 masquerade comment "pods IPv4"'],
        [("replace", "rule pods IPv4")],
    ),
    "rule with less randomness": (
        [f"replace rule {OUR} postrouting handle HANDLE ip saddr @masquerade4 ip daddr != @pools4 masquerade random"],
        [("delete", "rule 3"), ("create", "rule pods IPv4")],
    ),
    "rule added before ours": ([f"insert rule {OUR} postrouting return"], [("delete", "rule 1")]),
    "rule twice": (
        [f'add rule {OUR} postrouting oifname "vxlan.calico" accept comment "tunnel vxlan.calico"'],
        [("delete", "rule 6")],
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
    "policy": ([f"chain {OUR} postrouting {{ policy drop ; }}"], [("replace", "chain postrouting")]),
    "priority": (
        [
            f"delete chain {OUR} postrouting",
            f"add chain {OUR} postrouting {{ type nat hook postrouting priority 50 ; }}",
        ],
        [("replace", "chain postrouting")] + [("create", f"rule {name}") for name in RULES],
    ),
    "chain added": ([f"add chain {OUR} more"], [("delete", "chain more")]),
    "chain with a hook added": (
        [
            f"add chain {OUR} more {{ type filter hook forward priority 0 ; }}",
            f"add rule {OUR} more ip saddr @masquerade4 drop",
        ],
        [("delete", "chain more"), ("delete", "rule 6")],
    ),
    "map that leads to a chain added": (
        [
            f"add chain {OUR} more",
            f"add rule {OUR} more accept",
            f"add map {OUR} leads {{ type ipv4_addr : verdict ; elements = {{ 192.0.2.1 : jump more }} ; }}",
            f"insert rule {OUR} postrouting ip saddr vmap @leads",
        ],
        [("delete", name) for name in ("chain more", "map leads", "rule 1", "rule 7")],
    ),
    "element with a comment added": (
        [f'add element {OUR} pools4 {{ 203.0.113.9 comment "mine" }}'],
        [("delete", 'pool {"elem": {"comment": "mine", "val": "203.0.113.9"}}')],
    ),
    "counter added": ([f"add counter {OUR} more"], [("delete", "counter more")]),
    "rules named as positions": (
        [
            f'insert rule {OUR} postrouting accept comment "2"',
            f"add rule {OUR} postrouting accept",
            f'insert rule {OUR} postrouting accept comment "8"',
        ],
        [("delete", "rule 2"), ("delete", "rule 8"), ("delete", "rule 8'")],
    ),
    "set added": (
        [f"add set {OUR} more {{ type ipv4_addr ; }}", f"add element {OUR} more {{ 192.0.2.1 }}"],
        [("delete", "set more")],
    ),
}

# Damages that only a new table puts right; all the others leave everything in it that is not damaged.
MADE_ANEW = ("table deleted", "table asleep", "policy", "priority", "counter added")


def damage(host: Namespace, commands: list[str]) -> None:
    """Run commands of nft in one transaction; HANDLE is that of the first rule that masquerades."""
    rules = [line for line in ruleset(host).splitlines() if 'comment "pods IPv4"' in line]
    text = "\n".join(commands).replace("HANDLE", rules[0].rpartition(" ")[2])
    if "delete chain" in text:
        text = f"flush chain {OUR} postrouting\n{text}"
    command = ["nsenter", f"--net={host.path}", "nft", "-f", "-"]
    subprocess.run(command, input=text, text=True, check=True)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_noticed_and_repaired(host: Namespace, converge: RunModule, run_module: RunModule, name: str) -> None:
    commands, expected = DAMAGES[name]
    made = converge("calico_nat", NAT)
    intact, known = table(host), handles(host)
    damage(host, commands)
    damaged = ruleset(host)
    predicted = run_module("calico_nat", NAT, check=True)
    anew = [
        ("replace" if (name, what) == ("table asleep", OUR_TABLE) else "create", what) for __, what in actions(made)
    ]
    assert sorted(actions(predicted)) == sorted(expected or anew)
    assert ruleset(host) == damaged
    assert predicted["diff"]["before"] != predicted["diff"]["after"]
    converge("calico_nat", NAT)
    assert table(host) == intact
    changed = {thing for thing, handle in handles(host).items() if handle != known[thing]}
    if name in MADE_ANEW:
        assert "table podnet_calico" in changed
    else:
        assert changed == {thing for __, thing in expected if thing in known}


def test_what_is_missing_of_an_element_is_added_beside_it(host: Namespace, converge: RunModule) -> None:
    converge("calico_nat", NAT)
    intact = table(host)
    shrink = [f"delete element {OUR} pools4 {{ 10.244.0.0/15 }}", f"add element {OUR} pools4 {{ 10.244.0.0/16 }}"]
    damage(host, shrink)
    assert actions(converge("calico_nat", NAT)) == [("create", "pool 10.245.0.0/16")]
    assert table(host) == intact.replace("10.244.0.0/15", "10.244.0.0/16, 10.245.0.0/16")


@pytest.mark.parametrize(
    "other",
    [
        {"exclude": ["192.0.2.14"]},
        {"exclude": ["192.0.2.12", "192.0.2.13"]},
        {"pools": ["10.244.0.0/16", "fd00:1::/64"]},
        {"pools": [*NAT["pools"], "10.246.0.0/16"]},
        {"masquerade": ["10.244.0.0/17", "10.245.7.0/24", "fd00:1::/64"]},
    ],
    ids=["another", "one more", "fewer", "one beside another", "parts"],
)
def test_a_change_of_elements_leaves_chain_and_rules_as_they_are(
    host: Namespace, converge: RunModule, other: Result
) -> None:
    converge("calico_nat", {**NAT, "exclude": ["192.0.2.12"]})
    known = handles(host)
    assert {"table podnet_calico", "chain postrouting", "rule pods IPv4", "set exclude4"} < set(known)
    assert converge("calico_nat", {**NAT, "exclude": ["192.0.2.12"], **other})["changed"]
    assert handles(host) == known


def test_a_change_of_rules_leaves_the_others_as_they_are(host: Namespace, converge: RunModule) -> None:
    converge("calico_nat", {**NAT, "tunnels": ["b"]})
    known = handles(host)
    assert converge("calico_nat", {**NAT, "tunnels": ["a", "b", "c"]})["changed"]
    comments = [line.split('"')[-2] for line in table(host).splitlines() if "comment" in line]
    assert comments == ["spare IPIP", "spare VXLAN", "pods IPv4", "pods IPv6", "tunnel a", "tunnel b", "tunnel c"]
    assert known.items() < handles(host).items()
    assert converge("calico_nat", {**NAT, "tunnels": ["b"]})["changed"]
    assert handles(host) == known
    assert converge("calico_nat", {**SMALL, "tunnels": ["b"]})["changed"]
    left = handles(host)
    assert left.items() < known.items()
    assert sorted(set(known) - set(left)) == ["rule pods IPv6", "set masquerade6", "set pools6"]


def test_a_table_that_somebody_changes_meanwhile_is_made_anew(
    host: Namespace, modules: Modules, tmp_path: Path
) -> None:
    modules.run(host.path, "calico_nat", NAT)
    known = handles(host)
    shutil.copy2("/usr/sbin/nft", tmp_path / "real-nft")
    script = tmp_path / "nft"
    meanwhile = f"/usr/sbin/real-nft flush chain {OUR} postrouting"
    script.write_text(f'#!/bin/sh\ncase "$*" in *-f*) {meanwhile};; esac\nexec /usr/sbin/real-nft "$@"\n')
    script.chmod(0o755)
    other = {**NAT, "tunnels": ["tunl0"]}
    assert modules.run(host.path, "calico_nat", other, binds={"/usr/sbin": str(tmp_path)})["changed"]
    assert modules.run(host.path, "calico_nat", other)["changed"] is False
    assert handles(host)["table podnet_calico"] != known["table podnet_calico"]


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


# By name: options, and what nft shows of the change from NAT to them.
CHANGES: dict[str, tuple[Result, list[str]]] = {
    "elements": (
        {"pools": ["10.244.0.0/16", "10.250.0.0/16", "fd00:1::/64"]},
        ["delete element", "add element", "10.250.0.0/16"],
    ),
    "everything": (
        {"masquerade": ["10.244.0.0/17"], "exclude": ["192.0.2.12"], "tunnels": ["tunl0", "vxlan.calico"]},
        ["delete rule", "delete set", "add element", "add set", "insert rule", "tunl0"],
    ),
}


@pytest.mark.parametrize(("options", "shown"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_one_transaction(host: Namespace, run_module: RunModule, options: Result, shown: list[str]) -> None:
    run_module("calico_nat", NAT)
    monitor = Monitor(host)
    try:
        monitor.until_mark("mark1")
        run_module("calico_nat", {**NAT, **options})
        lines = [line for line in monitor.until_mark("mark2") if "mark1" not in line]
    finally:
        monitor.close()
    generations = [number for number, line in enumerate(lines) if "new generation" in line]
    ours = [number for number, line in enumerate(lines) if "podnet_calico" in line]
    assert [text for text in shown if not any(text in lines[number] for number in ours)] == []
    assert not any("table inet" in lines[number] or "chain inet" in lines[number] for number in ours)
    assert len([number for number in generations if number > ours[0]]) == 1
    assert generations[-1] > ours[-1]
