# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rule of a BGPFilter: which routes it matches, what it does to them, and whether they pass."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.calico.plugins.module_utils.resources.as_number import LARGEST, parse_as_number
from ansible_collections.podnet.calico.plugins.module_utils.resources.communities import QUOTED, is_community

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

KNOWN = (
    *("action", "cidr", "matchOperator", "prefixLength", "source", "interface", "peerType", "communities"),
    *("asPathPrefix", "priority", "operations"),
)
OPERATIONS = ("addCommunity", "prependASPath", "setPriority")
MATCH_OPERATORS = ("Equal", "NotEqual", "In", "NotIn")
MAX_OPERATIONS = 10
MAX_PREPENDED = 10
PRIORITIES = (1, 2**31 - 2)
_INTERFACE = re.compile(r"[A-Za-z0-9_.*-]{1,15}")


@dataclass(frozen=True)
class Operation:
    """One change of a route, of which exactly one field is given.

    add_community is aa:nn or aa:nn:mm; prepend_as_path are AS numbers in the order in which the path then has them.
    """

    add_community: str | None = None
    prepend_as_path: tuple[int, ...] = ()
    set_priority: int | None = None

    def to_spec(self) -> dict[str, t.Any]:
        """Return the element of operations."""
        if self.add_community is not None:
            return {"addCommunity": {"value": self.add_community}}
        if self.prepend_as_path:
            return {"prependASPath": {"prefix": list(self.prepend_as_path)}}
        return {"setPriority": {"value": self.set_priority}}


@dataclass(frozen=True)
class FilterRule:
    """A validated rule. A route has to match everything that is given; without any of it, each route matches.

    prefix_length: least and greatest length, None where not given. priority: 2147483647 - LOCAL_PREF.
    """

    action: str
    cidr: Network | None = None
    match_operator: str | None = None
    prefix_length: tuple[int | None, int | None] = (None, None)
    source: str | None = None
    interface: str | None = None
    peer_type: str | None = None
    community: str | None = None
    as_path_prefix: tuple[int, ...] = ()
    priority: int | None = None
    operations: tuple[Operation, ...] = ()

    def to_spec(self) -> dict[str, t.Any]:
        """Return the element of a list of rules."""
        lengths = {key: value for key, value in zip(("min", "max"), self.prefix_length) if value is not None}
        spec = {
            "action": self.action,
            "cidr": None if self.cidr is None else str(self.cidr),
            "matchOperator": self.match_operator,
            "prefixLength": lengths or None,
            "source": self.source,
            "interface": self.interface,
            "peerType": self.peer_type,
            "communities": None if self.community is None else {"values": [self.community]},
            "asPathPrefix": list(self.as_path_prefix) or None,
            "priority": self.priority,
            "operations": [operation.to_spec() for operation in self.operations] or None,
        }
        return {key: value for key, value in spec.items() if value is not None}


def read_rule(fields: Fields, version: int) -> FilterRule:
    """Return the rule of a list for one IP version; what is wrong is added to the problems of the fields."""
    fields.only(KNOWN)
    fields.require("action", "Give Accept or Reject")
    rule = FilterRule(
        action=fields.choice("action", ("Accept", "Reject"), "Reject"),
        cidr=_cidr(fields, version),
        match_operator=fields.choice("matchOperator", MATCH_OPERATORS, empty_is_absent=True),
        prefix_length=_prefix_length(fields, version),
        source=fields.choice("source", ("RemotePeers",), empty_is_absent=True),
        interface=_interface(fields),
        peer_type=fields.choice("peerType", ("eBGP", "iBGP")),
        community=_matched_community(fields),
        as_path_prefix=_as_numbers(fields, "asPathPrefix"),
        priority=fields.number("priority", *PRIORITIES),
        operations=_operations(fields),
    )
    _check_destination(rule, fields)
    return rule


def _given(fields: Fields, key: str) -> bool:
    return fields.values.get(key) not in (None, "")


def _cidr(fields: Fields, version: int) -> Network | None:
    network = fields.network("cidr", alone=True)
    if network is not None and network.version != version:
        remedy = f"Give an IPv{version} network, or move the rule to a list for IPv{network.version}"
        fields.refuse("cidr", f"is not IPv{version}", remedy)
        return None
    return network


def _prefix_length(fields: Fields, version: int) -> tuple[int | None, int | None]:
    lengths = fields.child("prefixLength")
    lengths.only(("min", "max"))
    longest = 32 if version == 4 else 128
    return lengths.number("min", 0, longest), lengths.number("max", 0, longest)


