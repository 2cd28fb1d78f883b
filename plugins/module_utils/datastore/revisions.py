# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revisions, identities and the rules by which every driver accepts or refuses a write.

The rules are those of Calico's client (libcalico-go/lib/clientv3/resources.go) and etcd backend.
"""

from __future__ import annotations

import datetime
import re
import typing as t
import uuid

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput

UNSEEN = "0"
"""The revision of an object that was put into the datastore by other hands and never written by us."""

NEEDED = ("resourceVersion", "uid", "creationTimestamp")

_NUMBER = re.compile(r"[0-9]{1,18}")

RUN_AGAIN = "Somebody else changed it in the meantime; read it again and repeat the change"


def describe(document: t.Mapping[str, t.Any]) -> str:
    """Return how messages name an object, for example ``IPPool "main"``."""
    return f'{document["kind"]} "{document["metadata"]["name"]}"'


def revision(document: t.Mapping[str, t.Any]) -> str:
    """Return the revision of a document, "0" if it has none."""
    return str(document["metadata"].get("resourceVersion") or UNSEEN)


def with_metadata(document: t.Mapping[str, t.Any], **values: str) -> dict[str, t.Any]:
    """Return a document with fields of its metadata set; the given one stays as it is."""
    return {**document, "metadata": {**document["metadata"], **values}}


def with_identity(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a document with a random uid and the present time (UTC) where it has none of its own."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = document["metadata"]
    return with_metadata(
        document,
        uid=metadata.get("uid") or str(uuid.uuid4()),
        creationTimestamp=metadata.get("creationTimestamp") or now,
    )


def as_successor(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a document as the update of a stored one; the identity is invented where the stored one has none."""
    identity = with_identity(before)["metadata"]
    kept = {key: identity[key] for key in ("uid", "creationTimestamp")}
    return with_metadata(after, resourceVersion=revision(before), **kept)


def next_revision(stored: t.Mapping[str, t.Any]) -> str:
    """Return the revision that follows a stored document's; one that is no number is followed by "1"."""
    current = revision(stored)
    return str(int(current) + 1) if _NUMBER.fullmatch(current) else "1"


def check_create(document: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any] | None) -> None:
    """Raise InvalidInput if a revision is given, Conflict if the object exists."""
    if document["metadata"].get("resourceVersion"):
        message = f"Creating {describe(document)}: metadata.resourceVersion is given"
        raise InvalidInput(message, remedy="Leave it out; the datastore sets it")
    if stored is not None:
        message = f"Creating {describe(document)}: it exists at revision {revision(stored)}"
        raise Conflict(message, remedy="Read it and update it", stored=revision(stored))


def check_update(document: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any] | None) -> None:
    """Raise InvalidInput if book-keeping is missing, Conflict if the object is gone or another revision is stored."""
    missing = [key for key in NEEDED if not document["metadata"].get(key)]
    if missing:
        message = f"Updating {describe(document)}: metadata.{' and '.join(missing)} missing"
        raise InvalidInput(message, remedy="Read the object, change it and write that back")
    _compare("Updating", document, stored)


def check_delete(document: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any] | None) -> None:
    """Raise Conflict if the object is gone, or if a revision is given and another one is stored."""
    if stored is None or document["metadata"].get("resourceVersion"):
        _compare("Deleting", document, stored)


def _compare(attempt: str, document: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any] | None) -> None:
    given = revision(document)
    attempted = f"{attempt} {describe(document)} at revision {given}"
    if stored is None:
        raise Conflict(f"{attempted}: it does not exist", remedy=RUN_AGAIN, given=given)
    if revision(stored) != given:
        message = f"{attempted}: revision {revision(stored)} is stored"
        raise Conflict(message, remedy=RUN_AGAIN, given=given, stored=revision(stored))
    uids = [item["metadata"].get("uid") for item in (document, stored)]
    if all(uids) and uids[0] != uids[1]:
        message = f"{attempted}: it was deleted and created again (uid {uids[1]} instead of {uids[0]})"
        raise Conflict(message, remedy=RUN_AGAIN, given=given)
