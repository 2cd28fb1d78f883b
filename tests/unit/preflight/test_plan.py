# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan refuses is a finding of a preflight, once, with its hosts: what the role preflight does with both."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.filter.preflight import preflight_cluster, preflight_verdict
from ansible_collections.podnet.calico.plugins.filter.steps import bgp_with_peers
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.modules import calico_plan
from ansible_collections.podnet.calico.tests.unit.preflight.healthy import Facts, address, hosts

Variables = t.Dict[str, t.Any]
Change = t.Callable[[t.Dict[str, Facts]], t.Any]


def look(
    pools: list[Variables], change: Change, variables: dict[str, Variables], datastore: Path, **resources: t.Any
) -> t.Any:
    """Return the verdict of a preflight on three healthy hosts with a change."""
    seen = hosts()
    change(seen)
    hostvars = {name: {**variables.get(name, {}), "preflight_seen": {"facts": facts}} for name, facts in seen.items()}
    cluster = preflight_cluster(hostvars, list(hostvars), pools=pools, **resources)
    bgp = bgp_with_peers("auto", resources.get("peers"), resources.get("extra"))
    params = {
        **{key: cluster[key] for key in ("hosts", "resources")},
        "prune_marked": "inventory",
        "bgp": bgp,
        "secrets": [],
        "allow_cut_off": [],
        "guard": True,
        "standby": False,
        "store": False,
        "compact": False,
        "transition": False,
        "datastore": {"path": str(datastore)},
    }
    planned: dict[str, t.Any] = {}
    if cluster["hosts"]:
        try:
            planned = calico_plan.work(types.SimpleNamespace(params=params, check_mode=False)).facts
        except InvalidInput as error:
            planned = {"failed": True, "msg": str(error), "failure": error.as_dict()}
    given = {"bgp": bgp, "mtu": hostvars["node1"].get("calico_mtu", 0)}
    return preflight_verdict(hostvars, list(hostvars), pools, plan=planned, problems=cluster["problems"], **given)


def nothing(seen: dict[str, Facts]) -> None:
    """Leave the hosts healthy."""


def apart(seen: dict[str, Facts]) -> None:
    for number, facts in enumerate(seen.values(), 11):
        facts["addresses"][0]["address"] = facts["node"]["address"] = f"192.0.2.{number}/32"


def both_versions(mtu: int) -> Change:
    def change(seen: dict[str, Facts]) -> None:
        for number, facts in enumerate(seen.values(), 11):
            facts["addresses"].append(address(f"2001:db8::{number}/64"))
            facts["links"][1]["mtu"] = mtu

    return change


def narrow(seen: dict[str, Facts]) -> None:
    seen["node2"]["links"][1]["mtu"] = 1400


def on_lo(seen: dict[str, Facts]) -> None:
    """Have the addresses where any uplink may carry them; the others are reached by eth0."""
    for number, facts in enumerate(seen.values(), 1):
        facts["addresses"].append(address(f"198.18.0.{number}/32", "lo"))
        facts["node"].update(asked=f"198.18.0.{number}", address=f"198.18.0.{number}/32", device="lo")
    seen["node2"]["links"][0]["mtu"] = 1400


def without_ipip(seen: dict[str, Facts]) -> None:
    seen["node2"]["kernel"]["features"]["ipip"] = "missing"


def pool(encapsulation: str = "VXLAN", cidr: str = "10.244.0.0/16", **more: t.Any) -> Variables:
    return {"name": f"p{'6' if ':' in cidr else '4'}", "cidr": cidr, "encapsulation": encapsulation, **more}


