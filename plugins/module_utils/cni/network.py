# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our network in the container runtime's folder: what changes, then the changes; there is no moment without one."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import (
    calico_options,
    conflist,
    folder,
    kubeconfig,
    networks,
    plugin_version,
    spec,
)
from ansible_collections.podnet.calico.plugins.module_utils.errors import (
    Conflict,
    FileError,
    InvalidInput,
    raise_all,
)

Step = t.Tuple[Change, t.Callable[[], None]]

_PLUGINS_REMEDY = (
    "Install a package that has them (cni_package), take a release archive (cni_plugins_source: archive), "
    "or name the folder where they are (cni_bin_dir)"
)


def ensure(
    wanted: conflist.Network,
    config_dir: str,
    *,
    credentials: t.Mapping[str, t.Any],
    exclusive: bool,
    bin_dir: str = "",
    check_mode: bool,
) -> Outcome:
    """Bring our list, and the file with credentials where there are some, in line with what is wanted.

    credentials: of kubeconfig.render, empty for none. exclusive: move files of others that are in the way aside.
    bin_dir: where the plugins have to be; empty where that is not looked at. Without ranges the list of the chain ptp
    is left as it is. Raises InvalidInput and Conflict before anything is changed, also where containers have addresses
    under another name of the network; and Conflict for a disk that is full.
    """
    _refuse_to_rename(wanted.name, config_dir)
    steps, facts, programs = _plan(wanted, config_dir, credentials, exclusive=exclusive)
    if bin_dir and programs:
        plugin_version.refuse_folder(bin_dir, programs, wanted.version, remedy=_PLUGINS_REMEDY)
    return _apply(config_dir, steps, facts, check_mode)


def differences(wanted: conflist.Network, config_dir: str, *, credentials: t.Mapping[str, t.Any]) -> list[Change]:
    """Return what ensure would change; raises InvalidInput and Conflict as it does, but for another name."""
    return [change for change, __ in _plan(wanted, config_dir, credentials, exclusive=False)[0]]


def _plan(
    wanted: conflist.Network, config_dir: str, credentials: t.Mapping[str, t.Any], *, exclusive: bool
) -> tuple[list[Step], dict[str, t.Any], list[str]]:
    """Return the changes, the facts, and the programs that the list calls; none of them where no list is written."""
    present = folder.ours(config_dir)
    list_file = os.path.join(config_dir, folder.OURS)
    access_file = os.path.join(config_dir, kubeconfig.NAME)
    access = kubeconfig.render(credentials) if credentials else ""
    made = conflist.build(wanted._replace(kubeconfig=access_file if access else ""))
    _check_files(made, access_file if access else "")
    rivals = folder.rivals(config_dir, wanted.name)
    facts = {"file": list_file, "agreement": conflist.agreement(made)._asdict(), "rivals": _texts(config_dir, rivals)}
    if not is_written(wanted):
        return [], {**facts, "agreement": None}, []
    mode = "0600" if wanted.chain == "calico" or conflist.has_secrets(made) else "0644"
    away = [rival.file for rival in rivals] if exclusive else []
    folder.refuse_to_move(config_dir, away)
    credited, listed = _access(access_file, access), _list(list_file, present, conflist.render(made), mode)
    steps = [
        *(credited if access else []),
        *listed,
        *([] if access else credited),
        *(_move(config_dir, name, name + folder.MOVED) for name in away),
    ]
    if exclusive:
        facts["rivals"] = []
    return steps, facts, conflist.programs(made)


def shrink(mtu: int, config_dir: str, *, check_mode: bool) -> Outcome:
    """Lower the MTU (bytes) of the list that is there, if it is larger; all else stays as it is."""
    present = folder.ours(config_dir)
    path = os.path.join(config_dir, folder.OURS)
    lowered = conflist.lowered(present.data, mtu)
    steps = [] if lowered == present.data else list(_list(path, present, conflist.render(lowered), present.mode))
    return _apply(config_dir, steps, {"file": path, "agreement": None, "rivals": []}, check_mode)


def _refuse_to_rename(name: str, config_dir: str) -> None:
    """Raise Conflict where containers have addresses under another name, which would be given out again under a new."""
    old = folder.named(config_dir)
    count = len(networks.leases(conflist.LEASES, old)) if old and old != name else 0
    if count:
        addresses = "1 address is" if count == 1 else f"{count} addresses are"
        raise Conflict(
            f"rename the network {old} to {name}: {addresses} in use by containers under the old name, as "
            f"{os.path.join(conflist.LEASES, old)} says, and would be given out again under the new one",
            remedy=f"Remove these containers first, or keep the name (cni_network_name: {old})",
        )


