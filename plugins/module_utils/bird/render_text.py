# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of BIRD's language: sets of prefixes, and blocks in braces with one statement per line."""

from __future__ import annotations

import typing as t

BITS = {4: 32, 6: 128}
"""Length of an address, in bits."""


def prefix_set(prefixes: t.Iterable[str], suffix: str = "") -> str:
    """Return a set of prefixes; suffix "+" adds all within them. An empty set has no type in BIRD."""
    return "[ " + ", ".join(f"{prefix}{suffix}" for prefix in prefixes) + " ]"


def block(head: str, lines: t.Iterable[str], end: str = "}") -> str:
    """Return a head and its statements in braces, each on a line of its own; a statement may itself be a block."""
    inner = [f"  {line}" for statement in lines for line in statement.splitlines()]
    return "\n".join([f"{head} {{", *inner, end])
