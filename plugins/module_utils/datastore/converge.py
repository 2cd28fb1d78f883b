# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one algorithm of all modules that change resources: read, compute, compare, write unless in check mode."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import mark, put, remove, remove_all
from ansible_collections.podnet.calico.plugins.module_utils.datastore.basis import handed_on, refuse_another
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import (
    Document,
    Key,
    Snapshot,
    differences,
    settle,
    snapshot,
)
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.lists import documents_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import name_of

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.podnet.calico.plugins.module_utils.changes import Change


def converge(module: AnsibleModule, change: t.Callable[[Snapshot], Snapshot]) -> tuple[list[Change], Snapshot]:
    """Bring the module's datastore from what it holds to what a pure function makes of that.

    Returns the changes and the snapshot after them; in check mode, the ones that would be.
    """
    before, after = settle(connect(module.params), change, check_mode=module.check_mode)
    return differences(before, after), after


def converge_one(module: AnsibleModule, document: Document) -> Outcome:
    """Make one object present, by merging a document into it, or absent, as the option state says.

    The outcome has the object after the changes as resource, None if it is absent.
    """
    kind, name = document["kind"], document["metadata"]["name"]

    def change(before: Snapshot) -> Snapshot:
        if module.params["state"] == "absent":
            return remove(before, kind, name)
        return put(before, [document], merge=True)

    changes, after = converge(module, change)
    return Outcome(changes, {"resource": after.get((kind, name))})


def converge_many(module: AnsibleModule) -> Outcome:
    """Make the objects of the option documents present, each replaced as a whole, or absent, as state says.

    With prune, present objects get the managed label, and objects that carry it and are not named go; with
    prune_marked, objects go that carry it with that value and are not named.
    The outcome has the named objects after the changes as resources, and, if the option expected is given, as stored
    what a later step is to expect.
    """
    documents, pruned = documents_of(module.params["documents"]), module.params["prune"]
    absent, marked = module.params["state"] == "absent", module.params["prune_marked"]
    expected = module.params["expected"]
    if absent and pruned:
        raise InvalidInput("prune contradicts state absent", remedy="Use prune with state present")
    keys = [_named(document, index) for index, document in enumerate(documents)]
    found: Snapshot = {}

    def change(before: Snapshot) -> Snapshot:
        refuse_another("store resources" if documents else "go on by the plan", expected, before)
        found.update(before)
        if absent:
            return remove_all(before, keys)
        placed = [mark(document) if pruned else document for document in documents]
        return put(
            before, placed, pruned="true" if pruned else marked, match_revisions=module.params["match_revisions"]
        )

    changes, after = converge(module, change)
    stored = found if module.check_mode else after
    facts = {"resources": [after[key] for key in keys if key in after], **handed_on(expected, stored)}
    return Outcome(changes, facts)


def _named(document: t.Any, index: int) -> Key:
    """Return the kind and name of a document given by a user."""
    if not isinstance(document, dict):
        raise InvalidInput(f"documents[{index}] is not a mapping", remedy="Give documents as calicoctl prints them")
    kind, name = document.get("kind"), name_of(document)
    if not isinstance(kind, str) or not isinstance(name, str):
        remedy = "Give every document apiVersion, kind, metadata with a name, and spec"
        raise InvalidInput(f"documents[{index}] has no kind or no metadata.name", remedy=remedy)
    return kind, name


def read_resources(params: t.Mapping[str, t.Any]) -> list[Document]:
    """Return the stored documents, of one kind and one name if the parameters say so, sorted by kind and name."""
    found = snapshot(connect(params))
    return [
        document
        for (kind, name), document in sorted(found.items())
        if params.get("kind") in (None, kind) and params.get("name") in (None, name)
    ]
