# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded datastore: calicoctl-style YAML documents in one directory of one host; no service to run.

An object that we write has its own file, <plural>/<name>.yaml. Files that a user drops in anywhere below the
directory, as ``calicoctl get -o yaml`` prints them, are read too; an object in them that is changed moves to its
own file.
"""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.datastore import revisions
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Document, key_of
from ansible_collections.podnet.calico.plugins.module_utils.datastore.file_index import FileIndex
from ansible_collections.podnet.calico.plugins.module_utils.datastore.file_lock import FileLock
from ansible_collections.podnet.calico.plugins.module_utils.errors import DatastoreError, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import KINDS, plural
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import name_problem

LOCK_NAME = ".lock"
OUR_DIRECTORY = "podnet-calico"


class FileStore:
    """Keeps documents in files below a directory that need not exist before the first write.

    Outside of a batch every operation reads the directory anew. Reading creates nothing.
    """

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path)
        self._lock = FileLock(self.root / LOCK_NAME)
        self._index: FileIndex | None = None
        self._emptied = False

    @contextlib.contextmanager
    def batch(self) -> t.Iterator[None]:
        """Read the directory once and keep other users of the lock out until the end."""
        if self._index is not None:
            yield
            return
        with self._reported("Reading"):
            self._lock.acquire(create=False)
        try:
            with self._reported("Reading"):
                self._index = FileIndex(self.root)
            yield
        finally:
            try:
                self._sync()
                self._tidy()
            finally:
                self._index = None
                self._emptied = False
                self._lock.release()

    def get(self, kind: str, name: str) -> Document | None:
        """Return a document, None if there is none."""
        with self.batch():
            return self._entries().get((kind, name))

    def list(self, kind: str) -> t.List[Document]:
        """Return the documents of a kind, sorted by name."""
        with self.batch():
            index = self._entries()
            found = [index.get(key) for key in sorted(index.places) if key[0] == kind]
            return [document for document in found if document is not None]

    def create(self, document: Document) -> Document:
        """Store a new document in its own file; see the contract."""
        plural(document["kind"])
        bad_name = name_problem(document["kind"], document["metadata"].get("name"))
        if bad_name is not None:
            raise bad_name
        with self._writing() as index:
            revisions.check_create(document, index.get(key_of(document)))
            stored = revisions.with_metadata(revisions.with_identity(document), resourceVersion="1")
            index.store(stored)
        return stored

    def update(self, document: Document) -> Document:
        """Replace a document; see the contract."""
        with self._writing() as index:
            stored = index.get(key_of(document))
            revisions.check_update(document, stored)
            successor = revisions.with_metadata(document, resourceVersion=revisions.next_revision(stored or {}))
            index.store(successor)
        return successor

    def delete(self, document: Document) -> None:
        """Delete a document; see the contract."""
        with self._writing() as index:
            revisions.check_delete(document, index.get(key_of(document)))
            index.drop(key_of(document))
            self._emptied = not index.places

    @contextlib.contextmanager
    def _writing(self) -> t.Iterator[FileIndex]:
        """Hold the lock and give the index; what was read without the lock is read again."""
        with self.batch(), self._reported("Writing"):
            if not self._lock.held:
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock.acquire(create=True)
                self._index = FileIndex(self.root)
            yield self._entries()

    def _sync(self) -> None:
        if self._index is not None:
            with self._reported("Writing"):
                self._index.sync()

    def _tidy(self) -> None:
        """After the last document has been deleted, leave nothing of ours: no empty folders, no lock, no directory."""
        if not self._emptied or self._index is None or self._index.places:
            return
        for folder in (self.root / name for name, __ in KINDS.values()):
            with contextlib.suppress(OSError):  # not there, or files of somebody else are in it
                folder.rmdir()
        (self.root / LOCK_NAME).unlink()
        with contextlib.suppress(OSError):  # files of somebody else are beside ours
            self.root.rmdir()
            if self.root.parent.name == OUR_DIRECTORY:
                self.root.parent.rmdir()

    def _entries(self) -> FileIndex:
        if self._index is None:
            raise InvalidInput("The datastore is used outside of a batch")
        return self._index

    @contextlib.contextmanager
    def _reported(self, attempt: str) -> t.Iterator[None]:
        """Turn an operating system error into DatastoreError."""
        try:
            yield
        except OSError as error:
            path, reason = error.filename or self.root, error.strerror or str(error)
            remedy = "Check the path, its permissions, and that the disk has space"
            raise DatastoreError(f"{attempt} the datastore {self.root}: {path}: {reason}", remedy=remedy) from error
