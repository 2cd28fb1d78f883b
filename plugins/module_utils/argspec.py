# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of argument specifications that several modules share."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import BGP_PORT, ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.marks import DATASTORE


def datastore() -> dict[str, t.Any]:
    """Return the option that names the datastore; documented in the fragment podnet.calico.datastore."""
    options = {
        "driver": {"type": "str", "choices": ["file"], "default": "file"},
        "path": {"type": "path", "default": DATASTORE},
    }
    return {"datastore": {"type": "dict", "apply_defaults": True, "options": options}}


PING_TARGET = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "pool": {"type": "str"},
    "expected": {"type": "str"},
    "netns": {"type": "str"},
    "answer_to": {"type": "str"},
    "count": {"type": "int"},
    "wait": {"type": "float"},
}
"""A target of calico_ping, and of what calico_route is confirmed by."""


def resource() -> dict[str, t.Any]:
    """Return the options of a module that manages one resource."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "labels": {"type": "dict"},
        **datastore(),
    }


def cloud() -> dict[str, t.Any]:
    """Return the options of a module that brings a cloud in line; documented in the fragment podnet.calico.cloud."""
    return {
        "encapsulations": {"type": "list", "elements": "str", "choices": list(ENCAPSULATIONS)},
        "purge": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def cloud_rules() -> dict[str, t.Any]:
    """Return the options on rules between nodes; documented in the fragment podnet.calico.cloud.rules."""
    return {
        "bgp": {"type": "str", "choices": ["auto", "enabled", "disabled"], "default": "auto"},
        "bgp_port": {"type": "int", "default": BGP_PORT},
        "rules": {"type": "bool", "default": True},
    }


def machines(*, named: bool = False) -> dict[str, t.Any]:
    """Return an option with machines of a cloud. named: whether each has to have an id, not only addresses."""
    options = {
        "id": {"type": "str", "required": True} if named else {"type": "str", "default": ""},
        "addresses": {"type": "list", "elements": "str", "default": []},
    }
    return {"type": "list", "elements": "dict", "required": True, "options": options}
