# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AS numbers, written as a number or as two 16-bit halves (RFC 5396)."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

LARGEST = 2**32 - 1
_ZEROS = (0, "0", "0.0")
_HALVES = re.compile(r"(\d{1,5})\.(\d{1,5})")


def parse_as_number(value: t.Any) -> int | None:
    """Return an AS number from 1 to 4294967295 given as 64512, "64512" or "1.10"; None if it is none.

    Zero is no AS number (RFC 7607). A float is refused, for YAML reads an unquoted 1.10 as 1.1.
    """
    number = -1
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
        number = int(value)
    elif isinstance(value, str):
        match = _HALVES.fullmatch(value)
        halves = [int(half) for half in match.groups()] if match else []
        if halves and max(halves) <= 0xFFFF:
            number = halves[0] * 0x10000 + halves[1]
    return number if 1 <= number <= LARGEST else None


def is_absent(value: t.Any) -> bool:
    """Tell whether a field's value is none; zero counts as not given, as in Go."""
    return value in (None, *_ZEROS) and not isinstance(value, bool)


def read_as_number(fields: Fields, key: str) -> int | None:
    """Return the AS number of a field, None if it is absent or wrong."""
    value = fields.values.get(key)
    if is_absent(value):
        return None
    number = parse_as_number(value)
    if number is None:
        remedy = f"Give a number from 1 to {LARGEST}"
        if isinstance(value, float):
            remedy = 'Put the halves in quotes, for example "1.10"'
        fields.refuse(key, "is not an AS number", remedy)
    return number
