# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that modules have in common: of those that bring the kernel in line with a list, a tunnel, the guard."""

from __future__ import annotations

import typing as t

_PEER = {
    "node": {"type": "str"},
    "address": {"type": "str", "required": True},
    "mac": {"type": "str", "required": True},
    "underlay": {"type": "str", "required": True},
}
TUNNEL = {
    "kind": {"type": "str", "choices": ["ipip", "vxlan"], "required": True},
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "mtu": {"type": "int", "required": True},
    "local": {"type": "str"},
    "parent": {"type": "str"},
    "mac": {"type": "str"},
    "vni": {"type": "int"},
    "port": {"type": "int"},
    "peers": {"type": "list", "elements": "dict", "default": [], "options": _PEER},
}
GUARD = {
    "nodes": {"type": "list", "elements": "str", "required": True},
    "encapsulations": {"type": "list", "elements": "str", "choices": ["ipip", "vxlan"], "required": True},
    "uplinks": {"type": "list", "elements": "str", "default": []},
}


def listing(option: str, entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a module that takes a list, with a state and the promise that the list is complete."""
    return {
        option: {"type": "list", "elements": "dict", "required": True, "options": entry},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "exclusive": {"type": "bool", "default": False},
    }
