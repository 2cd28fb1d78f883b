# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and unit by which the pod network comes back after a boot: compared, written, and made known to services."""

from __future__ import annotations

import contextlib
import glob
import os
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file, systemd
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.persist import boot_files, networkd
from ansible_collections.podnet.calico.plugins.module_utils.persist.boot_files import (
    MODES,
    NETWORK_MANAGER,
    NETWORKD_CONF,
    NETWORKD_LINKS,
    PENDING,
    PENDING_TEXT,
    RESTORE,
    SERVICE,
    UNIT,
)
from ansible_collections.podnet.calico.plugins.module_utils.systemd import Order

_FILES = (NETWORKD_CONF, NETWORKD_LINKS, NETWORK_MANAGER, PENDING, RESTORE, UNIT)
_NETWORK_MANAGER = "NetworkManager.service"

Texts = t.Dict[str, str]


def ensure(restore: str, tunnels: t.Iterable[str], underlay: t.Iterable[str], *, check_mode: bool) -> Outcome:
    """Have the network restored at boot by a text, and nothing take it away. tunnels, underlay: names of devices.

    Raises Conflict for a file of somebody else, before anything is touched, and DaemonError if the text does not hold
    what it promises: the unit is started once with each new text, on a host that is as the text wants it.
    """
    with_networkd = systemd.installed(networkd.NETWORKD)
    wanted = boot_files.texts(tunnels, networkd=with_networkd, network_manager=systemd.installed(_NETWORK_MANAGER))
    keeping = networkd.texts(underlay) if with_networkd else {}
    return _converge({RESTORE: restore, **wanted, **keeping}, check_mode)


def remove(*, check_mode: bool) -> Outcome:
    """Have nothing of ours restored at boot any more; what is there now stays."""
    return _converge({}, check_mode)


def _converge(wanted: Texts, check_mode: bool) -> Outcome:
    paths = dict.fromkeys([*_FILES, *networkd.ours(), *wanted])
    before = {path: text for path, text in ((path, owned_file.read(path)) for path in paths) if text}
    changes = compare("file", before, wanted)
    unit = _unit_changes(before, wanted)
    if not check_mode and not wanted:
        _leave(before)
    if not check_mode and wanted and (changes or unit):
        _put(changes, wanted)
        _start(_to_tell(before, wanted, changes), unit)
        owned_file.remove(PENDING)
    return Outcome(changes + unit)


def _to_tell(before: Texts, wanted: Texts, changes: t.Sequence[Change]) -> set[str]:
    """Return the paths that services have to read again: all of them if a run was killed before it told them."""
    return {*before, *wanted} if PENDING in before else {change.name for change in changes}


def _unit_changes(before: Texts, wanted: Texts) -> list[Change]:
    """Return how the unit's state differs; where no systemd runs it cannot be active."""
    active = UNIT in before and systemd.active(SERVICE)
    is_now = {"enabled": systemd.enabled(SERVICE), "active": active}
    will_be = {"enabled": True, "active": active or systemd.manages()}
    return compare("unit", {SERVICE: is_now} if UNIT in before else {}, {SERVICE: will_be} if wanted else {})


def _put(changes: t.Sequence[Change], wanted: Texts) -> None:
    with only_one():
        if changes:
            owned_file.write(PENDING, PENDING_TEXT)
        for change in changes:
            if change.name == PENDING:
                continue
            if change.after is None:
                owned_file.remove(change.name)
                continue
            check = _check if change.name == RESTORE else None
            owned_file.write(change.name, wanted[change.name], mode=MODES.get(change.name, 0o644), check=check)
        _sweep({os.path.dirname(change.name) for change in changes})


def _check(path: str) -> None:
    """Raise KernelError if a shell cannot read a script; nothing of it is run."""
    answer = subprocess.run(["/bin/sh", "-n", path], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise KernelError(f"write {RESTORE}: the shell cannot read it: {answer.stderr.strip()}")


def _start(changed: set[str], unit: t.Sequence[Change]) -> None:
    enabled, manages = systemd.enabled(SERVICE), systemd.manages()
    systemd.tell(orders(changed, bool(unit), manages=manages, enabled=enabled, active=systemd.active))


def orders(
    changed: t.Collection[str], unit: bool, *, manages: bool, enabled: bool, active: t.Callable[[str], bool]
) -> list[Order]:
    """Return what systemctl has to do so that services read their files: first those that could take the network away.

    Ours is last, since it looks at the network. changed: paths of files. unit: whether the state of our unit differs.
    manages: whether systemd runs. enabled: whether our unit is. active: tells whether a service is.
    """
    told: list[Order] = []
    if UNIT in changed and manages:
        told.append(("daemon-reload",))
    if UNIT in changed or not enabled:
        told.append(("enable", SERVICE))
    if not manages:
        return told
    if NETWORK_MANAGER in changed and active(_NETWORK_MANAGER):
        told.append(("reload", _NETWORK_MANAGER))
    # A reload passes over networkd.conf(5). The files are there when it starts, so that it leaves our routes and the
    # host's addresses alone.
    of_networkd = set(changed) - {PENDING, RESTORE, UNIT, NETWORK_MANAGER}
    restarted = [networkd.NETWORKD] if of_networkd and active(networkd.NETWORKD) else []
    restarted += [SERVICE] if unit or {RESTORE, UNIT} & set(changed) else []
    return [*told, ("restart", *restarted)] if restarted else told


def _leave(before: Texts) -> None:
    """Stop and forget the unit, which changes nothing of the network, and delete the files."""
    if before:
        owned_file.write(PENDING, PENDING_TEXT)
    manages = bool(before) and systemd.manages()
    systemd.tell(orders_before_removal(before, manages=manages, enabled=systemd.enabled(SERVICE)))
    with only_one():
        for path in before.keys() - {PENDING}:
            owned_file.remove(path)
        _sweep({os.path.dirname(path) for path in _FILES})
    systemd.tell(orders_after_removal(before, manages=manages, active=systemd.active))
    owned_file.remove(PENDING)
    for folder in filter(_is_own_folder, map(os.path.dirname, [*before, PENDING])):
        with contextlib.suppress(OSError):  # something else is in there
            os.rmdir(folder)


def orders_before_removal(before: t.Collection[str], *, manages: bool, enabled: bool) -> list[Order]:
    """Return what systemctl has to do while our unit's file, if it is one of those before, is still there."""
    stop: list[Order] = [("stop", SERVICE)] if manages else []
    disable: list[Order] = [("disable", SERVICE)] if enabled else []
    return stop + disable if UNIT in before else []


def orders_after_removal(before: t.Collection[str], *, manages: bool, active: t.Callable[[str], bool]) -> list[Order]:
    """Return what systemctl has to do so that services forget files that are gone, or may be.

    A run that was killed has left PENDING. systemd-networkd is not restarted: without our file it would delete the
    routes of others, too.
    """
    told: list[Order] = []
    if {UNIT, PENDING} & set(before) and manages:
        told.append(("daemon-reload",))
    if {NETWORK_MANAGER, PENDING} & set(before) and active(_NETWORK_MANAGER):
        told.append(("reload", _NETWORK_MANAGER))
    return told


def _is_own_folder(path: str) -> bool:
    """Tell whether a folder is one that no package brings."""
    return path in (os.path.dirname(RESTORE), os.path.dirname(NETWORKD_CONF)) or path.endswith(".network.d")


def _sweep(folders: t.Iterable[str]) -> None:
    """Remove what runs that were killed have not even finished."""
    for folder in folders:
        for path in glob.glob(os.path.join(folder, f"{owned_file.UNFINISHED}*")):
            owned_file.remove(path)
