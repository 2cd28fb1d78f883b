# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds whose spec is kept as it was given, once it has been found right."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import Reading, open_document
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import build_document

Document = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Kept:
    """A document of such a kind."""

    name: str
    document: Document

    def to_document(self) -> Document:
        """Return the canonical document."""
        return self.document


@dataclasses.dataclass(frozen=True)
class KeptKind:
    """A kind, and the function that adds what is wrong in a document to the problems of its reading."""

    kind: str
    check: t.Callable[[Reading], None]

    def from_document(self, document: t.Mapping[str, t.Any]) -> Kept:
        """Return the document, or raise InvalidInput with everything that is wrong."""
        reading = open_document(document, self.kind, as_written=True)
        self.check(reading)
        reading.finish()
        return Kept(
            reading.name,
            build_document(self.kind, reading.name, reading.labels, reading.record, reading.spec.values),
        )
