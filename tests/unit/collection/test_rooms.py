# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the rooms, which are the packages in plugins/module_utils: a room imports from those before it only."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins" / "module_utils"
PACKAGE = "ansible_collections.podnet.calico.plugins.module_utils"
ROOMS = (
    *("resources", "datastore", "planner", "cni", "kernel", "baseline", "bird", "persist", "dataplane"),
    *("verify", "preflight", "cloud", "firewall"),
)
TOP = ""  # the files beside the rooms, which import from no room
FILES = sorted(path.relative_to(UTILS) for path in UTILS.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else TOP


def imported(tree: ast.AST) -> t.Iterator[str]:
    """Yield the rooms that a file imports from, for its types alone or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            first = (node.module or "")[len(PACKAGE) + 1 :].partition(".")[0]
            yield from (name for name in ([first] if first else [alias.name for alias in node.names]) if name in ROOMS)


def test_every_package_is_a_room() -> None:
    assert {room_of(path) for path in FILES} == {TOP, *ROOMS}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_rooms_import_from_those_before_them(path: Path) -> None:
    order = {name: place for place, name in enumerate((TOP, *ROOMS))}
    room = room_of(path)
    found = set(imported(ast.parse((UTILS / path).read_text(encoding="utf-8"))))
    assert {name for name in found if order[name] > order[room]} == set()


def test_the_documentation_shows_the_order() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert " → ".join(f"`{room}`" for room in ROOMS) in " ".join(text.split())
