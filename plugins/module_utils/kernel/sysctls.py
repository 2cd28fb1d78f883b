# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls: read, compare, write; by name with dots, as sysctl(8) writes them, or by path below /proc/sys."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, KernelError, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import REMEDIES

PROC = "/proc/sys"
_FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
_SWITCH = {False: 0, True: 2}  # off comes first, on last


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
    """Return the changes that give the sysctls their wanted values.

    Raises InvalidInput for a value of several lines, and KernelError for a sysctl that does not exist.
    """
    refuse_several_lines(wanted)
    missing = sorted(set(wanted) - set(actual))
    if missing:
        raise KernelError(
            f"set {', '.join(missing)}: the kernel does not have it", remedy="Load the module that provides it"
        )
    return compare("sysctl", {name: actual[name] for name in wanted}, dict(wanted))


def refuse_several_lines(wanted: t.Mapping[str, str]) -> None:
    """Raise InvalidInput for values of several lines."""
    several = [name for name, value in sorted(wanted.items()) if len(value.splitlines()) > 1]
    raise_all([InvalidInput(f"set {name}: the value has several lines", remedy="Give one line") for name in several])


def write(values: t.Mapping[str, str]) -> None:
    """Write values to the running kernel."""
    for name, value in _in_order(values):
        try:
            with open(path(name), "w") as file:
                file.write(value)
        except OSError as error:
            message = f"set {name} to {value}: {error.strerror}"
            raise KernelError(message, remedy=REMEDIES.get(error.errno or 0, "")) from error


def _in_order(values: t.Mapping[str, str]) -> list[tuple[str, str]]:
    """Return names and values in the order in which nothing is lost.

    Devices follow router advertisements always (accept_ra) before the host forwards, which would make the
    kernel forget what it has learned; and what was on is switched off first.
    """
    return sorted(values.items(), key=lambda item: _SWITCH[item[1] != "0"] if item[0] in _FORWARDING else 1)


FILE = "/etc/sysctl.d/90-podnet-calico.conf"
_BEFORE = "# before: "


def ensure(wanted: t.Mapping[str, str], *, state: str, check_mode: bool, path_of_file: str = FILE) -> Outcome:
    """Set sysctls now and for the next boot; those that are not wanted any more become what they were before.

    What somebody else has set since stays as it is. Where the kernel refuses a value, all values and the file stay as
    they were. Raises InvalidInput, KernelError and FileError.
    """
    old_text = owned_file.read(path_of_file)
    before = _values_before(old_text)
    wanted = {} if state == "absent" else wanted
    left, ours = read(name for name in before if name not in wanted), _values(old_text)
    given_up = {name: before[name] for name, value in left.items() if value == ours.get(name, value)}
    before = {**read(wanted), **{name: value for name, value in before.items() if name in wanted}}
    new_text = "" if state == "absent" else _text(wanted, before)
    changes = plan(read([*given_up, *wanted]), {**given_up, **wanted})
    changes += compare(
        "file", {path_of_file: old_text} if old_text else {}, {path_of_file: new_text} if new_text else {}
    )
    if changes and not check_mode:
        if new_text and not before.items() <= _values_before(old_text).items():  # remembered before they are lost
            owned_file.write(path_of_file, _text(_values(old_text), {**_values_before(old_text), **before}))
        present = read([*given_up, *wanted])
        try:
            write({**given_up, **wanted})
        except KernelError:
            write(present)
            _replace(path_of_file, old_text)
            raise
        _replace(path_of_file, new_text)
    return Outcome(changes)


def set_by_us(path_of_file: str = FILE) -> dict[str, str]:
    """Return what our file sets, by name. Raises FileError and Conflict for a file that is none of ours."""
    return _values(owned_file.read(path_of_file))


def _replace(path_of_file: str, text: str) -> None:
    if text:
        owned_file.write(path_of_file, text)
    else:
        owned_file.remove(path_of_file)


def _text(wanted: t.Mapping[str, str], before: t.Mapping[str, str]) -> str:
    lines = [f"{_BEFORE}{name} = {value}" for name, value in sorted(before.items())]
    lines += [f"{name} = {value}" for name, value in _in_order(dict(sorted(wanted.items())))]
    return "\n".join([owned_file.HEADER, *lines]) + "\n"


def _values_before(text: str) -> dict[str, str]:
    return _pairs(line[len(_BEFORE) :] for line in text.splitlines() if line.startswith(_BEFORE))


def _values(text: str) -> dict[str, str]:
    return _pairs(line for line in text.splitlines() if line and not line.startswith("#"))


def _pairs(lines: t.Iterable[str]) -> dict[str, str]:
    return {name.strip(): value.strip() for name, __, value in (line.partition("=") for line in lines)}
