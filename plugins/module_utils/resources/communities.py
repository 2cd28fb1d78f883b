# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP communities with names, and the prefixes that are advertised with them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.calico.plugins.module_utils.resources.record import is_name

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

_VALUE = re.compile(r"\d{1,10}(:\d{1,10}){1,2}")
QUOTED = 'Write "65000:100", or "65000:1:100" for a large community, in quotes'


@dataclass(frozen=True)
class Community:
    """A name for a standard (RFC 1997) or large (RFC 8092) community value."""

    name: str
    value: str

    def to_spec(self) -> dict[str, str]:
        """Return the element of spec.communities."""
        return {"name": self.name, "value": self.value}


@dataclass(frozen=True)
class PrefixAdvertisement:
    """A prefix and the communities, by name or value, that its routes carry."""

    cidr: Network
    communities: tuple[str, ...]

    def to_spec(self) -> dict[str, t.Any]:
        """Return the element of spec.prefixAdvertisements."""
        return {"cidr": str(self.cidr), "communities": list(self.communities)}


def is_community(text: str) -> bool:
    """Tell whether a text is aa:nn with 16-bit parts or aa:nn:mm with 32-bit parts."""
    if not _VALUE.fullmatch(text):
        return False
    parts = [int(part) for part in text.split(":")]
    return max(parts) < (2**16 if len(parts) == 2 else 2**32)


def read_communities(spec: Fields) -> tuple[Community, ...]:
    """Return the elements of spec.communities that are right."""
    found = []
    for item in spec.children("communities"):
        item.only(("name", "value"))
        item.require("name", "Give the community a name")
        item.require("value", QUOTED)
        name, value = item.text("name"), _value(item)
        if name is not None and not is_name(name):
            item.refuse("name", "is not a DNS-1123 subdomain", "Use lower-case letters, digits, - and .")
        if name and value:
            found.append(Community(name, value))
    return tuple(found)


def _value(item: Fields) -> str | None:
    value = item.values.get("value")
    if value is None or value == "":
        return None
    if isinstance(value, str) and is_community(value):
        return value
    item.refuse("value", "is not a community", QUOTED)
    return None


def read_advertisements(spec: Fields) -> tuple[PrefixAdvertisement, ...]:
    """Return the elements of spec.prefixAdvertisements that are right."""
    found = []
    for item in spec.children("prefixAdvertisements"):
        item.only(("cidr", "communities"))
        item.require("cidr", "Give the prefix, for example 10.244.0.0/16")
        cidr, communities = item.network("cidr", alone=True), item.texts("communities")
        if item.values.get("communities") is None:
            item.refuse("communities", "are missing", "Give at least one community, by name or value", value=[])
        if cidr is not None:
            found.append(PrefixAdvertisement(cidr, communities))
    return tuple(found)


def check_communities(
    spec: Fields, communities: tuple[Community, ...], advertisements: tuple[PrefixAdvertisement, ...]
) -> None:
    """Check that names are defined once and used, and that used ones are defined."""
    names = [community.name for community in communities]
    for name in sorted({name for name in names if names.count(name) > 1}):
        spec.refuse("communities", "is defined twice", "Keep one definition", value=name)
    if communities and not spec.values.get("prefixAdvertisements"):
        spec.refuse("communities", "are not used", "Add prefixAdvertisements, or leave them out", value=names)
    for advertisement in advertisements:
        for community in advertisement.communities:
            if community not in names and not is_community(community):
                remedy = f"Define it in communities, or: {QUOTED}"
                spec.refuse(
                    "prefixAdvertisements", "is neither a defined community nor a value", remedy, value=community
                )
