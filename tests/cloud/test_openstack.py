# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_openstack_port through openstacksdk, against the stand-in for Neutron on loopback."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.tests.cloud.conftest import Result, RunModule
from ansible_collections.podnet.calico.tests.cloud.converging import converge
from ansible_collections.podnet.calico.tests.cloud.neutron import ADDRESSES, OpenStack, problem

NAME = "calico_openstack_port"
POOL = "10.244.0.0/16"
TAG = "podnet.calico:10.244.0.0_16"
OURS = ([POOL], [TAG])
NOTHING: tuple[list[str], list[str]] = ([], [])
IPIP = ("4", None, "members", "podnet.calico: IP protocol 4 between nodes")
VXLAN = ("udp", 4789, "members", "podnet.calico: UDP 4789 between nodes")
BGP = ("tcp", 179, "members", "podnet.calico: TCP 179 between nodes")
PODS = (None, None, POOL, f"podnet.calico: all from {POOL}")


@pytest.fixture(scope="module")
def started() -> t.Iterator[OpenStack]:
    """Return OpenStack, for this file."""
    made = OpenStack()
    yield made
    made.stop()


@pytest.fixture
def neutron(started: OpenStack) -> OpenStack:
    """Return OpenStack with three servers."""
    started.fresh()
    return started


Run = t.Callable[..., Result]


@pytest.fixture
def converged(run_module: RunModule, neutron: OpenStack) -> Run:
    """Return a function that runs the module, see converge()."""
    return lambda params: converge(run_module, NAME, params, environment=neutron.environment())


@pytest.fixture
def once(run_module: RunModule, neutron: OpenStack) -> Run:
    """Return a function that runs the module once."""
    return lambda params, **more: run_module(NAME, params, **{"environment": neutron.environment(), **more})


def options(neutron: OpenStack, *modes: str, **more: t.Any) -> Result:
    servers = [{"id": each, "addresses": [f"{at}/24"]} for each, at in zip(neutron.servers, ADDRESSES)]
    chosen = {"encapsulations": list(modes), "pools": [POOL]} if modes else {"state": "absent"}
    return {"servers": servers, **chosen, **more}


