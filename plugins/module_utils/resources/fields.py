# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the fields of one document: every value is checked, every problem is collected with its path."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import as_go_reads, read_address, read_interface
from ansible_collections.podnet.calico.plugins.module_utils.resources import selector

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Interface, Network

_CIDR = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,9}")
_MAC = re.compile(
    r"([0-9a-f]{2}:){5}[0-9a-f]{2}|([0-9a-f]{2}-){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}|[0-9a-f]{12}"
)


class Fields:
    """A mapping inside a document, and the list that its problems go to.

    where names the document, for example ``IPPool "main"``; path is the mapping's place in it, for example
    ``spec.bgp``. The reading methods return None (or the default) for an absent or null field, and for a wrong one,
    which they also add to problems.

    as_written: the mapping is kept as it is, so 1 is no text and 1.0 no integer, of which calicoctl makes "1" and 1.
    """

    def __init__(
        self, where: str, path: str, values: t.Any, problems: list[InvalidInput], *, as_written: bool = False
    ) -> None:
        self.where = where
        self.path = path
        self.problems = problems
        self.as_written = as_written
        self.values: t.Mapping[str, t.Any] = values if isinstance(values, t.Mapping) else {}
        if values is not None and not isinstance(values, t.Mapping):
            self._add(path, values, "is not a mapping", "Give it as field: value lines")

    def refuse(self, key: str, complaint: str, remedy: str, *, value: t.Any = None) -> None:
        """Add a problem with a field; value stands in for the field's own in the message."""
        shown = self.values.get(key) if value is None else value
        self._add(f"{self.path}.{key}", shown, complaint, remedy)

    def _add(self, path: str, value: t.Any, complaint: str, remedy: str) -> None:
        shown = "" if value is None else f" {json.dumps(value, default=str, ensure_ascii=False)}"
        self.problems.append(InvalidInput(f"{self.where}: {path}{shown} {complaint}", remedy=remedy, path=path))

    def only(self, known: t.Sequence[str], ignored: t.Sequence[str] = ()) -> None:
        """Refuse fields that are not known, naming the nearest known one."""
        lowered = {name.lower(): name for name in known}
        for key in self.values:
            if key in known or key in ignored:
                continue
            near = difflib.get_close_matches(str(key).lower().replace("_", ""), lowered, n=1)
            remedy = f"Did you mean {lowered[near[0]]}?" if near else f"Known are {', '.join(known)}"
            message = f"{self.where}: {self.path}.{key} is not a field of Calico v3.32"
            self.problems.append(InvalidInput(message, remedy=remedy, path=f"{self.path}.{key}"))

    def child(self, key: str) -> Fields:
        """Return the fields of a nested mapping, which has none if it is absent."""
        return self._below(key, self.values.get(key))

    def mapping(self, key: str) -> t.Mapping[str, t.Any]:
        """Return a nested mapping as it is, empty if absent."""
        return self.child(key).values

    def children(self, key: str) -> list[Fields]:
        """Return the fields of each mapping of a list."""
        return [self._below(f"{key}[{index}]", item) for index, item in enumerate(self.items(key))]

    def _below(self, key: str, values: t.Any) -> Fields:
        return Fields(self.where, f"{self.path}.{key}", values, self.problems, as_written=self.as_written)

    def items(self, key: str) -> list[t.Any]:
        """Return the elements of a list as they are, none if absent."""
        value = self.values.get(key)
        if isinstance(value, (list, tuple)):
            return list(value)
        if value is not None:
            self.refuse(key, "is not a list", "Give it as a list, even of one element")
        return []

    def require(self, key: str, remedy: str) -> None:
        """Refuse the document if a field is absent or empty."""
        if self.values.get(key) in (None, ""):
            self._add(f"{self.path}.{key}", None, "is missing", remedy)

    def text(self, key: str, *, limit: int = 0) -> str | None:
        """Return a text of at most limit characters; the empty text counts as absent."""
        value = self._text(self.values.get(key))
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.refuse(key, "is not a text", f'Put it in quotes: "{value}"')
            return None
        if limit and len(value) > limit:
            self.refuse(key, f"has more than {limit} characters", "Shorten it")
            return None
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts without repetitions, in the order given."""
        found: dict[str, None] = {}
        for index, item in enumerate(self.items(key)):
            value = self._text(item)
            if isinstance(value, str) and value:
                found[value] = None
            else:
                self.refuse(f"{key}[{index}]", "is not a text", f'Put it in quotes: "{value}"', value=value)
        return tuple(found)

    def _text(self, value: t.Any) -> t.Any:
        return value if self.as_written else scalar_text(value)

    def choice(
        self, key: str, allowed: t.Sequence[str], default: str | None = None, *, empty_is_absent: bool = False
    ) -> t.Any:
        """Return one of the allowed texts; the empty text is none of them, as in Calico's schema.

        empty_is_absent: as Go writes a field that is no pointer.
        """
        if self.values.get(key) == "" and not empty_is_absent:
            self.refuse(key, f"is not one of {', '.join(allowed)}", "Leave it out, or give one of these")
            return default
        value = self.text(key)
        if value is None or value in allowed:
            return default if value is None else value
        self.refuse(key, f"is not one of {', '.join(allowed)}", _nearest(value, allowed))
        return default

    def flag(self, key: str, default: t.Any = None) -> t.Any:
        """Return a boolean."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.refuse(key, "is not a boolean", "Give true or false, without quotes")
        return default

    def number(self, key: str, low: int, high: int, default: t.Any = None, *, zero_is_absent: bool = False) -> t.Any:
        """Return an integer within bounds, both included; zero_is_absent: as Go reads a field that is no pointer."""
        value = self.values.get(key) if self.as_written else whole(self.values.get(key))
        if value is None or (zero_is_absent and value == 0 and not isinstance(value, bool)):
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, "is not an integer", f"Give a number from {low} to {high}, without quotes")
        elif not low <= value <= high:
            self.refuse(key, f"is not within {low} to {high}", f"Give a number from {low} to {high}")
        else:
            return value
        return default

    def selector(self, key: str, default: str | None = None, *, limit: int = 0) -> str | None:
        """Return the text of a selector that parses."""
        value = self.text(key, limit=limit)
        if value is None:
            return default
        try:
            selector.parse(value, f"{self.where}: {self.path}.{key}")
        except InvalidInput as error:
            self.problems.append(error)
        return value

    def network(self, key: str, *, alone: bool = False) -> Network | None:
        """Return a network whose host bits are zero; alone: also an address, which is alone in its network."""
        interface = self.host_address(key, 0) if alone else self.interface(key, "network")
        if interface is not None and interface.ip != interface.network.network_address:
            self.refuse(key, "has host bits set", f"Use {interface.network}")
            return None
        return None if interface is None else interface.network

    def host_address(self, key: str, version: int) -> Interface | None:
        """Return an address of a host with its prefix length; one that has none is alone in its network."""
        value = self.text(key)
        if value is not None and "/" not in value:
            address = self.address(key, version)
            return None if address is None else ipaddress.ip_interface(address)
        return self.interface(key, version=version)

    def interface(self, key: str, what: str = "interface", version: int = 0) -> Interface | None:
        """Return an address with a prefix length, of one family if a version is given."""
        value = self.text(key)
        example = {0: "192.0.2.11/24 or 2001:db8::11/64", 4: "192.0.2.11/24", 6: "2001:db8::11/64"}[version]
        if what == "network":
            example = "10.244.0.0/16 or fd00:10:244::/48"
        if value is None:
            return None
        try:
            found = read_interface(value) if _CIDR.fullmatch(value) else None
        except ValueError:
            found = None
        if found is None:
            self.refuse(key, "is not an address with a prefix length", f"Write it like {example}")
        elif version and found.version != version:
            self.refuse(key, f"is not IPv{version}", f"Write it like {example}")
        else:
            return found
        return None

    def address(self, key: str, version: int = 0) -> Address | None:
        """Return an address without a prefix length, of one family if a version is given."""
        value = self.text(key)
        if value is None:
            return None
        family = f"IPv{version}" if version else "IP"
        try:
            found = as_go_reads(read_address(value))
        except ValueError:
            found = None
        if found is None or (version and found.version != version):
            self.refuse(key, f"is not an {family} address", "Give one address without prefix length and zone")
            return None
        return found

    def mac(self, key: str) -> str | None:
        """Return a MAC address of six octets in lower case, joined by colons."""
        value = self.text(key)
        if value is None:
            return None
        if not _MAC.fullmatch(value.lower()):
            self.refuse(key, "is not a MAC address", "Write it like 66:0a:0b:0c:0d:0e")
            return None
        return ":".join(re.findall("[0-9a-f]{2}", re.sub("[^0-9a-f]", "", value.lower())))


def scalar_text(value: t.Any) -> t.Any:
    """Return what YAML read as a boolean or a number as the text that calicoctl makes of it: true, 1, 1.5."""
    return json.dumps(value) if isinstance(value, (bool, float, int)) else value


def whole(value: t.Any) -> t.Any:
    """Return 26.0 and 1e3 as the integers that calicoctl makes of them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _nearest(value: str, allowed: t.Sequence[str]) -> str:
    """Return the remedy for a text that is none of the allowed ones."""
    lowered = {name.lower(): name for name in allowed}
    near = difflib.get_close_matches(value.lower(), lowered, n=1)
    return f"Did you mean {lowered[near[0]]}?" if near else f"Use {' or '.join(allowed)}"
