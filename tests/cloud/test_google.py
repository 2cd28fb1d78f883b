# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_google_instance through google-auth, against the stand-in for Compute Engine on loopback."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.cloud.compute import ADDRESSES, NETWORK, Google, instance_id
from ansible_collections.podnet.calico.tests.cloud.conftest import Result, RunModule
from ansible_collections.podnet.calico.tests.cloud.converging import converge

NAME = "calico_google_instance"
POOL = "10.244.0.0/16"
OTHERS = {"owner": "somebody"}
ON = (True, {**OTHERS, "podnet-calico-can-ip-forward": "off"})
OFF = (False, OTHERS)
IPIP = ("4", (), "nodes")
VXLAN = ("udp", ("4789",), "nodes")
BGP = ("tcp", ("179",), "nodes")
PODS = ("all", (), POOL)
Run = t.Callable[..., Result]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Google]:
    """Return Google Cloud, for this file."""
    made = Google(tmp_path_factory.mktemp("account"))
    yield made
    made.stop()


@pytest.fixture
def google(started: Google) -> Google:
    """Return Google Cloud with three instances."""
    started.fresh()
    return started


@pytest.fixture
def converged(run_module: RunModule, google: Google) -> Run:
    """Return a function that runs the module, see converge()."""
    return lambda params: converge(run_module, NAME, params, environment=google.environment())


@pytest.fixture
def once(run_module: RunModule, google: Google) -> Run:
    """Return a function that runs the module once."""
    return lambda params, **more: run_module(NAME, params, **{"environment": google.environment(), **more})


def options(google: Google, *modes: str, **more: t.Any) -> Result:
    machines = [{"id": instance_id(f"node{n}"), "addresses": [f"{at}/32"]} for n, at in enumerate(ADDRESSES, 1)]
    chosen = {"encapsulations": list(modes), "pools": [POOL]} if modes else {"state": "absent"}
    return {"machines": machines, "endpoint_url": google.api, **chosen, **more}


