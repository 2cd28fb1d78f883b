# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules have in common that bring the kernel in line with a list."""

from __future__ import annotations

import typing as t


def listing(option: str, entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a module that takes a list, with a state and the promise that the list is complete."""
    return {
        option: {"type": "list", "elements": "dict", "required": True, "options": entry},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "exclusive": {"type": "bool", "default": False},
    }
