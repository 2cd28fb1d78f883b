# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing what is stored, as pure functions from snapshot to snapshot."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import (
    BOOK_KEEPING,
    Document,
    Key,
    Snapshot,
    key_of,
)
from ansible_collections.podnet.calico.plugins.module_utils.datastore.revisions import describe, revision
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.marks import MANAGED_LABEL
from ansible_collections.podnet.calico.plugins.module_utils.resources import crosscheck
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise, plural
from ansible_collections.podnet.calico.plugins.module_utils.resources.problems import problems_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import name_of

TUNNEL_FIELDS = (
    "ipv4VXLANTunnelAddr",
    "vxlanTunnelMACAddr",
    "ipv6VXLANTunnelAddr",
    "vxlanTunnelMACAddrV6",
    "wireguard",
)
IPIP_FIELD = "ipv4IPIPTunnelAddr"  # below spec.bgp

Raw = t.Mapping[str, t.Any]


def put(
    snapshot: Snapshot,
    documents: t.Iterable[Raw],
    *,
    merge: bool = False,
    pruned: str = "",
    match_revisions: bool = False,
) -> Snapshot:
    """Return the snapshot with the documents in it, in canonical form and checked against each other.

    A document replaces the stored one of its kind and name. With merge, it is a merge patch to it (RFC 7396):
    mappings are merged, null removes a field, everything else replaces. Book-keeping and status of a stored object
    are kept. With pruned, objects that carry the managed label with that value and are not among the documents are
    dropped.
    With match_revisions, a document that names a revision has to name the stored one; otherwise that is information
    of the datastore that it came from.
    Raises InvalidInput with the problems of all documents, and Conflict for another revision.
    """
    result = dict(snapshot)
    problems: list[InvalidInput] = []
    keys: set[Key] = set()
    for document in documents:
        try:
            canonical = _placed(result, document, merge, match_revisions)
        except InvalidInput as error:
            problems.extend(problems_of(error))
            continue
        key = key_of(canonical)
        if key in keys:
            problems.append(InvalidInput(f"{describe(canonical)} is given twice", remedy="Give each object once"))
        keys.add(key)
        result[key] = canonical
    raise_all(problems)
    if pruned:
        result = prune(result, keys, pruned)
    crosscheck.check(snapshot, result)
    return result


def remove(snapshot: Snapshot, kind: str, name: str) -> Snapshot:
    """Return the snapshot without an object; the same if it is not there.

    Raises InvalidInput if another object needs it.
    """
    return remove_all(snapshot, [(kind, name)])


def remove_all(snapshot: Snapshot, keys: t.Collection[Key]) -> Snapshot:
    """Return the snapshot without some objects, whichever of them are there.

    Raises InvalidInput for an unknown kind, and if an object that stays needs one that goes.
    """
    for kind, _name in keys:
        plural(kind)
    result = {key: document for key, document in snapshot.items() if key not in keys}
    crosscheck.check(snapshot, result)
    return result


def prune(snapshot: Snapshot, keep: t.Collection[Key], value: str = "true") -> Snapshot:
    """Return the snapshot without the objects that carry the managed label with a value and are not to be kept."""
    return {key: document for key, document in snapshot.items() if key in keep or manager(document) != value}


def manager(document: Raw) -> str:
    """Return the value of an object's managed label; empty if it has none."""
    return str((document["metadata"].get("labels") or {}).get(MANAGED_LABEL, ""))


def mark(document: Raw) -> Document:
    """Return a document with the managed label added."""
    metadata = document.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), MANAGED_LABEL: "true"}
    return {**document, "metadata": {**metadata, "labels": labels}}


def _placed(snapshot: Snapshot, document: Raw, merge: bool, match_revisions: bool) -> Document:
    """Return the canonical form of a document as the successor of the stored one."""
    name, kind = name_of(document), document.get("kind") if isinstance(document, t.Mapping) else None
    stored = snapshot.get((kind, name)) if isinstance(kind, str) and isinstance(name, str) else None
    if stored is None:
        return _without_revision(normalise(_patched({}, document) if merge else document))
    given = document["metadata"].get("resourceVersion")
    if match_revisions and given and str(given) != revision(stored):
        message = f"Replacing {describe(stored)}: the document has revision {given}, {revision(stored)} is stored"
        raise Conflict(message, remedy="Leave metadata.resourceVersion out of the document to replace it all the same")
    kept_fields = stored if merge else _allocations(stored)
    canonical = normalise(_patched(kept_fields, document) if kept_fields else document)
    kept = {key: value for key, value in stored["metadata"].items() if key in BOOK_KEEPING}
    canonical["metadata"] = {**_without_revision(canonical)["metadata"], **kept}
    if "status" in stored:
        canonical["status"] = stored["status"]
    return canonical


def _allocations(stored: Document) -> Document:
    """Return what IPAM and the nodes note on a stored Node: a document that replaces it does not take that away."""
    if stored["kind"] != "Node":
        return {}
    spec = stored.get("spec", {})
    tunnels = {key: spec[key] for key in TUNNEL_FIELDS if key in spec}
    bgp = {key: value for key, value in spec.get("bgp", {}).items() if key == IPIP_FIELD}
    return {"spec": {**tunnels, **({"bgp": bgp} if bgp else {})}}


def _without_revision(document: Document) -> Document:
    document["metadata"].pop("resourceVersion", None)
    return document


def _patched(target: t.Any, patch: t.Any) -> t.Any:
    """Return the result of a merge patch (RFC 7396)."""
    if not isinstance(patch, t.Mapping):
        return patch
    result = dict(target) if isinstance(target, t.Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _patched(result.get(key), value)
    return result
