# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts: their order, and names that are made of others."""

from __future__ import annotations


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a key that sorts node2 before node10."""
    parts: list[str] = [""]
    for character in text:
        if parts[-1] and character.isdecimal() != parts[-1][-1].isdecimal():
            parts.append("")
        parts[-1] += character
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts)


def device_sysctl(family: str, device: str, key: str) -> str:
    """Return the name of a device's sysctl. family: "ipv4" or "ipv6"."""
    return f"net.{family}.conf.{device.replace('.', '/')}.{key}"