def is_written(wanted: conflist.Network) -> bool:
    """Tell whether there is anything to give pods addresses from; where every pool is disabled, the list stays."""
    return wanted.chain != "ptp" or bool(wanted.ranges)


def remove(name: str, config_dir: str, *, check_mode: bool) -> Outcome:
    """Remove our list, credentials and notes of addresses in use, and put back what was moved aside.

    name: of the network. What is noted under the name in the list goes as well.
    """
    spec.check_name(name)
    steps: list[Step] = []
    for file in (folder.OURS, kubeconfig.NAME):
        path = os.path.join(config_dir, file)
        if os.path.lexists(path):
            if file == kubeconfig.NAME:
                owned_file.read(path)  # or it is somebody else's
            steps.append((Change("network", path, before="there"), _remover(path)))
    kept = []
    for other in folder.moved(config_dir):
        if os.path.lexists(os.path.join(config_dir, other)):
            kept.append(os.path.join(config_dir, other + folder.MOVED))
        else:
            steps.append(_move(config_dir, other + folder.MOVED, other))
    for each in sorted({name, folder.named(config_dir)} - {""}):
        leases = os.path.join(conflist.LEASES, each)
        if os.path.isdir(leases):
            steps.append((Change("folder", leases, before="there"), functools.partial(_remove_leases, leases)))
    return _apply(config_dir, steps, {"kept": kept}, check_mode)


def _apply(config_dir: str, steps: t.Sequence[Step], facts: dict[str, t.Any], check_mode: bool) -> Outcome:
    try:
        for __, act in [] if check_mode else steps:
            act()
    except (FileError, OSError) as error:
        reason = error.message if isinstance(error, FileError) else error.strerror
        message = f"change the container runtime's network in {config_dir}: {reason}"
        raise Conflict(message, remedy="Make the folder writable, or its disk less full, and run this again") from error
    return Outcome([change for change, __ in steps], facts)


def _texts(config_dir: str, rivals: t.Sequence[folder.Rival]) -> list[str]:
    return [f"{os.path.join(config_dir, rival.file)} {rival.reason}" for rival in rivals]


def _check_files(made: t.Mapping[str, t.Any], ours: str) -> None:
    """Refuse a list that names files which are not there; ours is written before it."""
    problems = [
        InvalidInput(f"{calico_options.OPTION}.{option}: there is no file {path} on this host", remedy="Put it there")
        for option, path in calico_options.files(made["plugins"][0]).items()
        if path != ours and not os.path.isfile(path)
    ]
    raise_all(problems)


def _access(path: str, text: str) -> t.Iterator[Step]:
    """Yield the change of the file with credentials: written, or removed if there are none any more."""
    if not os.path.lexists(path):
        if text:
            yield (
                Change("kubeconfig", path, after=kubeconfig.shown(text)),
                lambda: owned_file.write(path, text, mode=0o600),
            )
        return
    present = owned_file.read(path)
    if not text:
        yield Change("kubeconfig", path, before=kubeconfig.shown(present)), _remover(path)
        return
    before, after = kubeconfig.shown(present), kubeconfig.shown(text, present)
    if present != text:
        yield Change("kubeconfig", path, before, after), lambda: owned_file.write(path, text, mode=0o600)
    elif _mode(path) != "0600":
        yield Change("mode", path, _mode(path), "0600"), lambda: os.chmod(path, 0o600)


def _list(path: str, present: folder.Present, text: str, mode: str) -> t.Iterator[Step]:
    if present.text != text:
        before = conflist.shown(present.text) if present.text else None
        yield (
            Change("network", path, before, conflist.shown(text)),
            lambda: owned_file.write(path, text, mode=int(mode, 8)),
        )
    elif present.mode != mode:
        yield Change("mode", path, present.mode, mode), lambda: os.chmod(path, int(mode, 8))


def _mode(path: str) -> str:
    return f"{stat.S_IMODE(os.stat(path).st_mode):04o}"


def _move(config_dir: str, name: str, other: str) -> Step:
    path, there = os.path.join(config_dir, name), os.path.join(config_dir, other)

    def act() -> None:
        os.rename(path, there)
        owned_file.sync(config_dir)

    return Change("network", path, before="there", after=f"moved to {other}"), act


def _remover(path: str) -> t.Callable[[], None]:
    return lambda: owned_file.remove(path)


def _remove_leases(path: str) -> None:
    """Remove the notes of a network, and the folders above that are empty then."""
    shutil.rmtree(path)
    for above in (conflist.LEASES, os.path.dirname(conflist.LEASES)):
        try:
            os.rmdir(above)
        except OSError:  # another network's are in it
            return
