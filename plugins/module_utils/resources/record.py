# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every stored object carries besides its spec: names, labels, and the datastore's book-keeping."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields, scalar_text

API_VERSION = "projectcalico.org/v3"
MAX_ANNOTATIONS = 256 * 1024
"""The most that keys and values of all annotations may take together, in bytes (Kubernetes' limit)."""

KNOWN_METADATA = ("name", "labels", "annotations", "uid", "creationTimestamp", "resourceVersion")
IGNORED_METADATA: dict[str, type] = {
    **dict.fromkeys(("generateName", "namespace", "selfLink"), str),
    **dict.fromkeys(("finalizers", "managedFields", "ownerReferences"), list),
    **dict.fromkeys(("deletionGracePeriodSeconds", "generation"), int),
    "deletionTimestamp": str,
}
"""Fields that Kubernetes keeps, with their types; they are read past."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Record:
    """The datastore's book-keeping of an object: empty texts where the object has not been stored yet.

    status is what a controller reported about the object; it is carried along untouched.
    """

    annotations: t.Mapping[str, str] = field(default_factory=dict)
    uid: str = ""
    creation_timestamp: str = ""
    resource_version: str = ""
    status: t.Mapping[str, t.Any] | None = None


def is_name(text: str) -> bool:
    """Tell whether a text is a DNS-1123 subdomain of at most 253 characters, as Calico's names are."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def name_problem(kind: str, name: t.Any) -> InvalidInput | None:
    """Return what is wrong with an object's name, or None."""
    if not isinstance(name, str) or not name:
        return InvalidInput(f"{kind}: metadata.name is missing", remedy="Give the object a name")
    if is_name(name):
        return None
    proposal = re.sub(r"[^a-z0-9.-]+", "-", name.lower())[:253].strip("-.")
    remedy = (
        "Use lower-case letters, digits, - and ., at most 253 characters, beginning and ending with a letter or digit"
    )
    if is_name(proposal):
        remedy = f'Use for example "{proposal}"'
    return InvalidInput(f'{kind} "{name}": metadata.name "{name}" is not a DNS-1123 subdomain', remedy=remedy)


def read_labels(metadata: Fields) -> dict[str, str]:
    """Return the labels, sorted by key; keys and values follow the rules of Kubernetes."""
    labels = _read_map(metadata, "labels")
    for key, value in labels.items():
        if value and not _QUALIFIED.fullmatch(value):
            metadata.refuse(
                f"labels.{key}",
                "is not a label value",
                "Use at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit",
                value=value,
            )
    return labels


def read_record(metadata: Fields, status: t.Any) -> Record:
    """Return the book-keeping part of an object's metadata."""
    annotations = _read_map(metadata, "annotations")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MAX_ANNOTATIONS:
        metadata.refuse(
            "annotations", f"take {size} bytes, more than {MAX_ANNOTATIONS}", "Store less", value=len(annotations)
        )
    _check_types(metadata)
    if status is not None and not isinstance(status, t.Mapping):
        metadata.problems.append(
            InvalidInput(f"{metadata.where}: status is not a mapping", remedy="Leave it out", path="status")
        )
    return Record(
        annotations=annotations,
        uid=_token(metadata, "uid"),
        creation_timestamp=_time(metadata),
        resource_version=_token(metadata, "resourceVersion"),
        status=dict(status) if isinstance(status, t.Mapping) and status else None,
    )


def build_document(
    kind: str, name: str, labels: t.Mapping[str, str], record: Record, spec: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return the canonical document of an object; None, empty metadata and an absent status are left out."""
    metadata = {
        "name": name,
        "labels": dict(sorted(labels.items())),
        "annotations": dict(sorted(record.annotations.items())),
        "uid": record.uid,
        "creationTimestamp": record.creation_timestamp,
        "resourceVersion": record.resource_version,
    }
    document: dict[str, t.Any] = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }
    if record.status is not None:
        document["status"] = dict(record.status)
    return document


def _token(metadata: Fields, key: str) -> str:
    value = metadata.values.get(key)
    if value is None or isinstance(value, bool) or not isinstance(value, (str, int)):
        if value is not None:
            metadata.refuse(key, "is not a text", "Put it in quotes")
        return ""
    return str(value)


def _time(metadata: Fields) -> str:
    value = _token(metadata, "creationTimestamp")
    if value and not (isinstance(metadata.values["creationTimestamp"], str) and _TIME.fullmatch(value)):
        metadata.refuse("creationTimestamp", "is not a time", "Write it like 2026-01-02T03:04:05Z, or leave it out")
    return value


def _check_types(metadata: Fields) -> None:
    """Refuse what Kubernetes could not have written."""
    for key, kind in IGNORED_METADATA.items():
        value = metadata.values.get(key)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            metadata.refuse(key, f"is not of the type {kind.__name__}", "Leave it out")


def _read_map(metadata: Fields, key: str) -> dict[str, str]:
    """Return a mapping of qualified keys to texts, sorted by key."""
    found: dict[str, str] = {}
    for name, given in sorted(metadata.mapping(key).items(), key=lambda item: str(item[0])):
        value = "" if given is None else scalar_text(given)
        prefix, slash, last = str(scalar_text(name)).rpartition("/")
        domain = prefix.lower() if key == "annotations" else prefix  # Kubernetes looks at annotations in lower case
        if not _QUALIFIED.fullmatch(last) or (slash and not is_name(domain)):
            remedy = "Use name or prefix/name, where name has at most 63 letters, digits, -, _ and ."
            metadata.refuse(key, "has a key that is not a qualified name", remedy, value=name)
        elif not isinstance(value, str):
            metadata.refuse(f"{key}.{name}", "is not a text", f'Put it in quotes: "{value}"', value=value)
        else:
            found[str(scalar_text(name))] = value
    return found
