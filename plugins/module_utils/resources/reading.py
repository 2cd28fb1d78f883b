# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a document: its kind, name, labels and book-keeping, and its spec for the model to read."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields, scalar_text
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import (
    IGNORED_METADATA,
    KNOWN_METADATA,
    Record,
    name_problem,
    read_labels,
    read_record,
)

KNOWN_DOCUMENT = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass
class Reading:
    """A document that is being read, and the problems found so far."""

    name: str
    labels: dict[str, str]
    record: Record
    spec: Fields
    problems: list[InvalidInput] = field(default_factory=list)

    def only_default(self) -> None:
        """Refuse another name than default, for a kind of which there is one object."""
        if self.name not in ("", "default"):
            message = f'{self.spec.where}: metadata.name "{self.name}" is not default, the one name that there is'
            self.problems.append(InvalidInput(message, remedy="Name it default", path="metadata.name"))

    def finish(self) -> None:
        """Raise InvalidInput for all problems of the document together, if there are any."""
        raise_all(self.problems)


def name_of(document: t.Any) -> t.Any:
    """Return the name of an object as calicoctl reads it: one that YAML read as a number or boolean is a text."""
    metadata = document.get("metadata") if isinstance(document, t.Mapping) else None
    return scalar_text(metadata.get("name")) if isinstance(metadata, t.Mapping) else None


def open_document(document: t.Mapping[str, t.Any], kind: str, *, as_written: bool = False) -> Reading:
    """Return what all kinds have in common, read and checked, and the spec unread; as_written: as Fields has it.

    Cluster-scoped objects have no namespace, so one that is given is a problem like any other.
    """
    problems: list[InvalidInput] = []
    name = name_of(document)
    where = f'{kind} "{name}"' if isinstance(name, str) and name else kind
    metadata = Fields(where, "metadata", document.get("metadata"), problems)
    metadata.only(KNOWN_METADATA, tuple(IGNORED_METADATA))
    if metadata.values.get("namespace"):
        metadata.refuse("namespace", "is not possible, the kind has no namespaces", "Leave it out")
    bad_name = name_problem(kind, name)
    if bad_name is not None:
        problems.append(bad_name)
    for key in document:
        if key not in KNOWN_DOCUMENT:
            problems.append(_unknown(where, key))
    return Reading(
        name=name if isinstance(name, str) else "",
        labels=read_labels(metadata),
        record=read_record(metadata, document.get("status")),
        spec=Fields(where, "spec", document.get("spec"), problems, as_written=as_written),
        problems=problems,
    )


def _unknown(where: str, key: str) -> InvalidInput:
    return InvalidInput(
        f"{where}: {key} is not a part of a document",
        remedy=f"Known are {', '.join(KNOWN_DOCUMENT)}; fields of the kind belong below spec",
        path=key,
    )
