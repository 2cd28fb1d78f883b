# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the datastore still has what a plan was made from: digests of objects, handed from step to step of a run."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.datastore.revisions import describe
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot

_FOLLOWS_FROM_BLOCKS = ("BlockAffinity", "IPAMHandle")
_NAMED = 5  # objects in the message; the failure lists all of them


def basis(snapshot: Snapshot) -> dict[str, str]:
    """Return a digest of labels and spec of each object by kind and name, but for those that follow from others."""
    return {
        describe(document): _digest(document)
        for (kind, __), document in sorted(snapshot.items())
        if kind not in _FOLLOWS_FROM_BLOCKS
    }


def _digest(document: t.Mapping[str, t.Any]) -> str:
    text = json.dumps([document["metadata"].get("labels") or {}, document["spec"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def handed_on(expected: t.Mapping[str, str] | None, stored: Snapshot) -> dict[str, t.Any]:
    """Return what a step tells the next one of what it left, for its outcome; nothing if it was told nothing."""
    return {} if expected is None else {"stored": basis(stored)}


def refuse_another(attempt: str, expected: t.Mapping[str, str] | None, stored: Snapshot) -> None:
    """Raise Conflict, naming objects, if other things are stored than a basis says; None expects nothing.

    Nothing may have been written yet.
    """
    if expected is None:
        return
    found = basis(stored)
    others = [name for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)]
    if others:
        rest = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        raise Conflict(
            f"{attempt}: another run has changed the datastore since this one planned: "
            f"{', '.join(others[:_NAMED])}{rest}",
            remedy="Run this again when no other playbook works on the cluster; it plans from what is stored then",
            objects=others,
        )
