# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls: read, compare, write; by name with dots, as sysctl(8) writes them, or by path below /proc/sys."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError

PROC = "/proc/sys"


def path(name: str) -> str:
    """Return the file of a sysctl; a slash in a dotted name stands for a dot in an interface's name (sysctl(8))."""
    return os.path.join(PROC, *(part.replace("/", ".") for part in name.split(".")))


def read(names: t.Iterable[str]) -> dict[str, str]:
    """Return the values of those sysctls that exist."""
    found = {}
    for name in names:
        try:
            with open(path(name)) as file:
                found[name] = file.read().strip()
        except FileNotFoundError:
            continue
    return found


def plan(actual: t.Mapping[str, str], wanted: t.Mapping[str, str]) -> list[Change]:
    """Return the changes that give the sysctls their wanted values; raises KernelError for one that does not exist."""
    missing = sorted(set(wanted) - set(actual))
    if missing:
        raise KernelError(
            f"set {', '.join(missing)}: the kernel does not have it", remedy="Load the module that provides it"
        )
    return compare("sysctl", {name: actual[name] for name in wanted}, dict(wanted))


def write(values: t.Mapping[str, str]) -> None:
    """Write values to the running kernel."""
    for name, value in values.items():
        try:
            with open(path(name), "w") as file:
                file.write(value)
        except OSError as error:
            raise KernelError(f"set {name} to {value}: {error.strerror}", remedy="Run as root (become: true)") from error
