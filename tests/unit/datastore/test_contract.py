# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The datastore contract, run against every driver that needs no server."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put, remove
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import (
    Datastore,
    differences,
    snapshot,
    write,
)
from ansible_collections.podnet.calico.plugins.module_utils.datastore.file import FileStore
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput
from ansible_collections.podnet.calico.tests.unit.datastore.memory import MemoryStore

Document = dict[str, t.Any]


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Datastore:
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path / "store")


def node(name: str = "n1", **spec: t.Any) -> Document:
    return {"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": name}, "spec": spec}


def test_created_object_gets_its_book_keeping(store: Datastore) -> None:
    created = store.create(node())
    assert created["metadata"]["resourceVersion"] == "1"
    assert len(created["metadata"]["uid"]) == 36
    assert created["metadata"]["creationTimestamp"].endswith("Z")
    assert store.get("Node", "n1") == created


def test_given_identity_is_kept(store: Datastore) -> None:
    given = node()
    given["metadata"].update(uid="u", creationTimestamp="2026-01-02T03:04:05Z")
    assert store.create(given)["metadata"]["uid"] == "u"
    assert store.get("Node", "n1")["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"  # type: ignore[index]


def test_list_is_sorted_and_of_one_kind(store: Datastore) -> None:
    for name in ("b", "c", "a"):
        store.create(node(name))
    store.create({**node("z"), "kind": "BGPFilter"})
    assert [item["metadata"]["name"] for item in store.list("Node")] == ["a", "b", "c"]
    assert store.list("IPPool") == []
    assert store.get("Node", "z") is None


def test_creating_twice_is_a_conflict(store: Datastore) -> None:
    store.create(node())
    with pytest.raises(Conflict, match='Creating Node "n1": it exists at revision 1'):
        store.create(node())


def test_creating_with_a_revision_is_refused(store: Datastore) -> None:
    given = node()
    given["metadata"]["resourceVersion"] = "3"
    with pytest.raises(InvalidInput, match="resourceVersion is given"):
        store.create(given)
    assert store.get("Node", "n1") is None


def test_update_replaces_and_counts(store: Datastore) -> None:
    created = store.create(node())
    updated = store.update({**created, "spec": {"ipv4VXLANTunnelAddr": "10.0.0.1"}})
    assert updated["metadata"] == {**created["metadata"], "resourceVersion": "2"}
    assert store.get("Node", "n1") == updated


def test_update_of_a_changed_object_names_both_revisions(store: Datastore) -> None:
    created = store.create(node())
    store.update(created)
    with pytest.raises(Conflict) as caught:
        store.update({**created, "spec": {"ipv4VXLANTunnelAddr": "10.0.0.1"}})
    assert caught.value.message == 'Updating Node "n1" at revision 1: revision 2 is stored'
    assert caught.value.details == {"given": "1", "stored": "2"}
    assert store.get("Node", "n1")["spec"] == {}  # type: ignore[index]


def test_update_of_an_object_that_is_gone_is_a_conflict(store: Datastore) -> None:
    created = store.create(node())
    store.delete(created)
    with pytest.raises(Conflict, match="it does not exist"):
        store.update(created)
    assert store.list("Node") == []


def test_update_of_an_object_that_was_created_again_is_a_conflict(store: Datastore) -> None:
    created = store.create(node())
    store.delete(created)
    store.create(node())
    with pytest.raises(Conflict, match="created again"):
        store.update(created)


@pytest.mark.parametrize("field", ["resourceVersion", "uid", "creationTimestamp"])
def test_update_needs_all_book_keeping(store: Datastore, field: str) -> None:
    created = store.create(node())
    metadata = {key: value for key, value in created["metadata"].items() if key != field}
    with pytest.raises(InvalidInput, match=f"metadata.{field} missing"):
        store.update({**created, "metadata": metadata})


def test_delete_compares_the_revision_if_one_is_given(store: Datastore) -> None:
    created = store.create(node())
    store.update(created)
    with pytest.raises(Conflict, match="revision 2 is stored"):
        store.delete(created)
    store.delete(node())
    assert store.get("Node", "n1") is None
    with pytest.raises(Conflict, match="it does not exist"):
        store.delete(node())


def test_what_was_handed_out_does_not_change_the_store(store: Datastore) -> None:
    store.create(node(bgp={"ipv4Address": "192.0.2.1/24"}))
    store.get("Node", "n1")["spec"]["bgp"]["ipv4Address"] = "192.0.2.9/24"  # type: ignore[index]
    assert store.get("Node", "n1")["spec"]["bgp"]["ipv4Address"] == "192.0.2.1/24"  # type: ignore[index]


def test_batches_nest(store: Datastore) -> None:
    with store.batch():
        created = store.create(node())
        with store.batch():
            store.update(created)
        assert store.get("Node", "n1")["metadata"]["resourceVersion"] == "2"  # type: ignore[index]
    assert len(store.list("Node")) == 1


def test_snapshot_is_canonical(store: Datastore) -> None:
    store.create(node(bgp={"asNumber": "1.10", "ipv6Address": "2001:DB8::1/64"}))
    assert snapshot(store)["Node", "n1"]["spec"] == {"bgp": {"asNumber": 65546, "ipv6Address": "2001:db8::1/64"}}


def test_snapshot_reports_all_broken_objects(store: Datastore) -> None:
    store.create(node("n1", bgp={}))
    store.create(node("n2", bgp={"ipv4Address": "192.0.2.1/33"}))
    with pytest.raises(InvalidInput, match=r'(?s)2 problems.*Node "n1".*Node "n2"'):
        snapshot(store)


def test_second_write_of_the_same_changes_nothing(store: Datastore) -> None:
    documents = [node(bgp={"ipv4Address": "192.0.2.1/24"})]
    before = snapshot(store)
    after = write(store, before, put(before, documents))
    assert snapshot(store) == after
    assert differences(after, put(after, documents)) == []


def test_write_keeps_identities_and_deletes_last(store: Datastore) -> None:
    before = snapshot(store)
    before = write(store, before, put(before, [node("a"), node("b")]))
    after = put(remove(before, "Node", "a"), [node("b", ipv4VXLANTunnelAddr="10.0.0.1"), node("c")])
    assert differences(before, after) == [
        Change("Node", "b", {}, {"spec.ipv4VXLANTunnelAddr": "10.0.0.1"}),
        Change("Node", "c", None, {}),
        Change("Node", "a", {}, None),
    ]
    stored = write(store, before, after)
    assert snapshot(store) == stored
    assert stored["Node", "b"]["metadata"] == {**before["Node", "b"]["metadata"], "resourceVersion": "2"}
    assert set(stored) == {("Node", "b"), ("Node", "c")}


def test_write_over_somebody_elses_change_is_a_conflict(store: Datastore) -> None:
    before = snapshot(store)
    before = write(store, before, put(before, [node()]))
    store.update(before["Node", "n1"])
    with pytest.raises(Conflict, match="revision 2 is stored"):
        write(store, before, put(before, [node(ipv4VXLANTunnelAddr="10.0.0.1")]))


def test_creations_follow_what_refers_to_what(store: Datastore) -> None:
    version = "projectcalico.org/v3"
    peer_spec = {"peerIP": "192.0.2.1", "asNumber": 1, "filters": ["f"]}
    peer = {"apiVersion": version, "kind": "BGPPeer", "metadata": {"name": "a"}, "spec": peer_spec}
    bgp_filter = {"apiVersion": version, "kind": "BGPFilter", "metadata": {"name": "f"}, "spec": {}}
    after = put({}, [peer, bgp_filter])
    assert [change.kind for change in differences({}, after)] == ["BGPFilter", "BGPPeer"]
    assert [change.kind for change in differences(after, {})] == ["BGPPeer", "BGPFilter"]