@pytest.mark.parametrize(
    ("modes", "state", "rules"),
    [
        (["None"], ON, {BGP, PODS}),
        (["IPIP"], OFF, {IPIP, BGP}),
        (["IPIPCrossSubnet"], OFF, {IPIP, BGP}),
        (["VXLANCrossSubnet"], OFF, {VXLAN}),
        (["IPIP", "VXLAN", "None"], ON, {IPIP, VXLAN, BGP, PODS}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_each_mode_gets_what_it_needs_and_all_is_taken_back(
    google: Google, converged: Run, modes: list[str], state: t.Any, rules: set[t.Any]
) -> None:
    done = converged(options(google, *modes))
    assert google.state() == dict.fromkeys(ADDRESSES, state)
    assert google.opened() == rules
    assert [row["can_ip_forward"] for row in done["instances"]] == [state[0]] * 3
    converged(options(google))
    assert (google.state(), google.rules) == (dict.fromkeys(ADDRESSES, OFF), {})


def test_check_mode_writes_nothing_and_the_diff_tells(google: Google, once: Run) -> None:
    result = once(options(google, "None"), check=True)
    assert result["changed"]
    assert "canIpForward node1 on" in result["diff"]["after"]
    assert [each.path for each in google.writes] == ["/token"]


def test_what_others_allowed_stays(google: Google, converged: Run) -> None:
    google.instances[instance_id("node1")]["canIpForward"] = True
    converged(options(google, "None"))
    converged(options(google))
    assert google.state() == {**dict.fromkeys(ADDRESSES, OFF), ADDRESSES[0]: (True, OTHERS)}


UDP = {"allowed": [{"IPProtocol": "udp", "ports": ["53", "4000-5000"]}]}


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        ({**UDP, "sourceTags": ["nodes"]}, False),
        ({**UDP, "sourceRanges": ["10.0.0.0/24"]}, False),
        ({"allowed": [{"IPProtocol": "all"}], "sourceRanges": ["0.0.0.0/0"], "targetTags": ["nodes"]}, False),
        ({"allowed": [{"IPProtocol": "17"}], "sourceTags": ["nodes"]}, False),
        ({**UDP, "sourceRanges": ["10.0.0.11/32", "10.0.0.12/32"]}, True),
        ({**UDP, "sourceTags": ["others"]}, True),
        ({**UDP, "sourceTags": ["nodes"], "targetTags": ["others"]}, True),
        ({**UDP, "sourceTags": ["nodes"], "disabled": True}, True),
        ({**UDP, "sourceTags": ["nodes"], "direction": "EGRESS"}, True),
        ({"denied": [{"IPProtocol": "all"}], "sourceTags": ["nodes"]}, True),
        ({"allowed": [{"IPProtocol": "tcp"}], "sourceTags": ["nodes"]}, True),
        ({**UDP, "sourceTags": ["nodes"], "network": "https://compute/projects/mine/global/networks/other"}, True),
    ],
)
def test_rules_of_others_count_and_stay(google: Google, converged: Run, rule: Result, missing: bool) -> None:
    for __ in range(2):
        google.add_rule(allowed=[{"IPProtocol": "icmp"}], sourceRanges=["0.0.0.0/0"])  # so that there are pages
    google.add_rule(**rule)
    theirs = copy.deepcopy(google.rules)
    assert converged(options(google, "VXLAN"))["changed"] is missing
    converged(options(google))
    assert google.rules == theirs


def test_a_change_of_mode_keeps_both_until_it_is_purged(google: Google, converged: Run) -> None:
    converged(options(google, "None"))
    converged(options(google, "VXLAN"))
    assert (google.state()[ADDRESSES[0]], google.opened()) == (ON, {BGP, PODS, VXLAN})
    converged(options(google, "VXLAN", purge=True))
    assert (google.state()[ADDRESSES[0]], google.opened()) == (OFF, {VXLAN})


def test_a_run_that_died_between_note_and_change_is_repeated(google: Google, converged: Run) -> None:
    labels = google.instances[instance_id("node1")]["labels"] = dict(ON[1])
    converged(options(google, "None"))
    assert google.state() == dict.fromkeys(ADDRESSES, ON)
    google.instances[instance_id("node1")].update(canIpForward=False, labels=labels)
    converged(options(google))
    assert google.state() == dict.fromkeys(ADDRESSES, OFF)


@pytest.mark.parametrize("tags", [[], ["nodes", "web"]])
def test_one_network_tag_has_to_be_that_of_all(google: Google, once: Run, tags: list[str]) -> None:
    for each in google.instances.values():
        each["tags"] = {"items": tags} if tags else {}
    refused = once(options(google, "VXLAN"))
    assert "add rules to the network tag that all nodes are in" in refused["msg"]
    assert "Name it as network_tag (cloud_security_group)" in refused["msg"]
    assert bool(once(options(google, "VXLAN", network_tag="nodes")).get("failed")) is not bool(tags)
    assert once(options(google, "VXLAN", rules=False))["changed"] is False


def test_nodes_in_two_networks_are_told_apart_by_address(google: Google, once: Run, converged: Run) -> None:
    other = {"networkIP": "172.16.0.11", "network": "https://compute/projects/mine/global/networks/other"}
    nics = google.instances[instance_id("node1")]["networkInterfaces"]
    nics.insert(0, other)
    converged(options(google, "VXLAN"))
    assert {rule["network"] for rule in google.rules.values()} == {f"https://www.googleapis.com/compute/v1/{NETWORK}"}
    nics.pop()
    machines = [{"id": instance_id(name)} for name in ("node1", "node2")]
    assert "they are in several networks" in once(options(google, "VXLAN", machines=machines))["msg"]


def test_an_instance_that_is_not_there_is_named_but_does_not_hinder_removal(google: Google, once: Run) -> None:
    gone = {"id": instance_id("gone")}
    refused = once(options(google, "None", machines=[gone]))
    assert "instances/gone has no network interface" in refused["msg"]
    assert once(options(google, "None"))["changed"]
    assert once(options(google, machines=[{"id": instance_id("node1")}, gone]))["changed"]
    assert google.state()[ADDRESSES[0]] == OFF


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_missing_permission_is_explained(google: Google, once: Run, method: str) -> None:
    google.denied = (method,)
    refused = once(options(google, "None"))
    assert "Required permission is missing. Allow that to whose credentials are used" in refused["msg"]
    assert {on for on, __ in google.state().values()} == {False}


@pytest.mark.parametrize(
    ("change", "environment", "says"),
    [
        ({}, {"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent"}, "Give google-auth credentials"),
        ({"endpoint_url": "http://127.0.0.1:1"}, {}, "Give google-auth credentials"),
        ({"machines": [{"id": "node1"}]}, {}, "'node1' does not name an instance"),
        ({"pools": ["10.244.0.1/16"]}, {}, "has host bits set"),
    ],
    ids=["credentials", "place", "id", "pool"],
)
def test_bad_input_is_explained(
    google: Google, once: Run, change: Result, environment: dict[str, str], says: str
) -> None:
    refused = once({**options(google, "None"), **change}, environment={**google.environment(), **environment})
    assert refused["failed"]
    assert says in refused["msg"]
