# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as Go writes them (2m0s, 1h30m), which Calico stores; in whole seconds here."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration(text: str) -> int | None:
    """Return the seconds of a duration such as 120s, 2m or 1h0m30s; None if it is none."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def format_duration(seconds: int | None) -> str | None:
    """Return seconds as Go prints a duration: 45s, 2m0s, 1h0m0s."""
    if seconds is None:
        return None
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"


def read_duration(fields: Fields, key: str) -> int | None:
    """Return the seconds of a field, None if it is absent or wrong."""
    text = fields.text(key)
    if text is None:
        return None
    seconds = parse_duration(text)
    if seconds is None:
        fields.refuse(key, "is not a duration in whole seconds", "Write it like 120s or 2m30s")
    return seconds
