# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPFilter: rules for the routes that sessions import and export, by IP version.

Rules and limits follow Calico v3.32 (api/pkg/apis/projectcalico/v3/bgpfilter.go, lib/validator/v3).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_filter_rule import FilterRule, read_rule
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import open_document
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import Record, build_document

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

VERSIONS = {"importV4": 4, "exportV4": 4, "importV6": 6, "exportV6": 6}
"""The lists of rules, and the IP version of the routes that each is for."""


@dataclass(frozen=True)
class BGPFilter:
    """A validated filter. Of each list, the first rule that matches decides; if none does, the defaults do."""

    name: str
    import_v4: tuple[FilterRule, ...] = ()
    export_v4: tuple[FilterRule, ...] = ()
    import_v6: tuple[FilterRule, ...] = ()
    export_v6: tuple[FilterRule, ...] = ()
    labels: t.Mapping[str, str] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> BGPFilter:
        """Return the filter that a document describes, or raise InvalidInput with everything that is wrong."""
        reading = open_document(document, "BGPFilter")
        spec = reading.spec
        spec.only(tuple(VERSIONS))
        found = cls(
            name=reading.name,
            import_v4=_rules(spec, "importV4"),
            export_v4=_rules(spec, "exportV4"),
            import_v6=_rules(spec, "importV6"),
            export_v6=_rules(spec, "exportV6"),
            labels=reading.labels,
            record=reading.record,
        )
        reading.finish()
        return found

    def to_document(self) -> dict[str, t.Any]:
        """Return the canonical document; a list without rules is left out."""
        lists = {
            "importV4": self.import_v4,
            "exportV4": self.export_v4,
            "importV6": self.import_v6,
            "exportV6": self.export_v6,
        }
        spec = {key: [rule.to_spec() for rule in rules] or None for key, rules in lists.items()}
        return build_document("BGPFilter", self.name, self.labels, self.record, spec)


def _rules(spec: Fields, key: str) -> tuple[FilterRule, ...]:
    return tuple(read_rule(fields, VERSIONS[key]) for fields in spec.children(key))
