# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one algorithm of all modules that change resources: read, compute, compare, write unless in check mode."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put, remove
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import (
    Document,
    Snapshot,
    differences,
    snapshot,
    write,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible.module_utils.basic import AnsibleModule
    from ansible_collections.podnet.calico.plugins.module_utils.changes import Change


def converge(module: AnsibleModule, change: t.Callable[[Snapshot], Snapshot]) -> tuple[list[Change], Snapshot]:
    """Bring the module's datastore from what it holds to what a pure function makes of that.

    Returns the changes and the snapshot after them; in check mode, the ones that would be.
    """
    store = connect(module.params)
    with store.batch():
        before = snapshot(store)
        after = change(before)
        changes = differences(before, after)
        if changes and not module.check_mode:
            after = write(store, before, after)
    return changes, after


def converge_one(module: AnsibleModule, document: Document) -> tuple[list[Change], Document | None]:
    """Make one object present, by merging a document into it, or absent, as the option state says.

    Returns the changes and the object after them, None if it is absent.
    """
    kind, name = document["kind"], document["metadata"]["name"]

    def change(before: Snapshot) -> Snapshot:
        if module.params["state"] == "absent":
            return remove(before, kind, name)
        return put(before, [document], merge=True)

    changes, after = converge(module, change)
    return changes, after.get((kind, name))
