# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Structures of an inventory, converted as Ansible converts a module's options: "26" is a number, "yes" is true."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_int,
    check_type_list,
    check_type_str,
)

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

_CHECKS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "bool": check_type_bool,
    "dict": check_type_dict,
    "int": check_type_int,
    "list": check_type_list,
    "str": check_type_str,
}
_FORMS = {
    "bool": ("no boolean", "Write true or false"),
    "int": ("no integer", "Write a number"),
    "list": ("no list", "Write a list, even of one element"),
    "str": ("no text", "Write a text"),
}


def converted(
    where: str, given: t.Any, options: t.Mapping[str, t.Mapping[str, t.Any]], problems: list[InvalidInput]
) -> dict[str, t.Any]:
    """Return the values of options with their types; what cannot be converted is added to problems, without its value.

    where: the path of the mapping, for messages. options: as an argument spec has them; other keys stay as they are.
    """
    row = _value(where, given, {"type": "dict"}, problems, options)
    return {
        key: _value(f"{where}.{key}", value, options[key], problems) if key in options and value is not None else value
        for key, value in (row if isinstance(row, dict) else {}).items()
    }


def _value(
    where: str,
    value: t.Any,
    spec: t.Mapping[str, t.Any],
    problems: list[InvalidInput],
    keys: t.Iterable[str] = (),
) -> t.Any:
    kind, inner = spec["type"], spec.get("options")
    if kind == "raw":
        return value
    try:
        if kind == "str" and isinstance(value, (dict, list)):
            raise TypeError  # of which Ansible makes a text
        found = _CHECKS[kind](value)
    except (TypeError, ValueError):
        form, remedy = _FORMS.get(kind, ("no mapping", ""))
        remedy = remedy or f"Write it as {{{', '.join(f'{key}: ...' for key in inner or keys)}}}"
        problems.append(InvalidInput(f"{where} is {form}", remedy=remedy))
        return None
    if kind == "dict" and inner:
        return converted(where, found, inner, problems)
    if kind == "list":
        each = {"type": spec.get("elements", "raw"), **({"options": inner} if inner else {})}
        return [_value(f"{where}[{index}]", item, each, problems) for index, item in enumerate(found)]
    return found
