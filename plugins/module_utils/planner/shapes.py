# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and parts of them that come as an option: whether plain data has the shape of its dataclass.

The annotations of the dataclasses are read as texts, since Python 3.9 cannot evaluate all of them.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
import sys
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all

_ATOMS: dict[str, tuple[type, str]] = {"str": (str, "a text"), "int": (int, "an integer"), "bool": (bool, "a boolean")}
_LIST = re.compile(r"tuple\[(.+), \.\.\.\]")
_MAPPING = re.compile(r"dict\[str, (.+)\]")
_REMEDY = "Give what the module that makes plans has returned, or correct it"

# Fields whose texts are networks or addresses with a prefix length, and addresses without one.
_CIDRS = {
    *("NodePlan.address", "NodePlan.blocks", "Tunnel.address", "Route.destination", "Nat.masquerade", "Nat.pools"),
    *("Cni.ranges", "Cni.excluded", "PoolRule.cidr", "Advertisement.cidr", "BgpFamily.subnet", "BgpFamily.blocks"),
    *("BgpFamily.services", "BgpFamily.reflected_services", "Host.address"),
}
_ADDRESSES = {
    *("Tunnel.local", "Vtep.address", "Vtep.underlay", "Route.gateway", "Session.address", "Session.source"),
    *("Session.reachable_by", "BgpFamily.address", "Bgp.cluster_id", "ProbeTarget.address"),
}

_CHOICES: dict[str, tuple[t.Any, ...]] = {
    "BgpFamily.version": (4, 6),
    "Session.family": (4, 6),
    "Session.next_hop": ("auto", "self", "keep"),
    "Tunnel.kind": ("ipip", "vxlan"),
    "PoolRule.tunnel": ("", "ipip", "vxlan"),
}


def complete(shape: t.Any, value: t.Any, path: str, only: t.Container[str] | None = None) -> dict[str, t.Any]:
    """Return plain data as it is, with the defaults of what a dataclass has beside it.

    shape: the dataclass. path: of the option, for messages. only: the fields to look at, None for all. Keys that the
    dataclass does not have are kept. Raises InvalidInput with everything that has another shape.
    """
    problems: list[InvalidInput] = []
    result = _of_class(shape, value, path, problems, only)
    raise_all(problems)
    return t.cast("dict[str, t.Any]", result)


def checked_passwords(passwords: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Mapping[str, t.Any]]:
    """Return passwords by secret and key as they are; raises InvalidInput, which shows none, for another shape.

    A number may be a password, since YAML makes numbers of some.
    """
    for secret, keys in passwords.items():
        if not isinstance(keys, t.Mapping):
            raise InvalidInput(f"passwords.{secret} is not a mapping", remedy="Write secret: {key: password}")
        for key, value in keys.items():
            if not isinstance(value, (str, int, float, type(None))):
                raise InvalidInput(f"passwords.{secret}.{key} is not a text", remedy="Put it in quotes")
    return passwords


def _of_class(
    shape: t.Any, value: t.Any, path: str, problems: list[InvalidInput], only: t.Container[str] | None = None
) -> t.Any:
    if not isinstance(value, t.Mapping):
        _add(problems, path, value, "is not a mapping")
        return value
    result = dict(value)
    for field in (each for each in dataclasses.fields(shape) if only is None or each.name in only):
        place = f"{path}.{field.name}"
        if field.name in value:
            names = vars(sys.modules[shape.__module__])
            name = f"{shape.__name__}.{field.name}"
            result[field.name] = _read(str(field.type), name, names, value[field.name], place, problems)
        elif field.default is dataclasses.MISSING:
            _add(problems, place, None, "is missing")
        else:
            result[field.name] = list(field.default) if isinstance(field.default, tuple) else field.default
    return result


def _read(
    kind: str, name: str, names: t.Mapping[str, t.Any], value: t.Any, path: str, problems: list[InvalidInput]
) -> t.Any:
    """Return a value of an annotated type; name: class and field, for what its texts have to be."""
    bare, __, none = kind.partition(" | ")
    if none and value is None:
        return None
    items, mapping = _LIST.fullmatch(bare), _MAPPING.fullmatch(bare)
    if items is not None or mapping is not None:
        wanted, said = (list, "is not a list") if items is not None else (dict, "is not a mapping")
        if not isinstance(value, wanted):
            _add(problems, path, value, said)
            return value
        inner = (items or mapping)[1]  # type: ignore[index]
        pairs = enumerate(value) if items is not None else value.items()
        found = {key: _read(inner, name, names, item, f"{path}[{key}]", problems) for key, item in pairs}
        return list(found.values()) if items is not None else found
    if bare in _ATOMS:
        _check_atom(bare, name, value, path, problems)
    elif dataclasses.is_dataclass(names.get(bare)):
        return _of_class(names[bare], value, path, problems)
    return value


def _check_atom(kind: str, name: str, value: t.Any, path: str, problems: list[InvalidInput]) -> None:
    wanted, said = _ATOMS[kind]
    if not isinstance(value, wanted) or (kind == "int" and isinstance(value, bool)):
        _add(problems, path, value, f"is not {said}")
    elif name in _CHOICES and value not in _CHOICES[name]:
        _add(problems, path, value, f"is not one of {', '.join(map(repr, _CHOICES[name]))}")
    elif name in _CIDRS and not _is(ipaddress.ip_interface, str(value)):
        _add(problems, path, value, "is neither a network nor an address")
    elif name in _ADDRESSES and not _is(ipaddress.ip_address, str(value)):
        _add(problems, path, value, "is not an IP address")


def _is(read: t.Callable[[str], t.Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return "%" not in text


def _add(problems: list[InvalidInput], path: str, value: t.Any, complaint: str) -> None:
    shown = "" if value is None else f" {json.dumps(value, default=str, ensure_ascii=False)[:60]}"
    problems.append(InvalidInput(f"{path}{shown} {complaint}", remedy=_REMEDY, path=path))
