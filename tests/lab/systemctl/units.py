# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files: read, enable, disable, mask (systemd.unit(5))."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t
from pathlib import Path

OWN: t.Final = Path("/etc/systemd/system")
FOLDERS: t.Final = (OWN, *map(Path, ("/run/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system")))


class UnitError(Exception):
    """A unit cannot do what was asked; `status` is the exit status that says so."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit as its file and drop-ins describe it; each setting has the list of the values given for it."""

    name: str
    path: Path | None
    settings: dict[str, list[str]]

    @property
    def is_masked(self) -> bool:
        """Tell whether the unit file is a link to nowhere, which forbids its start."""
        return self.path is not None and os.path.realpath(self.path) == "/dev/null"

    def last(self, key: str, default: str = "") -> str:
        """Return the value of a setting that can have only one: the last one given."""
        values = self.settings.get(key)
        return values[-1] if values else default

    def words(self, key: str) -> list[str]:
        """Return the words of a setting that is a list of words."""
        return [word for value in self.settings.get(key, []) for word in value.split()]


def load(name: str) -> Unit:
    """Read a unit; one without a file has no path."""
    unit = Unit(name, find(name) or find(_template(name)), {})
    if unit.path and not unit.is_masked:
        for file in files(unit):
            _merge(unit.settings, _expand(file.read_text(), name))
    return unit


def files(unit: Unit) -> list[Path]:
    """Return the file of a unit and its drop-ins in the order in which they count."""
    drop_ins = {
        file.name: file
        for folder in reversed(FOLDERS)
        for name in dict.fromkeys((_template(unit.name), unit.name))
        for file in folder.glob(f"{name}.d/*.conf")
    }
    return [*([unit.path] if unit.path else []), *(drop_ins[key] for key in sorted(drop_ins))]


def _template(name: str) -> str:
    return re.sub(r"@.*\.", "@.", name)


def find(name: str) -> Path | None:
    """Return the file of a unit, the administrator's before the package's; None when there is none."""
    return next((folder / name for folder in FOLDERS if os.path.lexists(folder / name)), None)


def _expand(text: str, name: str) -> str:
    """Replace the specifiers %n, %i and %% (systemd.unit(5))."""
    instance = name.rpartition(".")[0].partition("@")[2]
    values = {"%n": name, "%i": instance, "%%": "%"}
    return re.sub(r"%[ni%]", lambda found: values[found[0]], text)


def _merge(settings: dict[str, list[str]], text: str) -> None:
    """Add the settings of one file; an empty value drops what earlier files gave."""
    for raw in re.sub(r"\\\n", " ", text).splitlines():
        line = raw.strip()
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or line[0] in "#;[":
            continue
        settings[key] = [*settings.get(key, []), value] if value else []


def enabled_state(unit: Unit) -> str:
    """Return enabled, disabled, masked, or static for a unit without an [Install] section that could be enabled."""
    if unit.is_masked:
        return "masked"
    links = _install_links(unit)
    if not links:
        return "static"
    return "enabled" if any(os.path.lexists(link) for link in links) else "disabled"


def enable(unit: Unit) -> None:
    """Make the links that the [Install] section asks for. Raises UnitError for a unit without a file."""
    target = _file_of(unit, "enable")
    for link in _install_links(unit):
        link.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(link):
            link.symlink_to(target)


def disable(unit: Unit) -> None:
    """Remove the links that enable makes. Raises UnitError for a unit without a file."""
    _file_of(unit, "disable")
    for link in _install_links(unit):
        link.unlink(missing_ok=True)


def mask(unit: Unit) -> None:
    """Forbid the start of a unit. Raises UnitError when a file of its own is in the way."""
    own = OWN / unit.name
    if os.path.lexists(own) and not unit.is_masked:
        raise UnitError(f"Failed to mask unit: File {own} already exists.")
    if not unit.is_masked:
        own.symlink_to("/dev/null")


def unmask(unit: Unit) -> None:
    """Allow the start of a unit again."""
    if unit.is_masked:
        (OWN / unit.name).unlink(missing_ok=True)


def _file_of(unit: Unit, action: str) -> Path:
    if unit.path is None:
        raise UnitError(f"Failed to {action} unit: Unit file {unit.name} does not exist.")
    return unit.path


def _install_links(unit: Unit) -> list[Path]:
    wants = [OWN / f"{target}.wants" / unit.name for target in unit.words("WantedBy")]
    requires = [OWN / f"{target}.requires" / unit.name for target in unit.words("RequiredBy")]
    return [*wants, *requires, *(OWN / alias for alias in unit.words("Alias"))]
