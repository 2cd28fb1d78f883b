# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of interface names that BIRD's direct protocol leaves alone."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

_PATTERN = re.compile(r"[A-Za-z0-9_.*-]{1,15}")


def read_ignored_interfaces(spec: Fields) -> tuple[str, ...]:
    """Return the names and patterns of ignoredInterfaces; a lone asterisk would leave no interface."""
    names = spec.texts("ignoredInterfaces")
    for name in names:
        if name == "*" or not _PATTERN.fullmatch(name):
            remedy = "Use 1 to 15 of letters, digits, _ . * and -, for example docker*"
            spec.refuse("ignoredInterfaces", "has an element that is not an interface pattern", remedy, value=name)
    return names