@pytest.mark.parametrize(
    ("modes", "pairs", "rules"),
    [
        (["None"], OURS, {BGP, PODS}),
        (["IPIP"], NOTHING, {IPIP, BGP}),
        (["IPIPCrossSubnet"], OURS, {IPIP, BGP, PODS}),
        (["VXLAN"], NOTHING, {VXLAN}),
        (["VXLANCrossSubnet"], OURS, {VXLAN, PODS}),
        (["IPIP", "VXLANCrossSubnet"], OURS, {IPIP, VXLAN, BGP, PODS}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_each_mode_gets_what_it_needs_and_all_is_taken_back(
    neutron: OpenStack, converged: Run, modes: list[str], pairs: t.Any, rules: set[t.Any]
) -> None:
    converged(options(neutron, *modes))
    assert neutron.pairs() == dict.fromkeys(ADDRESSES, pairs)
    assert neutron.opened() == rules
    converged(options(neutron))
    assert neutron.pairs() == dict.fromkeys(ADDRESSES, NOTHING)
    assert neutron.opened() == set()


def test_check_mode_writes_nothing_and_the_diff_tells(neutron: OpenStack, once: Run) -> None:
    result = once(options(neutron, "VXLANCrossSubnet"), check=True)
    assert result["changed"]
    assert f"allowed address pair {neutron.port_at(ADDRESSES[0])['id']} (10.0.0.11) {POOL}" in result["diff"]["after"]
    assert [row["allowed"] for row in result["ports"]] == [[POOL]] * 3
    assert [each.path for each in neutron.writes] == ["/v3/auth/tokens"]


def test_ports_are_found_by_address_alone(neutron: OpenStack, converged: Run) -> None:
    neutron.add_port("another", "10.0.0.99")
    converged(options(neutron, "None", servers=[{"addresses": [each]} for each in ADDRESSES]))
    assert neutron.pairs() == {**dict.fromkeys(ADDRESSES, OURS), "10.0.0.99": NOTHING}


def test_an_address_that_several_ports_have_needs_an_id(neutron: OpenStack, once: Run) -> None:
    neutron.add_port("another", ADDRESSES[0])
    refused = once(options(neutron, "None", servers=[{"addresses": [ADDRESSES[0]]}]))
    assert "several have the address" in refused["msg"]
    assert once(options(neutron, "None"))["changed"]


def test_without_addresses_all_ports_of_a_server_carry(neutron: OpenStack, converged: Run) -> None:
    neutron.add_port(neutron.servers[0], "10.0.1.11")
    converged(options(neutron, "None", servers=[{"id": neutron.servers[0]}]))
    assert {at for at, pairs in neutron.pairs().items() if pairs == OURS} == {ADDRESSES[0], "10.0.1.11"}


def test_pairs_of_others_are_enough_and_all_of_theirs_stay(neutron: OpenStack, converged: Run) -> None:
    first, second = neutron.port_at(ADDRESSES[0]), neutron.port_at(ADDRESSES[1])
    first["allowed_address_pairs"] = [{"ip_address": "10.240.0.0/12", "mac_address": first["mac_address"]}]
    vip = {"ip_address": "10.0.0.100", "mac_address": second["mac_address"]}
    other = {"ip_address": POOL, "mac_address": "fa:16:3e:ff:ff:ff"}
    second.update(allowed_address_pairs=[vip, other], tags=["web"])
    converged(options(neutron, "None"))
    assert neutron.pairs()[ADDRESSES[0]] == (["10.240.0.0/12"], [])
    assert neutron.pairs()[ADDRESSES[1]] == (["10.0.0.100", POOL, POOL], [TAG, "web"])
    converged(options(neutron))
    assert (second["allowed_address_pairs"], second["tags"]) == ([vip, other], ["web"])
    assert neutron.pairs()[ADDRESSES[0]] == (["10.240.0.0/12"], [])


def test_a_pair_that_was_there_before_stays(neutron: OpenStack, converged: Run) -> None:
    port = neutron.port_at(ADDRESSES[0])
    port["allowed_address_pairs"] = [{"ip_address": POOL, "mac_address": port["mac_address"]}]
    converged(options(neutron, "None"))
    converged(options(neutron))
    assert neutron.pairs() == {**dict.fromkeys(ADDRESSES, NOTHING), ADDRESSES[0]: ([POOL], [])}


def test_without_port_security_there_is_nothing_to_do(neutron: OpenStack, converged: Run) -> None:
    for port in neutron.ports.values():
        port.update(port_security_enabled=False, security_groups=[])
    done = converged(options(neutron, "IPIPCrossSubnet"))
    assert (done["changed"], done["security_group"]) == (False, "")
    assert [row["port_security"] for row in done["ports"]] == [False] * 3


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        ({"protocol": "udp", "port_range_min": 4000, "port_range_max": 5000, "remote_group_id": "own"}, False),
        ({"protocol": "17", "remote_group_id": "own"}, False),
        ({"remote_group_id": "own"}, False),
        ({}, False),
        ({"protocol": "udp", "port_range_min": 4789, "port_range_max": 4789, "remote_ip_prefix": "10.0.0.0/24"}, True),
        ({"remote_group_id": "own", "direction": "egress"}, True),
        ({"remote_group_id": "own", "ethertype": "IPv6"}, True),
        ({"remote_group_id": "other"}, True),
    ],
)
def test_rules_of_others_count_and_stay(neutron: OpenStack, converged: Run, rule: Result, missing: bool) -> None:
    if "remote_group_id" in rule:
        rule = {**rule, "remote_group_id": neutron.group if rule["remote_group_id"] == "own" else "other"}
    theirs = neutron.add_rule(**rule)
    assert converged(options(neutron, "VXLAN"))["changed"] is missing
    converged(options(neutron))
    assert list(neutron.rules.values()) == [theirs]


def test_a_change_of_mode_keeps_both_until_it_is_purged(neutron: OpenStack, converged: Run) -> None:
    converged(options(neutron, "IPIPCrossSubnet"))
    converged(options(neutron, "VXLAN"))
    assert (neutron.pairs()[ADDRESSES[0]], neutron.opened()) == (OURS, {IPIP, BGP, PODS, VXLAN})
    converged(options(neutron, "VXLAN", purge=True))
    assert (neutron.pairs()[ADDRESSES[0]], neutron.opened()) == (NOTHING, {VXLAN})


def test_a_pool_that_goes_is_purged_alone(neutron: OpenStack, converged: Run) -> None:
    converged(options(neutron, "None", pools=[POOL, "2001:db8:244::/48"]))
    assert neutron.pairs()[ADDRESSES[0]][0] == [POOL, "2001:db8:244::/48"]
    assert {rule["ethertype"] for rule in neutron.rules.values()} == {"IPv4", "IPv6"}
    converged(options(neutron, "None", purge=True))
    assert (neutron.pairs()[ADDRESSES[0]], neutron.opened()) == (OURS, {BGP, PODS})


def test_a_run_that_died_between_note_and_pair_is_repeated(neutron: OpenStack, converged: Run) -> None:
    neutron.port_at(ADDRESSES[0])["tags"] = [TAG]
    converged(options(neutron, "None"))
    assert neutron.pairs() == dict.fromkeys(ADDRESSES, OURS)
    neutron.port_at(ADDRESSES[0])["allowed_address_pairs"] = []
    converged(options(neutron))
    assert neutron.pairs() == dict.fromkeys(ADDRESSES, NOTHING)


def test_several_security_groups_are_refused_until_one_is_named(neutron: OpenStack, once: Run) -> None:
    for port in neutron.ports.values():
        port["security_groups"] = [neutron.group, "other"]
    refused = once(options(neutron, "VXLAN"))
    assert neutron.group in refused["msg"] and "cloud_security_group" in refused["msg"]
    assert once(options(neutron, "VXLAN", security_group="other"))["changed"]
    assert (neutron.opened(), neutron.opened("other")) == (set(), {VXLAN})
    assert once(options(neutron))["changed"]
    assert neutron.opened("other") == set()


def test_without_rules_the_group_does_not_matter(neutron: OpenStack, once: Run) -> None:
    assert once(options(neutron, "None", rules=False))["changed"]
    assert (neutron.pairs()[ADDRESSES[0]], neutron.opened()) == (OURS, set())


def test_a_server_that_is_not_there_is_named_but_does_not_hinder_removal(neutron: OpenStack, once: Run) -> None:
    gone = {"id": "gone"}
    refused = once(options(neutron, "None", servers=[{"id": neutron.servers[0]}, gone]))
    assert "gone has no network interface" in refused["msg"]
    assert neutron.pairs()[ADDRESSES[0]] == NOTHING
    assert once(options(neutron, "None"))["changed"]
    assert once(options(neutron, servers=[{"id": each} for each in (*neutron.servers, "gone")]))["changed"]
    assert neutron.pairs() == dict.fromkeys(ADDRESSES, NOTHING)


def test_a_network_of_another_project_is_explained(neutron: OpenStack, once: Run) -> None:
    neutron.foreign = True
    refused = once(options(neutron, "None"))
    assert "only its owner or an administrator changes address pairs" in refused["msg"]
    assert refused["failure"]["status"] == 403


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [("OverQuota", 409, "Look at the project's quota"), ("PolicyNotAuthorized", 403, "are not allowed to do that")],
)
def test_a_rule_that_is_refused_is_explained(neutron: OpenStack, once: Run, kind: str, status: int, says: str) -> None:
    neutron.full = problem(status, kind, "Neutron says no.")
    refused = once(options(neutron, "VXLAN"))
    assert says in refused["msg"]
    assert "address pairs" not in refused["msg"]
    assert refused["failure"]["status"] == status


@pytest.mark.parametrize(
    ("change", "environment", "says"),
    [
        ({}, {"OS_PASSWORD": "wrong"}, "The credentials are wrong or have expired"),
        ({}, None, "Give openstacksdk credentials"),
        ({"cloud": "nobody"}, {}, "Give openstacksdk credentials"),
        ({"servers": [{}]}, {}, "one has neither id nor addresses"),
        ({"servers": [{"id": "a"}, {"id": "a"}]}, {}, "a is listed twice"),
        ({"pools": ["10.244.0.1/16"]}, {}, "has host bits set"),
    ],
    ids=["password", "nothing", "cloud", "empty", "twice", "pool"],
)
def test_bad_input_is_explained(
    neutron: OpenStack, once: Run, change: Result, environment: dict[str, str] | None, says: str
) -> None:
    given = {} if environment is None else neutron.environment(**environment)
    refused = once({**options(neutron, "None"), **change}, environment=given)
    assert refused["failed"]
    assert says in refused["msg"]