SIX = {f"node{number}": {"calico_node_ipv6_address": f"2001:db8::{10 + number}"} for number in (1, 2, 3)}
TOR = {"name": "tor", "peer_ip": "192.0.2.1", "as_number": 65000}
REFLECTOR = {"node3": {"calico_node_route_reflector_cluster_id": "192.0.2.13", "calico_node_name": "third"}}
# By pools, what is broken, variables of hosts and more of the inventory: kinds of errors, their hosts, a word of them.
CASES: dict[str, tuple[list[Variables], Change, dict[str, Variables], dict[str, t.Any], str, list[str], str]] = {
    "healthy": ([pool("IPIP")], nothing, {}, {}, "", [], ""),
    "two subnets without a router": (
        *([pool("None")], apart, {}, {}),
        *("plan-refused", ["node1", "node2", "node3"], "are in different subnets"),
    ),
    "two subnets and a router": ([pool("None")], apart, {}, {"peers": [TOR]}, "", [], ""),
    "an MTU of 1280 and two IP versions": (
        *([pool(), pool(cidr="fd00:10::/64")], both_versions(1280), SIX, {}),
        *("plan-refused", ["node1"], "pods would get 1210, but IPv6 needs an MTU of 1280"),
    ),
    "room for two IP versions": ([pool(), pool(cidr="fd00:10::/64")], both_versions(1500), SIX, {}, "", [], ""),
    "addresses on lo": ([pool("VXLAN")], on_lo, {}, {}, "", [], ""),
    "one narrow device": (
        *([pool("IPIP")], narrow, {}, {}),
        *("mtu-differs", ["node2"], "carries 1400 bytes"),
    ),
    "a narrow device that was thought of": (
        *([pool("IPIP")], narrow, {f"node{n}": {"calico_mtu": 1380} for n in (1, 2, 3)}, {}),
        *("", [], ""),
    ),
    "one host with an MTU of its own": (
        *([pool("IPIP")], nothing, {"node2": {"calico_mtu": 1400}}, {}),
        *("plan-refused", ["node2"], "pods would get different MTUs: 1400 on node2; 1480 on node1, node3"),
    ),
    "a kernel without IPIP": ([pool("IPIP")], without_ipip, {}, {}, "kernel-ipip", ["node2"], "missing"),
    "a reflector without peers": (
        *([pool("IPIP")], nothing, REFLECTOR, {}),
        *("plan-refused", ["node3"], "third: no mesh and no BGPPeer gives a session"),
    ),
    "an unknown option": (
        *([pool("IPIP")], nothing, {}, {"peers": [{**TOR, "as_numer": 1}]}),
        *("plan-refused", ["node1", "node2", "node3"], 'there is no option "as_numer"'),
    ),
    "an address on no interface": (
        [pool("IPIP")],
        lambda seen: seen["node2"]["node"].update(asked="203.0.113.9", address="", device="", towards_device=""),
        {},
        {},
        *("address-missing", ["node2"], "203.0.113.9"),
    ),
}


@pytest.mark.parametrize(
    ("pools", "change", "variables", "resources", "kind", "affected", "said"), CASES.values(), ids=CASES
)
def test_what_the_plan_refuses_is_a_finding(
    pools: list[Variables],
    change: Change,
    variables: dict[str, Variables],
    resources: dict[str, t.Any],
    kind: str,
    affected: list[str],
    said: str,
    tmp_path: Path,
) -> None:
    found = look(pools, change, {name: dict(variables.get(name, {})) for name in hosts()}, tmp_path, **resources)
    errors = [row for row in found["findings"] if row["severity"] == "error"]
    if not kind:
        assert (errors, found["ok"]) == ([], True)
        return
    assert {row["kind"] for row in errors} == {kind}, found["lines"]
    assert errors[0]["hosts"] == affected
    assert said in " ".join(f"{row['what']} {row['evidence']}" for row in errors)
    assert found["lines"][-1].endswith("do not deploy yet")
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_could_not_be_tried_is_a_warning() -> None:
    hostvars = {name: {"preflight_seen": {"facts": facts}} for name, facts in hosts().items()}
    found = preflight_verdict(hostvars, list(hostvars), [pool()], plan={"unreachable": True, "msg": "no way"})
    assert [(row["kind"], row["severity"]) for row in found["findings"] if row["tag"] == "plan"] == [
        ("plan-failed", "warning")
    ]
    assert "no way" in str(found["findings"])


@pytest.mark.parametrize(
    ("bgp", "peers", "extra", "expected"),
    [
        ("auto", [], [], "auto"),
        ("auto", [TOR], None, "enabled"),
        ("auto", None, [{"kind": "BGPPeerList", "items": [{"metadata": {"name": "tor"}}]}], "enabled"),
        ("disabled", [TOR], [], "disabled"),
        ("enabled", [], [], "enabled"),
    ],
)
def test_one_rule_for_whether_bird_runs(bgp: str, peers: t.Any, extra: t.Any, expected: str) -> None:
    assert bgp_with_peers(bgp, peers, extra) == expected
