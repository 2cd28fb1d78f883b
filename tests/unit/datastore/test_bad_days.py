# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A datastore directory in which others did things: emptied files, links, FIFOs, endless documents, a lost lock."""

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore import file_index, file_lock, yaml_text
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import snapshot
from ansible_collections.podnet.calico.plugins.module_utils.datastore.documents import read_documents
from ansible_collections.podnet.calico.plugins.module_utils.datastore.file import FileStore
from ansible_collections.podnet.calico.plugins.module_utils.datastore.file_lock import FileLock
from ansible_collections.podnet.calico.plugins.module_utils.datastore.revisions import next_revision
from ansible_collections.podnet.calico.plugins.module_utils.errors import DatastoreError, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.marks import DATASTORE

NODE = {"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": {"name": "n1"}, "spec": {}}
SELF = "kind: Node\nmetadata: {name: n1}\nspec: &spec {labels: *spec}\n"
# Each level names the one before it ten times: eight lines, a hundred million values.
GROWING = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9))
# Newer libyaml refuses deep nesting itself; that of Debian 12 (0.2.5) has no limit, so we have one.
BAD_TEXTS = {
    "an emptied file": ("", "the file has no document. Restore it from a backup"),
    "comments alone": ("# nothing\n---\n", "the file has no document"),
    "an alias to itself": (SELF, "it contains itself"),
    "aliases that multiply": (f"a0: &a0 [1]\n{GROWING}", "it has more than"),
    "deep brackets": ("spec: " + "[" * 5000, "nest"),
    "deep lists": ("- " * 5000, "nest"),
    "deep JSON below our header": (yaml_text.HEADER + '{"a":' * 5000, "nest"),
    "bytes of an image": (b"\x89PNG\xff", "not UTF-8 at byte 0"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the directory of a datastore with one Node."""
    FileStore(tmp_path / "store").create(NODE)
    return tmp_path / "store"


@pytest.mark.parametrize(("content", "reason"), BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_a_bad_file_is_named_and_nothing_is_read_past_it(root: Path, content: str | bytes, reason: str) -> None:
    path = root / "nodes" / "n1.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DatastoreError) as caught:
        snapshot(FileStore(root))
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)


def test_documents_with_aliases_and_brackets_are_taken(root: Path) -> None:
    cidrs = ", ".join("{cidr: 10.0.0.0/16}" for __ in range(200))
    metadata = "{name: default, labels: &l {a: b}, annotations: *l}"
    text = f"kind: BGPConfiguration\nmetadata: {metadata}\nspec: {{x: [{cidrs}]}}"
    (found,) = yaml_text.parse(text, "a text")
    assert (len(found["spec"]["x"]), found["metadata"]["annotations"]) == (200, {"a": "b"})


def test_a_fifo_is_refused_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pools.yaml")
    with pytest.raises(DatastoreError, match=r"pools.yaml: not a regular file"):
        snapshot(FileStore(root))
    with pytest.raises(DatastoreError, match=r"pools.yaml: not a regular file"):
        read_documents(str(root / "pools.yaml"))


def test_a_planted_link_is_not_written_through(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (root / "nodes" / file_index.UNFINISHED).symlink_to(victim)
    store = FileStore(root)
    stored = t.cast("dict[str, t.Any]", store.get("Node", "n1"))
    store.update({**stored, "spec": {"ipv4VXLANTunnelAddr": "10.0.0.1"}})
    assert victim.read_text() == "untouched"
    assert not (root / "nodes" / "n1.yaml").is_symlink()
    assert stat.S_IMODE((root / "nodes" / "n1.yaml").stat().st_mode) == 0o600


def test_a_planted_lock_is_no_link_and_not_open_to_others(root: Path, tmp_path: Path) -> None:
    lock = root / ".lock"
    lock.chmod(0o666)
    FileStore(root).create({**NODE, "metadata": {"name": "n2"}})
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    for plant in (lambda: lock.symlink_to(tmp_path / "victim"), lambda: os.mkfifo(lock), lock.mkdir):
        lock.unlink()
        plant()
        with pytest.raises(DatastoreError, match=r"\.lock: "):
            FileStore(root).create({**NODE, "metadata": {"name": "n3"}})
        if lock.is_dir() and not lock.is_symlink():
            lock.rmdir()
            lock.touch()
    assert not (tmp_path / "victim").exists()


def test_a_lock_whose_file_stays_deleted_is_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overlay file systems can go on to show a file whose link count is 0."""
    real = os.fstat

    def fstat(descriptor: int) -> t.Any:
        found = list(real(descriptor))
        found[stat.ST_NLINK] = 0
        return os.stat_result(found)

    monkeypatch.setattr(file_lock.os, "fstat", fstat)
    with pytest.raises(DatastoreError, match=r"it is deleted again and again for 0\.1 seconds"):
        FileLock(root / ".lock", patience=0.1).acquire(create=True)


def test_the_longest_names_are_stored_and_told_apart(root: Path) -> None:
    """Names may have 253 characters (RFC 1123), those of files 255 bytes with their endings."""
    store = FileStore(root)
    names = [("a" * 60 + ".") * 4 + "b" * length for length in (6, 7, 8, 9)]
    assert [len(name) for name in names] == [250, 251, 252, 253]
    for name in names:
        store.create({**NODE, "metadata": {"name": name}})
    assert {name for __, name in snapshot(FileStore(root))} == {"n1", *names}
    store.delete({**NODE, "metadata": {"name": names[-1]}})
    assert {name for __, name in snapshot(FileStore(root))} == {"n1", *names[:-1]}


@pytest.mark.parametrize("path", ["", "store", "./store", "/etc/a\0b"])
def test_a_path_that_is_none_is_refused_and_never_the_default(path: str) -> None:
    with pytest.raises(InvalidInput, match="is not an absolute path"):
        connect({"datastore": {"driver": "file", "path": path}})


@pytest.mark.parametrize("options", [{}, {"datastore": None}, {"datastore": {"driver": "file", "path": None}}])
def test_a_path_that_is_not_given_is_the_default(options: t.Any) -> None:
    assert str(t.cast("FileStore", connect(options)).root) == DATASTORE


@pytest.mark.parametrize(("revision", "following"), [("7", "8"), ("²", "1"), ("1234/5", "1"), ("9" * 5000, "1")])
def test_any_revision_has_a_next_one(revision: str, following: str) -> None:
    assert next_revision({"metadata": {"resourceVersion": revision}}) == following
