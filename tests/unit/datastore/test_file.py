# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file driver: what is on disk, what users drop in, and what happens when something is interrupted."""

from __future__ import annotations

import multiprocessing
import os
import stat
import threading
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.podnet.calico.plugins.module_utils.datastore import file_index, yaml_text
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import differences, snapshot, write
from ansible_collections.podnet.calico.plugins.module_utils.datastore.file import FileStore
from ansible_collections.podnet.calico.plugins.module_utils.datastore.file_lock import FileLock
from ansible_collections.podnet.calico.plugins.module_utils.errors import (
    Conflict,
    DatastoreError,
    InvalidInput,
    MissingLibrary,
)

Document = dict[str, t.Any]

DROPPED_LIST = """\
apiVersion: projectcalico.org/v3
kind: IPPoolList
metadata:
  resourceVersion: "1234"
items:
- apiVersion: projectcalico.org/v3
  kind: IPPool
  metadata:
    creationTimestamp: 2026-01-02T03:04:05Z
    name: first
  spec:
    cidr: 10.0.0.0/16
- metadata:
    name: second
  spec:
    cidr: 10.1.0.0/16
"""

DROPPED_DOCUMENTS = """\
# written by a person
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1}
spec: {bgp: {ipv4Address: 192.0.2.1/24}, vxlanTunnelMACAddr: 11:22:33:44:55:10}
---
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n2, labels: {rack: r1}}
spec: {bgp: {ipv4Address: 192.0.2.2/24}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "below" / "store"


def node(name: str = "n1", **spec: t.Any) -> Document:
    return {"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": name}, "spec": spec}


def drop(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def change(root: Path, *documents: Document) -> None:
    store = FileStore(root)
    before = snapshot(store)
    write(store, before, put(before, documents, merge=True))


def test_missing_directory_reads_as_empty_and_stays_missing(root: Path) -> None:
    assert snapshot(FileStore(root)) == {}
    assert FileStore(root).get("Node", "n1") is None
    assert not root.exists()


def test_file_is_a_document_for_calicoctl_and_for_its_owner_alone(root: Path) -> None:
    FileStore(root).create(node(bgp={"ipv4Address": "192.0.2.1/24"}))
    path = root / "nodes" / "n1.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Managed by podnet.calico; edits are kept, comments are not."
    assert lines[1:6] == ["# Revision 1", "apiVersion: projectcalico.org/v3", "kind: Node", "metadata:", "  name: n1"]
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["spec"] == {"bgp": {"ipv4Address": "192.0.2.1/24"}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (root, path.parent)} == {0o700}


@pytest.mark.parametrize("kind", yaml_text.COMPACT_KINDS)
def test_records_that_programs_write_are_compact_and_still_yaml(root: Path, kind: str) -> None:
    spec = {"cidr": "10.0.0.0/26", "allocations": [None, 0], "note": "ü\"'😀", "deleted": "false"}
    created = FileStore(root).create({**node("r"), "kind": kind, "spec": spec})
    (path,) = root.glob("*/r.yaml")
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == created == FileStore(root).get(kind, "r")


def test_texts_that_look_like_something_else_stay_texts(root: Path) -> None:
    values = ["65000:50", "1.10", "2026-01-02T03:04:05Z", "true", "null", "0x10", "1e3", "~", "", "on", "2026-01-02"]
    FileStore(root).create({**node("f"), "kind": "BGPFilter", "spec": {"values": values}})
    assert FileStore(root).get("BGPFilter", "f")["spec"]["values"] == values  # type: ignore[index]


def test_our_revision_is_none_of_calicos(root: Path) -> None:
    """What calicoctl reads has no resourceVersion: it creates the object, and applies it as often as one likes."""
    store, path = FileStore(root), root / "nodes" / "n1.yaml"
    store.create(node("n1"))
    for revision in ("1", "2", "3"):
        read = FileStore(root).get("Node", "n1")
        assert read is not None
        assert read["metadata"]["resourceVersion"] == revision
        text = path.read_text(encoding="utf-8")
        assert text.splitlines()[1] == f"# Revision {revision}"
        assert "resourceVersion" not in yaml.safe_load(text)["metadata"]
        store.update(read)


def test_a_revision_in_metadata_counts_where_none_is_noted(root: Path) -> None:
    path = drop(
        root, "nodes/n1.yaml", yaml.safe_dump({**node("n1"), "metadata": {"name": "n1", "resourceVersion": "7"}})
    )
    change(root, node("n1", ipv4VXLANTunnelAddr="10.0.0.1"))
    assert path.read_text(encoding="utf-8").splitlines()[1] == "# Revision 8"


def test_dropped_in_list_and_documents_are_read(root: Path) -> None:
    drop(root, "pools.yml", DROPPED_LIST)
    drop(root, "sub/dir/nodes.yaml", DROPPED_DOCUMENTS)
    drop(root, "README.md", "not: [yaml")
    found = snapshot(FileStore(root))
    assert sorted(found) == [("IPPool", "first"), ("IPPool", "second"), ("Node", "n1"), ("Node", "n2")]
    assert found["IPPool", "second"]["spec"]["blockSize"] == 26
    assert found["IPPool", "first"]["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert found["Node", "n1"]["spec"]["vxlanTunnelMACAddr"] == "11:22:33:44:55:10"
    assert {document["metadata"]["resourceVersion"] for document in found.values()} == {"0"}


def test_reading_alone_leaves_dropped_in_files_as_they_are(root: Path) -> None:
    path = drop(root, "nodes.yaml", DROPPED_DOCUMENTS)
    snapshot(FileStore(root))
    change(root, node("n1"))
    assert path.read_text(encoding="utf-8") == DROPPED_DOCUMENTS
    assert list(root.iterdir()) == [path]


def test_changed_object_moves_to_its_own_file(root: Path) -> None:
    path = drop(root, "nodes.yaml", DROPPED_DOCUMENTS)
    change(root, node("n1", ipv4VXLANTunnelAddr="10.0.0.1"))
    own = yaml.safe_load((root / "nodes" / "n1.yaml").read_text(encoding="utf-8"))
    assert "resourceVersion" not in own["metadata"]
    assert own["metadata"]["uid"]
    assert own["spec"]["bgp"] == {"ipv4Address": "192.0.2.1/24"}
    left = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert [item["metadata"]["name"] for item in left] == ["n2"]
    change(root, node("n2", ipv4VXLANTunnelAddr="10.0.0.2"))
    assert not path.exists()
    assert len(FileStore(root).list("Node")) == 2


def test_deleted_object_leaves_its_neighbours_in_the_file(root: Path) -> None:
    path = drop(root, "pools.yaml", DROPPED_LIST)
    FileStore(root).delete({"kind": "IPPool", "metadata": {"name": "first"}})
    assert [item["metadata"]["name"] for item in FileStore(root).list("IPPool")] == ["second"]
    assert path.exists()


def test_several_objects_dropped_into_one_objects_place_all_stay(root: Path) -> None:
    drop(root, "nodes/n1.yaml", DROPPED_DOCUMENTS)
    change(root, node("n1", ipv4VXLANTunnelAddr="10.0.0.1"))
    assert [item["metadata"]["name"] for item in FileStore(root).list("Node")] == ["n1", "n2"]
    assert FileStore(root).get("Node", "n1")["spec"]["ipv4VXLANTunnelAddr"] == "10.0.0.1"  # type: ignore[index]


def test_edit_of_our_file_counts(root: Path) -> None:
    change(root, node("n1", bgp={"ipv4Address": "192.0.2.1/24"}))
    path = root / "nodes" / "n1.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("192.0.2.1/24", "192.0.2.7/24"), encoding="utf-8")
    assert snapshot(FileStore(root))["Node", "n1"]["spec"]["bgp"]["ipv4Address"] == "192.0.2.7/24"


def test_object_in_two_files_is_an_error_that_names_both(root: Path) -> None:
    one, other = drop(root, "a.yaml", DROPPED_DOCUMENTS), drop(root, "b.yaml", DROPPED_DOCUMENTS)
    with pytest.raises(DatastoreError) as caught:
        snapshot(FileStore(root))
    assert f'Node "n1" is in both {one} and {other}' in caught.value.message
    assert caught.value.remedy


BROKEN = {
    "syntax": ("kind: Node\nmetadata: {name: a\nspec: {}\n", "line 3 is not valid YAML"),
    "tab": ("kind: Node\n\tmetadata: {}\n", "line 2 is not valid YAML"),
    "tag": ("kind: !!python/object:os.system x\n", "line 1 is not valid YAML"),
    "control character": ("kind: \x01\n", "not valid YAML"),
    "no object": ("just a text\n", "a document has no kind or no metadata.name"),
    "no name": ("kind: Node\nmetadata: {}\n", "a document has no kind or no metadata.name"),
    "unknown kind": ("kind: Deployment\nmetadata: {name: a}\n", 'kind "Deployment" is not managed'),
    "twice": (DROPPED_DOCUMENTS + "---\n" + DROPPED_DOCUMENTS, 'Node "n1" is twice in'),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_file_is_named(root: Path, text: str, message: str) -> None:
    path = drop(root, "broken.yaml", text)
    with pytest.raises(DatastoreError) as caught:
        snapshot(FileStore(root))
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.remedy


def test_leftovers_of_a_crash_are_ignored_and_overwritten(root: Path) -> None:
    change(root, node("n1"))
    leftover = drop(root, f"nodes/{file_index.UNFINISHED}", "kind: Node\nmetadata: {na")
    assert list(snapshot(FileStore(root))) == [("Node", "n1")]
    change(root, node("n1", ipv4VXLANTunnelAddr="10.0.0.1"))
    assert not leftover.exists()
    assert snapshot(FileStore(root))["Node", "n1"]["spec"] == {"ipv4VXLANTunnelAddr": "10.0.0.1"}


def test_crash_before_the_rename_leaves_the_old_object(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(root, node("n1", ipv4VXLANTunnelAddr="10.0.0.1"))

    def power_failure(*_arguments: t.Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(file_index.os, "replace", power_failure)
    with pytest.raises(KeyboardInterrupt):
        change(root, node("n1", ipv4VXLANTunnelAddr="10.0.0.2"))
    monkeypatch.undo()
    assert snapshot(FileStore(root))["Node", "n1"]["spec"] == {"ipv4VXLANTunnelAddr": "10.0.0.1"}
    change(root, node("n1", ipv4VXLANTunnelAddr="10.0.0.2"))


def test_directory_that_is_a_file_is_reported(tmp_path: Path) -> None:
    path = drop(tmp_path, "file", "")
    with pytest.raises(DatastoreError, match="Not a directory") as caught:
        FileStore(path).create(node())
    assert str(path) in caught.value.message


def test_name_cannot_lead_out_of_the_directory(root: Path) -> None:
    with pytest.raises(InvalidInput, match="DNS-1123"):
        FileStore(root).create(node("../../etc/passwd"))
    assert not root.exists()


def test_second_user_waits_and_then_gives_up(root: Path) -> None:
    change(root, node("n1"))
    store = FileStore(root)
    with store.batch(), pytest.raises(DatastoreError, match="another process has held it for"):
        FileLock(root / ".lock", patience=0.1).acquire(create=False)
    FileLock(root / ".lock", patience=0.1).acquire(create=False)


def test_the_first_write_sees_what_somebody_else_has_written_meanwhile(root: Path) -> None:
    store = FileStore(root)
    with store.batch():  # nothing is there yet, not even a lock
        FileStore(root).create(node("n1"))
        with pytest.raises(Conflict, match="it exists at revision 1"):
            store.create(node("n1"))
        store.create(node("n2"))
    assert {name for __, name in snapshot(FileStore(root))} == {"n1", "n2"}


def _opened(path: Path) -> int:
    """Return how many times this process has a file open."""
    links = [link for link in Path("/proc/self/fd").iterdir() if os.path.islink(link)]
    return sum(os.path.realpath(link) == str(path) for link in links)


def test_a_lock_file_that_is_deleted_by_its_holder_locks_nobody_out(tmp_path: Path) -> None:
    path = tmp_path.resolve() / ".lock"
    first, second = FileLock(path), FileLock(path)
    first.acquire(create=True)
    waiting = threading.Thread(target=second.acquire, kwargs={"create": True})
    waiting.start()
    while _opened(path) < 2:
        assert waiting.is_alive()
    path.unlink()
    first.release()
    waiting.join()
    assert second.held
    with pytest.raises(DatastoreError, match="another process has held it for"):
        FileLock(path, patience=0.1).acquire(create=True)
    second.release()


def _count_up(root: Path, times: int) -> None:
    for __ in range(times):
        while True:
            store = FileStore(root)
            try:
                with store.batch():
                    stored = t.cast("Document", store.get("BGPFilter", "counter"))
                    store.update({**stored, "spec": {"count": stored["spec"]["count"] + 1}})
                break
            except Conflict:
                continue


def test_no_update_of_several_processes_is_lost(root: Path) -> None:
    FileStore(root).create({**node("counter"), "kind": "BGPFilter", "spec": {"count": 0}})
    workers = [multiprocessing.get_context("fork").Process(target=_count_up, args=(root, 20)) for __ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    stored = t.cast("Document", FileStore(root).get("BGPFilter", "counter"))
    assert (stored["spec"]["count"], stored["metadata"]["resourceVersion"]) == (60, "61")


def test_missing_yaml_library_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(root, "nodes.yaml", DROPPED_DOCUMENTS)
    monkeypatch.setattr(yaml_text, "YAML_TRACE", "trace")
    with pytest.raises(MissingLibrary) as caught:
        snapshot(FileStore(root))
    assert "python3-yaml" in caught.value.message


def test_thousand_nodes_are_stored_and_read_whole(root: Path) -> None:
    nodes = [node(f"n{index}", bgp={"ipv4Address": f"10.1.{index // 256}.{index % 256}/16"}) for index in range(1000)]
    store = FileStore(root)
    after = write(store, {}, put({}, nodes))
    assert snapshot(store) == after
    assert differences(after, put(after, nodes)) == []
