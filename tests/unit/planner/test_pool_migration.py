# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one pool to another: old pods stay, new ones get new addresses, and the old pool goes when it is empty."""

from __future__ import annotations

import ipaddress
import types
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put, remove
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.plugins.module_utils.planner.pool_migration import leaving, left_in, released
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    NOW,
    Document,
    Snapshot,
    cluster,
    node,
    plans,
    pool,
)

NODES: t.Mapping[str, str] = types.MappingProxyType({"node1": "192.0.2.11/24", "node2": "192.0.2.12/24"})
A, B = "10.244.0.0/16", "10.245.0.0/16"


def migrating(old: str, new: str, *, nodes: t.Mapping[str, str] = NODES, **spec: t.Any) -> Snapshot:
    """Return a cluster that had a pool with one encapsulation, and has disabled it for one with another."""
    stored = put(cluster(pool("a", A, old), nodes=nodes), [pool("a", A, old, disabled=True), pool("b", B, new, **spec)])
    return claim(stored, nodes, now=NOW)


def within(cidr: str, texts: t.Iterable[str]) -> list[str]:
    network = ipaddress.ip_network(cidr)
    return [text for text in texts if ipaddress.ip_network(text).subnet_of(network)]  # type: ignore[arg-type]


@pytest.mark.parametrize("old", ["VXLAN", "IPIP"])
@pytest.mark.parametrize(("new", "size"), [("VXLAN", 28), ("IPIP", 26), ("None", 26)])
def test_new_pods_come_from_the_new_pool_and_old_ones_stay(old: str, new: str, size: int) -> None:
    made = plans(migrating(old, new, blockSize=size, natOutgoing=True), NODES, bgp="disabled")
    one, two = made["node1"], made["node2"]
    assert [len(within(cidr, one["blocks"])) for cidr in (A, B)] == [1, 1]
    assert one["cni"]["ranges"] == within(B, one["blocks"])
    assert one["cni"]["ranges"][0].endswith(f"/{size}")
    assert one["nat"] == {"masquerade": [B], "pools": [A, B]}
    assert len(one["probes"]) == 2, "both pools are verified"
    devices = {"VXLAN": "vxlan.calico", "IPIP": "tunl0", "None": "eth0"}
    ways = {route["destination"]: route["device"] for route in one["routes"] if route["gateway"]}
    assert ways == {within(A, two["blocks"])[0]: devices[old], within(B, two["blocks"])[0]: devices[new]}


@pytest.mark.parametrize(("new", "source"), [("VXLAN", B), ("None", A)])
def test_the_tunnel_address_moves_if_another_pool_can_give_one(new: str, source: str) -> None:
    stored = migrating("VXLAN", new)
    addresses = [stored["Node", name]["spec"]["ipv4VXLANTunnelAddr"] for name in NODES]
    assert within(source, [f"{address}/32" for address in addresses]) == [f"{address}/32" for address in addresses]


def test_a_node_that_comes_during_a_migration_reaches_the_old_pods() -> None:
    nodes = {**NODES, "node3": "192.0.2.13/24"}
    stored = claim({**migrating("VXLAN", "None"), **put({}, [node("node3", nodes["node3"])])}, nodes, now=NOW)
    made = plans(stored, nodes, bgp="disabled")["node3"]
    assert [tunnel["name"] for tunnel in made["tunnels"]] == ["vxlan.calico"]
    assert {route["device"] for route in made["routes"] if route["gateway"]} == {"vxlan.calico", "eth0"}


NOT_FOR_PODS: dict[str, dict[str, t.Any]] = {
    "disabled": {"disabled": True},
    "manual": {"assignmentMode": "Manual"},
    "of other nodes": {"nodeSelector": "rack == 'r9'"},
}


@pytest.mark.parametrize("spec", NOT_FOR_PODS.values(), ids=NOT_FOR_PODS)
def test_pools_that_give_new_pods_nothing(spec: dict[str, t.Any]) -> None:
    stored = put(cluster(pool("a", A), pool("b", B), nodes=NODES), [pool("a", A, **spec)])
    made = plans(claim(stored, NODES, now=NOW), NODES)["node1"]
    assert (len(made["blocks"]), made["cni"]["ranges"]) == (2, within(B, made["blocks"]))


