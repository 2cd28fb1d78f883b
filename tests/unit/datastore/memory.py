# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A datastore in memory: the contract in its plainest form."""

from __future__ import annotations

import contextlib
import copy
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.datastore import revisions
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Document, Key, key_of


class MemoryStore:
    """Holds documents in a dictionary; what it takes and gives are copies."""

    def __init__(self) -> None:
        self._documents: dict[Key, Document] = {}

    def batch(self) -> t.ContextManager[None]:
        """Hold nothing: there is one user."""
        return contextlib.nullcontext()

    def get(self, kind: str, name: str) -> Document | None:
        """Return a document, None if there is none."""
        return copy.deepcopy(self._documents.get((kind, name)))

    def list(self, kind: str) -> t.List[Document]:
        """Return the documents of a kind, sorted by name."""
        return [copy.deepcopy(document) for key, document in sorted(self._documents.items()) if key[0] == kind]

    def create(self, document: Document) -> Document:
        """Store a new document; see the contract."""
        revisions.check_create(document, self._documents.get(key_of(document)))
        return self._store(revisions.with_identity(document), "1")

    def update(self, document: Document) -> Document:
        """Replace a document; see the contract."""
        stored = self._documents.get(key_of(document))
        revisions.check_update(document, stored)
        return self._store(document, revisions.next_revision(stored or {}))

    def delete(self, document: Document) -> None:
        """Delete a document; see the contract."""
        revisions.check_delete(document, self._documents.get(key_of(document)))
        del self._documents[key_of(document)]

    def _store(self, document: Document, revision: str) -> Document:
        stored = copy.deepcopy(revisions.with_metadata(document, resourceVersion=revision))
        self._documents[key_of(stored)] = stored
        return copy.deepcopy(stored)
