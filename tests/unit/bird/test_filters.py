# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPFilters as BIRD's functions: golden texts, names, and what a real BIRD makes of routes by them.

The BIRD of these tests has no kernel and no session: static routes go through pipes with a filter each into tables of
their own. What only sessions can show is in tests/kernel/test_bgp_filters.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird.filters import call, functions, symbol
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_filter import BGPFilter
from ansible_collections.podnet.calico.tests.tools import bird_versions

Rules = t.List[t.Dict[str, t.Any]]
LISTS = {4: "importV4", 6: "importV6"}


def made(name: str, **rules: Rules) -> dict[str, t.Any]:
    """Return a filter as a plan has it, through the model."""
    document = {"kind": "BGPFilter", "metadata": {"name": name}, "spec": rules}
    return {"name": name, "rules": BGPFilter.from_document(document).to_document()["spec"]}


def add(value: str) -> dict[str, t.Any]:
    return {"addCommunity": {"value": value}}


EVERYTHING = {
    "action": "Accept",
    "cidr": "198.51.100.0/24",
    "matchOperator": "In",
    "prefixLength": {"min": 26, "max": 28},
    "source": "RemotePeers",
    "interface": "eth*",
    "peerType": "iBGP",
    "communities": {"values": ["65000:100"]},
    "asPathPrefix": [65000, "1.10"],
    "priority": 512,
    "operations": [add("65000:200"), add("65000:1:4294967295"), {"setPriority": {"value": 100}}],
}
PREPEND = {"action": "Accept", "peerType": "eBGP", "operations": [{"prependASPath": {"prefix": [64512, 64513]}}]}
GOLDEN = {
    "everything": [made("all-of.it", importV4=[EVERYTHING], exportV4=[PREPEND, {"action": "Reject"}])],
    "operators": [
        made(
            operator.lower(),
            importV4=[{"action": "Reject", "cidr": "198.51.100.0/24", "matchOperator": operator}],
            exportV6=[{"action": "Accept", "cidr": "2001:db8::/32", "matchOperator": operator}],
        )
        for operator in ("Equal", "NotEqual", "In", "NotIn")
    ],
    "empty": [made("none")],
}


RELEASES = ("2.0", "2.17", "3.1")


