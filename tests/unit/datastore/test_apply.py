# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure changes of snapshots: put, merge, remove, prune."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import (
    mark,
    prune,
    put,
    remove,
    remove_all,
)
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.marks import MANAGED_LABEL

Document = dict[str, t.Any]


def document(kind: str, name: str, *, metadata: Document | None = None, **spec: t.Any) -> Document:
    version = "projectcalico.org/v3"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **(metadata or {})}, "spec": spec}


def pool(name: str, cidr: str, **spec: t.Any) -> Document:
    return document("IPPool", name, cidr=cidr, **spec)


STORED = put({}, [pool("main", "10.244.0.0/16", natOutgoing=True)])
BOOKED = {"resourceVersion": "4", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}


def booked() -> t.Any:
    given = document("Node", "n", metadata={**BOOKED, "labels": {"rack": "r1", "zone": "a"}}, bgp={"asNumber": 1})
    return {("Node", "n"): {**given, "status": {"podCIDRs": ["10.0.0.0/24"]}}}


def test_put_replaces_the_whole_document() -> None:
    after = put(STORED, [pool("main", "10.244.0.0/16", vxlanMode="Always")])
    assert after["IPPool", "main"]["spec"]["natOutgoing"] is False
    assert STORED["IPPool", "main"]["spec"]["natOutgoing"] is True


def test_merge_keeps_what_is_not_given() -> None:
    after = put(STORED, [document("IPPool", "main", vxlanMode="Always")], merge=True)
    assert after["IPPool", "main"]["spec"]["natOutgoing"] is True
    assert after["IPPool", "main"]["spec"]["vxlanMode"] == "Always"


def test_merge_goes_into_mappings_and_null_removes() -> None:
    patch = document("Node", "n", metadata={"labels": {"zone": None, "row": "2"}}, bgp={"ipv4Address": "192.0.2.1/24"})
    after = put(booked(), [patch], merge=True)["Node", "n"]
    assert after["metadata"]["labels"] == {"rack": "r1", "row": "2"}
    assert after["spec"]["bgp"] == {"asNumber": 1, "ipv4Address": "192.0.2.1/24"}


def test_merge_of_a_new_object_ignores_nulls() -> None:
    after = put({}, [document("Node", "n", metadata={"labels": {"a": None}}, ipv4VXLANTunnelAddr=None)], merge=True)
    assert after["Node", "n"] == document("Node", "n")


@pytest.mark.parametrize("merge", [True, False])
def test_book_keeping_and_status_stay(merge: bool) -> None:
    patch = document("Node", "n", metadata={"uid": "other"}, ipv4VXLANTunnelAddr="10.0.0.1")
    after = put(booked(), [patch], merge=merge)["Node", "n"]
    assert {key: after["metadata"][key] for key in BOOKED} == BOOKED
    assert after["status"] == {"podCIDRs": ["10.0.0.0/24"]}


def test_replaced_node_keeps_its_tunnel_addresses_unless_they_are_taken_away() -> None:
    tunnels: Document = {"ipv4VXLANTunnelAddr": "10.0.0.1", "vxlanTunnelMACAddr": "66:0a:00:00:00:01"}
    bgp = {"asNumber": 1, "ipv4Address": "192.0.2.1/24", "ipv4IPIPTunnelAddr": "10.0.0.2"}
    stored = put({}, [document("Node", "n", bgp=bgp, **tunnels)])
    after = put(stored, [document("Node", "n", bgp={"ipv4Address": "192.0.2.7/24"}, vxlanTunnelMACAddr=None)])
    assert after["Node", "n"]["spec"] == {
        "bgp": {"ipv4Address": "192.0.2.7/24", "ipv4IPIPTunnelAddr": "10.0.0.2"},
        "ipv4VXLANTunnelAddr": "10.0.0.1",
    }


def test_null_in_a_record_is_a_value() -> None:
    spec: Document = {
        "cidr": "10.0.0.0/26",
        "allocations": [None, 0],
        "attributes": [{"handle_id": None}],
        "extra": {"a": None},
    }
    block = document("IPAMBlock", "b", **spec)
    stored = put({}, [block])
    assert put(stored, [block]) == stored
    assert stored["IPAMBlock", "b"]["spec"] == spec


def test_document_with_another_revision_is_a_conflict() -> None:
    with pytest.raises(Conflict) as caught:
        put(booked(), [document("Node", "n", metadata={"resourceVersion": "3"})], match_revisions=True)
    assert "the document has revision 3, 4 is stored" in caught.value.message


def test_revision_of_a_document_from_elsewhere_is_forgotten() -> None:
    after = put({}, [document("Node", "n", metadata=BOOKED)])["Node", "n"]
    assert after["metadata"] == {"name": "n", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}


def test_problems_of_all_documents_make_one_list() -> None:
    with pytest.raises(InvalidInput) as caught:
        put({}, [pool("a", "10.0.0.1/16", blockSize=1), pool("B", "10.1.0.0/16"), document("Pod", "x")])
    assert caught.value.message.startswith("4 problems:")
    assert len(caught.value.details["problems"]) == 4


def test_object_given_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match='IPPool "a" is given twice'):
        put({}, [pool("a", "10.0.0.0/16"), pool("a", "10.0.0.0/16")])


def test_remove_needs_nothing_to_be_there() -> None:
    assert remove(STORED, "IPPool", "main") == {}
    assert remove(STORED, "IPPool", "other") == STORED
    with pytest.raises(InvalidInput, match="Did you mean IPPool"):
        remove(STORED, "IPPol", "main")


def test_objects_that_need_each_other_go_together() -> None:
    peer = document("BGPPeer", "p", peerIP="192.0.2.1", asNumber=1, filters=["f"])
    stored = put({}, [peer, document("BGPFilter", "f")])
    with pytest.raises(InvalidInput, match="does not exist"):
        remove(stored, "BGPFilter", "f")
    assert remove_all(stored, [("BGPFilter", "f"), ("BGPPeer", "p")]) == {}


def test_prune_drops_marked_objects_alone() -> None:
    stored = put(STORED, [mark(pool("a", "10.0.0.0/16")), mark(pool("b", "10.1.0.0/16"))])
    assert set(prune(stored, {("IPPool", "a")})) == {("IPPool", "main"), ("IPPool", "a")}


def test_pruned_pool_makes_room_for_its_successor() -> None:
    stored = put({}, [mark(pool("old", "10.0.0.0/16"))])
    successor = mark(pool("new", "10.0.0.0/8"))
    with pytest.raises(InvalidInput, match="overlaps"):
        put(stored, [successor])
    assert set(put(stored, [successor], pruned="true")) == {("IPPool", "new")}


def test_mark_adds_one_label() -> None:
    marked = mark(document("Node", "n", metadata={"labels": {"rack": "r1"}}))
    assert marked["metadata"]["labels"] == {"rack": "r1", MANAGED_LABEL: "true"}


def test_marked_objects_of_another_value_stay() -> None:
    mine, theirs = (
        document("BGPPeer", name, metadata={"labels": {MANAGED_LABEL: name}}, peerIP="192.0.2.1", asNumber=1)
        for name in ("a", "b")
    )
    stored = put({}, [mine, theirs])
    assert set(put(stored, [], pruned="a")) == {("BGPPeer", "b")}
    assert set(put(stored, [mine], pruned="a")) == {("BGPPeer", "a"), ("BGPPeer", "b")}
