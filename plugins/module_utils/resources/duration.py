# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as Go writes them (2m0s, 1h30m, 1.5s, 100ms), which Calico stores; in seconds here."""

from __future__ import annotations

import re
import typing as t
from decimal import ROUND_HALF_UP, Decimal

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

_UNITS = {"h": "3600", "m": "60", "s": "1", "ms": "0.001", "us": "0.000001", "µs": "0.000001", "ns": "0.000000001"}
_LONGEST = Decimal(2**63 - 1) / 10**9  # which Go counts in nanoseconds
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ms|us|µs|ns|h|m|s)")


def parse_duration(text: str) -> Decimal | None:
    """Return the seconds of a duration such as 120s, 2m, 1h0m30s or 1.5s (Go's time.ParseDuration); None if none.

    A negative one, which Go takes, is none."""
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    parts = _PART.findall(unsigned)
    if "".join(number + unit for number, unit in parts) != unsigned or not unsigned:
        return Decimal(0) if unsigned == "0" else None
    seconds = sum((Decimal(number) * Decimal(_UNITS[unit]) for number, unit in parts), Decimal(0))
    return seconds if seconds <= _LONGEST and not (seconds and text.startswith("-")) else None


def format_duration(seconds: Decimal | None) -> str | None:
    """Return seconds as Go prints a duration: 100ms, 45s, 1.5s, 2m0s, 1h0m0s."""
    if seconds is None:
        return None
    if 0 < seconds < 1:
        unit = next(unit for unit in ("ms", "µs", "ns") if seconds >= Decimal(_UNITS[unit]))
        return f"{_plain(seconds / Decimal(_UNITS[unit]))}{unit}"
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{_plain(left)}s"
    return f"{minutes}m{_plain(left)}s" if minutes else f"{_plain(left)}s"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def whole_seconds(seconds: Decimal | None) -> int | None:
    """Return a duration in the whole seconds that BIRD takes: rounded, and at least one if it is more than nothing."""
    return None if seconds is None else max(int(seconds > 0), int(seconds.to_integral_value(ROUND_HALF_UP)))


def read_duration(fields: Fields, key: str) -> Decimal | None:
    """Return the seconds of a field, None if it is absent or wrong."""
    given = fields.values.get(key)
    if given is None:
        return None
    seconds = parse_duration(given) if isinstance(given, str) else None
    if seconds is None:
        fields.refuse(key, "is not a duration", "Write it like 120s, 2m30s or 1.5s, or leave it out")
    return seconds