def _check_destination(rule: FilterRule, fields: Fields) -> None:
    """Check cidr, matchOperator and prefixLength together."""
    if _given(fields, "cidr") != _given(fields, "matchOperator"):
        given, missing = ("cidr", "matchOperator") if _given(fields, "cidr") else ("matchOperator", "cidr")
        fields.refuse(given, f"is given without {missing}", "Give both of them or none")
    low, high = rule.prefix_length
    if fields.values.get("prefixLength") and not _given(fields, "cidr"):
        fields.refuse("prefixLength", "is given without cidr", "Give cidr and matchOperator, or leave it out")
    elif low is not None and high is not None and low > high:
        fields.refuse("prefixLength", "has a min above its max", "Exchange them")
    elif rule.cidr is not None and high is not None and high < rule.cidr.prefixlen:
        remedy = f"Give a max of {rule.cidr.prefixlen} or more; nothing in {rule.cidr} is shorter"
        fields.refuse("prefixLength", f"excludes all of {rule.cidr}", remedy)


def _interface(fields: Fields) -> str | None:
    name = fields.text("interface")
    if name is not None and not _INTERFACE.fullmatch(name):
        remedy = "Use 1 to 15 of letters, digits, _ . * and -, for example eth*"
        fields.refuse("interface", "is not an interface pattern", remedy)
    return name


def _matched_community(fields: Fields) -> str | None:
    if fields.values.get("communities") is None:
        return None
    communities = fields.child("communities")
    communities.only(("values",))
    values = communities.items("values")
    if len(values) != 1:
        communities.refuse("values", "has not exactly one element", "Give one community; make a rule for each")
        return None
    return _community(communities, "values[0]", values[0])


def _community(fields: Fields, key: str, value: t.Any) -> str | None:
    """Return a community in its one spelling, without leading zeros."""
    if isinstance(value, str) and is_community(value):
        return ":".join(str(int(part)) for part in value.split(":"))
    fields.refuse(key, "is not a community", QUOTED, value=value)
    return None


def _as_numbers(fields: Fields, key: str) -> tuple[int, ...]:
    """Return a list of AS numbers as it is: repetitions count."""
    found = []
    for index, value in enumerate(fields.items(key)):
        number = parse_as_number(value)
        if number is None:
            remedy = f'Give a number from 1 to {LARGEST}, halves in quotes like "1.10"'
            fields.refuse(f"{key}[{index}]", "is not an AS number", remedy, value=value)
        else:
            found.append(number)
    return tuple(found)


def _operations(fields: Fields) -> tuple[Operation, ...]:
    items = fields.children("operations")
    if fields.values.get("operations") == []:
        fields.refuse("operations", "is empty", "Leave it out")
    if len(items) > MAX_OPERATIONS:
        fields.refuse(
            "operations",
            f"has more than {MAX_OPERATIONS} elements",
            "Leave some out; one prependASPath takes several AS numbers",
        )
    if items and fields.values.get("action") != "Accept":
        fields.refuse("operations", "needs action Accept", "Leave it out; a route that is rejected has no use for them")
    return tuple(_operation(item) for item in items)


def _operation(item: Fields) -> Operation:
    item.only(OPERATIONS)
    given = [key for key in OPERATIONS if item.values.get(key) is not None]
    if len(given) != 1:
        complaint = f"contradicts {' and '.join(given[1:])}" if given else "is missing"
        remedy = f"Give one of {', '.join(OPERATIONS)} per element"
        item.refuse(given[0] if given else OPERATIONS[0], complaint, remedy)
    add, prepend, priority = (item.child(key) for key in OPERATIONS)
    return Operation(
        add_community=_added(add) if "addCommunity" in given else None,
        prepend_as_path=_prepended(prepend) if "prependASPath" in given else (),
        set_priority=_priority(priority) if "setPriority" in given else None,
    )


def _added(fields: Fields) -> str | None:
    fields.only(("value",))
    fields.require("value", QUOTED)
    return _community(fields, "value", fields.values["value"]) if _given(fields, "value") else None


def _prepended(fields: Fields) -> tuple[int, ...]:
    fields.only(("prefix",))
    numbers = _as_numbers(fields, "prefix")
    if not 1 <= len(fields.items("prefix")) <= MAX_PREPENDED:
        fields.refuse("prefix", f"has not 1 to {MAX_PREPENDED} elements", "Give the AS numbers to prepend")
    return numbers


def _priority(fields: Fields) -> t.Any:
    fields.only(("value",))
    fields.require("value", f"Give a number from {PRIORITIES[0]} to {PRIORITIES[1]}")
    return fields.number("value", *PRIORITIES)
