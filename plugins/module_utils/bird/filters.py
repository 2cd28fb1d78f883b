# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPFilters as functions of BIRD 2's filter language, one for each direction and IP version: a pure compiler.

A rule that accepts or rejects ends the whole filter that called the function; where no rule matches, the function
returns and what stands after the call decides (Calico's fall-through). What must not be accepted whatever a filter
says has to be rejected before the call.
"""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t

Rule = t.Mapping[str, t.Any]

DIRECTIONS = ("import", "export")
LARGEST_PRIORITY = 2147483647
"""LOCAL_PREF is this minus the priority (Calico v3.32)."""

SYMBOL_LIMIT = 64
"""Characters that BIRD allows in a name."""

_PREFIX = "podnet_f_"
_DIGEST = 12
_SESSION = "is_ibgp"


def functions(filters: t.Sequence[t.Mapping[str, t.Any]], version: int) -> str:
    """Return the functions of all filters for one IP version, 4 or 6; a filter without rules gets empty ones.

    filters: name, and rules (importV4, exportV4, importV6, exportV6 as in a canonical BGPFilter's spec).
    """
    return "\n\n".join(_function(item, direction, version) for item in filters for direction in DIRECTIONS)


def call(name: str, direction: str, version: int, *, ibgp: bool) -> str:
    """Return the statement that applies a filter inside of BIRD's filter of a session; direction: import or export."""
    return f"{symbol(name, direction, version)}({'true' if ibgp else 'false'});"


def symbol(name: str, direction: str, version: int) -> str:
    """Return the name of a function, in the quotes that let BIRD take dots and dashes.

    Too long a name is cut and ends in a part of its SHA-256, after the underscore that no BGPFilter's name has.
    """
    suffix = f"_{direction}{version}"
    room = SYMBOL_LIMIT - len(_PREFIX) - len(suffix)
    if len(name) > room:
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
        name = f"{name[: room - _DIGEST - 1]}_{digest}"
    return f"'{_PREFIX}{name}{suffix}'"


def _function(item: t.Mapping[str, t.Any], direction: str, version: int) -> str:
    rules = item["rules"].get(f"{direction}V{version}") or []
    lines = [
        f"# BGPFilter {item['name']}, {direction}V{version}",
        f"function {symbol(item['name'], direction, version)}(bool {_SESSION}) {{",
    ]
    for rule in rules:
        lines += _statement(rule)
    return "\n".join([*lines, "}"])


def _statement(rule: Rule) -> list[str]:
    conditions = _conditions(rule)
    action = f"{rule['action'].lower()};"
    operations = [line for operation in rule.get("operations") or [] for line in _operation(operation)]
    if not conditions:
        return [f"  {line}" for line in (*operations, action)]
    start = f"  if {' && '.join(conditions)} then"
    if not operations:
        return [f"{start} {action}"]
    return [f"{start} {{", *(f"    {line}" for line in (*operations, action)), "  }"]


def _conditions(rule: Rule) -> list[str]:
    """Return what has to hold for a rule to match, the cheap questions first."""
    found = []
    if rule.get("peerType"):
        found.append(_SESSION if rule["peerType"] == "iBGP" else f"!{_SESSION}")
    if rule.get("source"):
        found.append("source = RTS_BGP")
    if rule.get("cidr"):
        found.append(_prefix(rule["cidr"], rule["matchOperator"], rule.get("prefixLength") or {}))
    if rule.get("interface"):
        found.append(f'ifname ~ "{rule["interface"]}"')
    if rule.get("priority") is not None:
        found.append(f"bgp_local_pref = {LARGEST_PRIORITY - rule['priority']}")
    found += [f"{_pair(value)} ~ {_attribute(value)}" for value in (rule.get("communities") or {}).get("values", [])]
    if rule.get("asPathPrefix"):
        found.append(f"bgp_path ~ [= {' '.join(str(number) for number in rule['asPathPrefix'])} * =]")
    return found


def _prefix(cidr: str, operator: str, lengths: t.Mapping[str, int]) -> str:
    """Return the condition on the destination; lengths outside of what the network can hold match nothing.

    In a set of prefixes, a length below the network's own would match the networks around it.
    """
    network = ipaddress.ip_network(cidr)
    longest = network.prefixlen if operator.endswith("Equal") else network.max_prefixlen
    low, high = max(lengths.get("min", 0), network.prefixlen), min(lengths.get("max", longest), longest)
    positive = operator in ("Equal", "In")
    if low > high:
        return "false" if positive else "true"
    if operator.endswith("Equal"):
        return f"net {'=' if positive else '!='} {cidr}"
    lengths_of_set = "+" if (low, high) == (network.prefixlen, network.max_prefixlen) else f"{{{low},{high}}}"
    return f"net {'~' if positive else '!~'} [ {cidr}{lengths_of_set} ]"


def _operation(operation: t.Mapping[str, t.Any]) -> list[str]:
    """Return the statements of an operation; BIRD prepends one number at a time, so the first comes last."""
    if operation.get("addCommunity"):
        return [add_community(operation["addCommunity"]["value"])]
    if operation.get("prependASPath"):
        return [f"bgp_path.prepend({number});" for number in reversed(operation["prependASPath"]["prefix"])]
    return [f"bgp_local_pref = {LARGEST_PRIORITY - operation['setPriority']['value']};"]


def add_community(value: str) -> str:
    """Return the statement that adds a community to a route."""
    return f"{_attribute(value)}.add({_pair(value)});"


def _pair(community: str) -> str:
    """Return a community as BIRD writes it: two parts (RFC 1997) or three (RFC 8092)."""
    return f"({', '.join(community.split(':'))})"


def _attribute(community: str) -> str:
    return "bgp_large_community" if community.count(":") == 2 else "bgp_community"