def available(release: str) -> str:
    """Return a release of BIRD; one that is not here is skipped with the reason."""
    try:
        bird_versions.programs(release)
    except bird_versions.Unavailable as error:
        if os.environ.get("CI") and not error.tried:
            pytest.fail(str(error))
        pytest.skip(str(error))
    return release


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Return each release of BIRD."""
    return available(request.param)


def parse(text: str, directory: Path, release: str) -> None:
    """Have a BIRD read functions and their calls, which it must do without a word."""
    path = directory / "bird.conf"
    path.write_text(f"router id 192.0.2.1;\nprotocol device {{}}\n{text}\n")
    said = bird_versions.parse(release, path)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", GOLDEN)
def test_functions(name: str, version: int, release: str, golden: t.Callable[[str, str], None], tmp_path: Path) -> None:
    text = functions(GOLDEN[name], version)
    golden(f"bird/filters-{name}{version}.conf", text)
    calls = "\n".join(
        call(item["name"], way, version, ibgp=True) for item in GOLDEN[name] for way in ("import", "export")
    )
    parse(f"{text}\nfilter tried {{\n{calls}\nreject;\n}}", tmp_path, release)


NAMES = ["a", "a-b", "a.b", "a--b", "bgp", "ab", "0.0", "x" * 47, "x" * 48, "x" * 49, f"{'x' * 48}.y", "y" * 253]


def test_names_are_symbols_that_bird_takes_and_none_is_that_of_another(release: str, tmp_path: Path) -> None:
    ways = ("import", "export")
    symbols = [symbol(name, way, version) for name in NAMES for way in ways for version in (4, 6)]
    assert len(set(symbols)) == len(symbols)
    assert max(len(found.strip("'")) for found in symbols) == 64
    filters = [made(name, importV4=[{"action": "Accept"}]) for name in NAMES]
    calls = "\n".join(call(name, way, version, ibgp=False) for name in NAMES for way in ways for version in (4, 6))
    text = "\n".join([functions(filters, 4), functions(filters, 6), f"filter tried {{\n{calls}\nreject;\n}}"])
    parse(text, tmp_path, release)


# What the static routes are, and what they carry before a filter sees them.
SENT = {
    4: {
        "198.51.0.0/16": "",
        "198.51.100.0/24": "bgp_community.add((65000, 1));",
        "198.51.100.0/26": "bgp_large_community.add((65000, 1, 2));",
        "198.51.100.7/32": "bgp_local_pref = 2147483547;",  # priority 100
        "203.0.113.0/24": "bgp_path.prepend(65003); bgp_path.prepend(65002); bgp_path.prepend(65001);",
        "0.0.0.0/0": "",
    },
    6: {"2001:db8::/32": "", "2001:db8:1::/48": "", "2001:db8:1::7/128": "", "fd00::/8": "", "::/0": ""},
}
ALL4, ALL6 = set(SENT[4]), set(SENT[6])
WITHIN = {"198.51.100.0/24", "198.51.100.0/26", "198.51.100.7/32"}


def match(**rule: t.Any) -> Rules:
    """Return the rules that accept what matches, and reject the rest."""
    return [{"action": "Accept", **rule}, {"action": "Reject"}]


def inside(cidr: str, operator: str = "In", **lengths: int) -> Rules:
    rule: dict[str, t.Any] = {"cidr": cidr, "matchOperator": operator}
    return match(**rule, prefixLength=lengths) if lengths else match(**rule)


# By case: rules for the IP version of what they accept, and the routes that have to pass.
PASSES: dict[str, tuple[int, Rules, set[str]]] = {
    "no rule": (4, [], set()),
    "everything": (4, [{"action": "Accept"}], ALL4),
    "nothing": (4, [{"action": "Reject"}], set()),
    "first match decides": (4, [{"action": "Reject"}, {"action": "Accept"}], set()),
    "equal": (4, inside("198.51.100.0/24", "Equal"), {"198.51.100.0/24"}),
    "not equal": (4, inside("198.51.100.0/24", "NotEqual"), ALL4 - {"198.51.100.0/24"}),
    "in": (4, inside("198.51.100.0/24"), WITHIN),
    "not in": (4, inside("198.51.100.0/24", "NotIn"), ALL4 - WITHIN),
    "in everything": (4, inside("0.0.0.0/0"), ALL4),
    "default route": (4, inside("0.0.0.0/0", "Equal"), {"0.0.0.0/0"}),
    "lengths": (4, inside("198.51.0.0/16", min=25, max=31), {"198.51.100.0/26"}),
    "least length": (4, inside("198.51.100.0/24", min=26), {"198.51.100.0/26", "198.51.100.7/32"}),
    "least length above the network": (4, inside("198.51.100.0/24", min=8), WITHIN),
    "greatest length": (4, inside("198.51.100.0/24", max=26), {"198.51.100.0/24", "198.51.100.0/26"}),
    "not in, with lengths": (
        4,
        inside("198.51.100.0/24", "NotIn", min=26),
        ALL4 - {"198.51.100.0/26", "198.51.100.7/32"},
    ),
    "equal, with its length": (4, inside("198.51.100.0/24", "Equal", min=24), {"198.51.100.0/24"}),
    "equal, with other lengths": (4, inside("198.51.100.0/24", "Equal", min=25), set()),
    "not equal, with other lengths": (4, inside("198.51.100.0/24", "NotEqual", min=25), ALL4),
    "community": (4, match(communities={"values": ["65000:1"]}), {"198.51.100.0/24"}),
    "large community": (4, match(communities={"values": ["65000:1:2"]}), {"198.51.100.0/26"}),
    "other community": (4, match(communities={"values": ["1:65000"]}), set()),
    "path": (4, match(asPathPrefix=[65001, 65002]), {"203.0.113.0/24"}),
    "whole path": (4, match(asPathPrefix=[65001, 65002, 65003]), {"203.0.113.0/24"}),
    "path in other order": (4, match(asPathPrefix=[65002, 65001]), set()),
    "path does not begin so": (4, match(asPathPrefix=[65002]), set()),
    "path is shorter": (4, match(asPathPrefix=[65001, 65002, 65003, 65003]), set()),
    "priority": (4, match(priority=100), {"198.51.100.7/32"}),
    "source": (4, match(source="RemotePeers"), set()),
    "interface": (4, match(interface="lo"), {"203.0.113.0/24"}),
    "interface pattern": (4, match(interface="l*"), {"203.0.113.0/24"}),
    "interface is a whole name": (4, match(interface="l"), set()),
    "session of another AS": (4, match(peerType="eBGP"), ALL4),
    "session of the own AS": (4, match(peerType="iBGP"), set()),
    "all conditions hold": (
        4,
        match(cidr="198.51.0.0/16", matchOperator="In", communities={"values": ["65000:1"]}, peerType="eBGP"),
        {"198.51.100.0/24"},
    ),
    "one condition does not": (
        4,
        match(cidr="203.0.113.0/24", matchOperator="In", communities={"values": ["65000:1"]}),
        set(),
    ),
    "IPv6 equal": (6, inside("2001:db8:1::/48", "Equal"), {"2001:db8:1::/48"}),
    "IPv6 in": (6, inside("2001:db8::/32"), {"2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::7/128"}),
    "IPv6 not in": (6, inside("2001:db8::/32", "NotIn"), {"fd00::/8", "::/0"}),
    "IPv6 in everything": (6, inside("::/0"), ALL6),
    "IPv6 lengths": (6, inside("2001:db8::/32", min=33, max=127), {"2001:db8:1::/48"}),
}

MARK = {"cidr": "198.51.100.0/24", "matchOperator": "Equal", "action": "Accept"}
PATH = {"cidr": "203.0.113.0/24", "matchOperator": "Equal", "action": "Accept"}
# By case: the operations on two routes, and the attributes that BIRD then shows.
CHANGES: dict[str, tuple[dict[str, t.Any], t.Any, str]] = {
    "community": (MARK, [add("65000:2")], "BGP.community: (65000,1) (65000,2)"),
    "large community": (MARK, [add("1:2:4294967295")], "BGP.large_community: (1, 2, 4294967295)"),
    "priority": (MARK, [{"setPriority": {"value": 1024}}], "BGP.local_pref: 2147482623"),
    "path": (PATH, [{"prependASPath": {"prefix": [1, 65551]}}], "BGP.path: 1 65551 65001 65002 65003"),
    "path that was empty": (MARK, [{"prependASPath": {"prefix": [1, 2]}}], "BGP.path: 1 2"),
    "in their order": (
        PATH,
        [{"prependASPath": {"prefix": [1]}}, {"prependASPath": {"prefix": [2]}}],
        "BGP.path: 2 1 65001 65002 65003",
    ),
    "several": (
        MARK,
        [add("65000:2"), {"setPriority": {"value": 1}}, add("65000:3")],
        "BGP.community: (65000,1) (65000,2) (65000,3)",
    ),
}


LAST = {4: "last4", 6: "last6"}
"""Tables that every route gets to, after all others."""


class Lab:
    """A running BIRD, and what arrived in the tables of the cases."""

    def __init__(self, release: str, directory: Path) -> None:
        self._programs = bird_versions.programs(release)
        self._socket = directory / "bird.ctl"
        config = directory / "bird.conf"
        config.write_text(_configuration())
        self._log = (directory / "bird.log").open("w")
        # ansible-test runs each test in a process of its own, which ends without tearing anything down.
        command = ["setpriv", "--pdeathsig", "KILL", str(self._programs / "bird"), "-f"]
        command += ["-c", str(config), "-s", str(self._socket)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)

    def wait(self) -> None:
        deadline = time.monotonic() + 20
        while not self._socket.exists() or self.routes(LAST[4]) != ALL4 or self.routes(LAST[6]) != ALL6:
            assert self._process.poll() is None and time.monotonic() < deadline, Path(self._log.name).read_text()
            time.sleep(0.05)

    def ask(self, question: str) -> str:
        command = [str(self._programs / "birdc"), "-s", str(self._socket), *question.split()]
        return (
            subprocess.run(command, capture_output=True, text=True, check=False)
            .stdout.replace("\tbgp_", "\tBGP.")
            .replace("BGP.as_path", "BGP.path")
        )

    def routes(self, table: str) -> set[str]:
        shown = self.ask(f"show route table {table}")
        return set(re.findall(r"^(\S+/\d+) ", shown, re.MULTILINE))

    def stop(self) -> str:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
        return Path(self._log.name).read_text()


def table(case: str) -> str:
    return re.sub(r"\W+", "_", case) + "_passed"


def _changing(rule: dict[str, t.Any], operations: t.Any) -> Rules:
    return [{**rule, "operations": operations}, {"action": "Reject"}]


def _configuration() -> str:
    parts = ["router id 192.0.2.1;\nlog stderr all;\nprotocol device {}\n"]
    for version, routes in SENT.items():
        lines = [f"  route {prefix} {_way(prefix)} {{ {first} }};" for prefix, first in routes.items()]
        parts.append("\n".join([f"protocol static sent{version} {{\n  ipv{version};", *lines, "}"]))
    cases = {name: (version, rules) for name, (version, rules, __) in PASSES.items()}
    cases.update({f"change {name}": (4, _changing(rule, change)) for name, (rule, change, __) in CHANGES.items()})
    for number, (name, (version, rules)) in enumerate(cases.items()):
        item = made(f"case-{number}", **{LISTS[version]: rules})
        parts.append(functions([item], version))
        parts.append(_pipe(version, table(name), f"{call(item['name'], 'import', version, ibgp=False)} reject;"))
    parts += [_pipe(version, name, "accept;") for version, name in LAST.items()]
    return "\n".join(parts) + "\n"


def _pipe(version: int, target: str, statements: str) -> str:
    ends = f"table master{version}; peer table {target}; import none;"
    return f"ipv{version} table {target};\nprotocol pipe {{\n  {ends}\n  export filter {{ {statements} }};\n}}"


def _way(prefix: str) -> str:
    """Return where a static route leads; one of them to an interface."""
    return 'via "lo"' if prefix == "203.0.113.0/24" else "unreachable"


@pytest.fixture(scope="module", params=RELEASES)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Lab]:
    """Return a BIRD with a table for each case; no filter may have failed while it ran."""
    found = Lab(available(request.param), tmp_path_factory.mktemp("bird"))
    try:
        found.wait()
        yield found
    finally:
        log = found.stop()
    assert "filters" not in log, log


@pytest.mark.parametrize("case", PASSES)
def test_routes_that_pass(case: str, lab: Lab) -> None:
    assert lab.routes(table(case)) == PASSES[case][2]


@pytest.mark.parametrize("case", CHANGES)
def test_routes_are_changed(case: str, lab: Lab) -> None:
    rule, __, expected = CHANGES[case]
    target = table(f"change {case}")
    assert lab.routes(target) == {rule["cidr"]}
    assert expected in lab.ask(f"show route table {target} all")
