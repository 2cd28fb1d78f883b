# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a datastore can do, whichever driver it has, and the two values made from it: snapshots and differences.

A document is the plain data of a Calico v3 object: apiVersion, kind, metadata, spec, and status where it has one.
Documents that this package hands out are not to be modified in place.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.datastore.revisions import as_successor
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import KINDS, normalise
from ansible_collections.podnet.calico.plugins.module_utils.resources.problems import problems_of

Document = t.Dict[str, t.Any]
Key = t.Tuple[str, str]
Snapshot = t.Dict[Key, Document]

ATTEMPTS = 5  # to change what somebody else has changed in between

BOOK_KEEPING = ("resourceVersion", "uid", "creationTimestamp")
"""Fields of metadata that the datastore sets; they do not make two documents differ."""


class Datastore(t.Protocol):
    """Stores one document per kind and name; every write is a compare-and-swap on metadata.resourceVersion.

    All operations raise DatastoreError when the datastore cannot be read or written.
    """

    def batch(self) -> t.ContextManager[None]:
        """Hold the datastore for several operations, so that a driver can lock and read once; may be nested."""

    def get(self, kind: str, name: str) -> Document | None:
        """Return a document, None if there is none."""

    def list(self, kind: str) -> t.List[Document]:
        """Return the documents of a kind, sorted by name."""

    def create(self, document: Document) -> Document:
        """Store a new document and return it with uid, creationTimestamp (unless given) and resourceVersion.

        Raises Conflict if the name is taken, InvalidInput if a resourceVersion is given.
        """

    def update(self, document: Document) -> Document:
        """Replace a document and return it with its new resourceVersion.

        Raises InvalidInput unless resourceVersion, uid and creationTimestamp are given; Conflict, naming both
        revisions, if the stored one is another than the given one, or gone.
        """

    def delete(self, document: Document) -> None:
        """Delete the document of that kind and name.

        Raises Conflict if it is gone, or if a resourceVersion is given and the stored one is another.
        """


def key_of(document: t.Mapping[str, t.Any]) -> Key:
    """Return the kind and name of a document."""
    return document["kind"], document["metadata"]["name"]


def snapshot(store: Datastore) -> Snapshot:
    """Return everything that is stored, by kind and name, in canonical form; one read.

    Raises InvalidInput with all problems of stored documents, for example of files that a user edited.
    """
    documents: Snapshot = {}
    problems: list[InvalidInput] = []
    with store.batch():
        for kind in KINDS:
            for document in store.list(kind):
                try:
                    documents[key_of(document)] = normalise(document)
                except InvalidInput as error:
                    problems.extend(problems_of(error))
    raise_all(problems)
    return documents


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """Return the changes between two snapshots: creations and replacements in the order of KINDS, then deletions.

    The sides of a change are the documents' parts by path (metadata.labels, spec.cidr), without book-keeping.
    """
    order = {kind: index for index, kind in enumerate(KINDS)}
    changes = [
        Change(kind, name, _parts(before.get((kind, name))), _parts(after.get((kind, name))))
        for kind, name in sorted({*before, *after}, key=lambda key: (order.get(key[0], len(order)), key[1]))
        if before.get((kind, name)) is not after.get((kind, name))
    ]
    real = [change for change in changes if change.before != change.after]
    deletions = [change for change in reversed(real) if change.after is None]
    return [change for change in real if change.after is not None] + deletions


def _parts(document: Document | None) -> dict[str, t.Any] | None:
    """Return a document as one mapping of path to value, without what the datastore sets."""
    if document is None:
        return None
    metadata = {key: value for key, value in document["metadata"].items() if key not in ("name", *BOOK_KEEPING)}
    groups = {"metadata": metadata, "spec": document.get("spec", {}), "status": document.get("status", {})}
    return {f"{group}.{key}": value for group, values in groups.items() for key, value in values.items()}


def write(store: Datastore, before: Snapshot, after: Snapshot) -> Snapshot:
    """Apply the differences, deletions last, and return the snapshot of what is stored then.

    Objects keep the uid, creationTimestamp and resourceVersion that they have in before; so an object that
    somebody else changed since then raises Conflict.
    """
    stored = dict(after)
    with store.batch():
        for change in differences(before, after):
            key = (change.kind, change.name)
            if change.after is None:
                store.delete(before[key])
            elif change.before is None:
                stored[key] = store.create(after[key])
            else:
                stored[key] = store.update(as_successor(before[key], after[key]))
    return stored


def settle(
    store: Datastore, change: t.Callable[[Snapshot], Snapshot], *, check_mode: bool
) -> tuple[Snapshot, Snapshot]:
    """Bring a datastore from what it holds to what a pure function makes of that; return both.

    Where somebody else has changed an object in between, all of it is worked out anew from what is stored then; the
    last of ATTEMPTS raises Conflict. Check mode returns what would be stored.
    """
    for left in reversed(range(ATTEMPTS)):
        with store.batch():
            before = snapshot(store)
            after = change(before)
            if check_mode:
                break
            try:
                after = write(store, before, after)
                break
            except Conflict:
                if not left:
                    raise
    return before, after