def test_a_pool_that_is_out_of_the_inventory_goes_on_as_it_was() -> None:
    stored = put(cluster(pool("a", A), nodes=NODES), [pool("b", B)], pruned="inventory")
    made = plans(claim(stored, NODES, now=NOW), NODES)["node1"]
    assert [len(within(cidr, made["cni"]["ranges"])) for cidr in (A, B)] == [1, 1]


def test_a_pool_that_was_deleted_under_its_pods_is_refused() -> None:
    stored = remove(migrating("VXLAN", "VXLAN"), "IPPool", "a")
    with pytest.raises(InvalidInput) as caught:
        plans(stored, NODES)
    assert 'of node "node1" is in no IPPool: pods in it would be cut off' in str(caught.value)


def test_what_goes_with_a_pool() -> None:
    stored = migrating("VXLAN", "VXLAN")
    going = leaving(list(stored.values()), [pool("b", B)], "a")
    assert (going["pool"], sorted(going["blocks"].values())) == (A, ["node1", "node2"])
    assert going["cidrs"] == [A, *sorted(going["blocks"])]
    assert [(each["kind"], each["metadata"]["name"]) for each in going["documents"]] == [("IPPool", "a")]


@pytest.mark.parametrize("new", ["VXLAN", "None"])
def test_released_blocks_leave_no_record_and_the_rest_as_it_is(new: str) -> None:
    stored = migrating("VXLAN", new)
    rest = remove(released(stored, [ipaddress.ip_network(A)]), "IPPool", "a")
    assert not [key for key, each in rest.items() if "10.244." in str(each["spec"])]
    kept = {key: each for key, each in stored.items() if "10.244." not in str(each["spec"])}
    assert {key: rest[key] for key in kept} == kept
    assert left_in(rest.values(), A) == []
    assert {"IPPool a", "IPAMHandle podnet-probe-node1"} <= set(left_in(stored.values(), A))
    after = claim(rest, NODES, now=NOW)
    if new == "VXLAN":
        assert after == rest
    assert len(plans(after, NODES)["node1"]["blocks"]) == 1


def with_pod(stored: Snapshot) -> Snapshot:
    """Return the datastore of a real Calico, which notes each pod."""
    key, block = next(
        (key, each) for key, each in sorted(stored.items()) if key[0] == "IPAMBlock" and A[:6] in str(each)
    )
    attributes = {"pod": "web-0", "namespace": "shop", "node": "node1"}
    return {**stored, key: ipam_records.allocate(block, 5, "k8s-pod-network.abc", attributes)}


OTHER_VERSION = pool("six", "fd00::/64")
# By what is stored, what the inventory says, and the name: what is said.
REFUSED: dict[str, tuple[Snapshot, list[Document], str, str]] = {
    "unknown": (migrating("VXLAN", "VXLAN"), [], "c", "there is no such IPPool in the datastore. There are a, b"),
    "enabled in the inventory": (
        migrating("VXLAN", "VXLAN"),
        [pool("a", A), pool("b", B)],
        "a",
        'migrate pool "a": the inventory has it, enabled. Set disabled: true on it',
    ),
    "enabled in the datastore": (cluster(pool("a", A), pool("b", B)), [], "a", "it is enabled in the datastore"),
    "no other": (
        put(cluster(pool("a", A)), [pool("a", A, disabled=True), OTHER_VERSION]),
        [],
        "a",
        "no other IPv4 pool is enabled for pods. Add one",
    ),
    "a pod of Calico": (
        with_pod(migrating("VXLAN", "VXLAN")),
        [],
        "a",
        'is allocated to web-0 on node "node1". Have its holder release it first',
    ),
}


@pytest.mark.parametrize(("stored", "wanted", "name", "said"), REFUSED.values(), ids=REFUSED)
def test_a_pool_that_may_not_go_yet(stored: Snapshot, wanted: list[Document], name: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        leaving(list(stored.values()), wanted, name)
    assert said in str(caught.value)
