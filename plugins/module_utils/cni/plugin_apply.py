# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change a directory of CNI plugins: each name is at every moment the old plugin or the new one, whole.

A run that fails puts everything back. One that is killed leaves a record of what it was about to do, by which the next
run knows its plugins.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni import plugin_record
from ansible_collections.podnet.calico.plugins.module_utils.cni.archive import Unusable
from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_plan import Plan, content
from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_record import ASIDE, Record
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import UNFINISHED, sync

_STALE = re.compile(re.escape(UNFINISHED) + r"[a-z0-9_]{8}")  # what tempfile makes of the prefix
_MODE = 0o755
_REMEDY = "Make room there, or make it writable, or choose another directory as cni_bin_dir"


@contextlib.contextmanager
def staging(folder: str) -> t.Iterator[tuple[str, list[str]]]:
    """Yield a new directory beside the plugins, and the directories that were made for it, deepest first.

    No other run works on the plugins during the body. Afterwards the new directory is gone, and if the body has failed
    those that were made as well. Raises Unusable if there is no room or no way to write.
    """
    with contextlib.ExitStack() as stack:
        with refused(folder):
            made = _make(folder)
            stack.push(lambda kind, *__: _unmake(made) if kind else None)
            stack.enter_context(only_one(folder))
            _sweep(folder)
            beside = tempfile.mkdtemp(dir=folder, prefix=UNFINISHED)
            stack.callback(shutil.rmtree, beside, ignore_errors=True)
        yield beside, made


@contextlib.contextmanager
def only_one(folder: str) -> t.Iterator[None]:
    """Keep other runs from a directory during the body; the kernel ends that with the process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def refused(folder: str) -> t.Iterator[None]:
    """Turn what the file system says no with into a message."""
    try:
        yield
    except OSError as error:
        raise Unusable(f"put plugins into {folder}: {error.strerror or error}", remedy=_REMEDY) from error


def refuse_unwritable(folder: str, needed: int = 0) -> None:
    """Raise Unusable if plugins cannot be put into a directory, as check mode finds it.

    needed: for how many bytes there has to be room. A directory that is missing would be made.
    """
    there = folder
    while not os.path.lexists(there):
        there = os.path.dirname(there) or "/"
    if not os.path.isdir(there):
        raise Unusable(f"put plugins into {folder}: {there} is no directory", remedy=_REMEDY)
    if not os.access(there, os.W_OK | os.X_OK):
        raise Unusable(f"put plugins into {folder}: {there} cannot be written to", remedy=_REMEDY)
    room = os.statvfs(there)
    if room.f_flag & os.ST_NOEXEC:
        raise Unusable(
            f"put plugins into {folder}: its file system is mounted with noexec, so none of them would run",
            remedy="Choose another directory as cni_bin_dir, or mount it without noexec",
        )
    free = room.f_frsize * (room.f_bavail if os.geteuid() else room.f_bfree)
    if free < needed:
        raise Unusable(f"put plugins into {folder}: they have {needed} bytes, and {free} are free", remedy=_REMEDY)


def apply(folder: str, plan: Plan, beside: str) -> None:
    """Carry out a plan; beside: the directory next to the plugins that has the new ones.

    Raises Unusable when the file system refuses something; then everything is as it was.
    """
    with refused(folder):
        names = [plugin_record.NAME, *plan.put, *plan.back, *plan.drop]
        names += [name + ASIDE for name in (*plan.aside, *plan.back)]
        last = _written(os.path.join(beside, ".last"), plan.record)
        first = _written(os.path.join(beside, ".first"), plan.before)
        kept = _kept(folder, names, beside)
        try:
            os.replace(first, plugin_record.path(folder))
            sync(folder)
            _carry_out(folder, plan, beside)
            os.replace(last, plugin_record.path(folder))
            sync(folder)
        except OSError:
            _put_back(folder, names, kept)
            raise


def remove(folder: str, plan: Plan) -> None:
    """Carry out a plan that takes everything out; a run that is killed is finished by the next. Raises Unusable."""
    with refused(folder), only_one(folder):
        _sweep(folder)
        _carry_out(folder, plan, folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(plugin_record.path(folder))
        sync(folder)
    _unmake(plan.before.folders)


def _carry_out(folder: str, plan: Plan, beside: str) -> None:
    for name in plan.aside:
        _link(os.path.join(folder, name), os.path.join(folder, name + ASIDE))
    for name in plan.put:
        os.replace(os.path.join(beside, name), os.path.join(folder, name))
    for name in plan.back:
        os.replace(os.path.join(folder, name + ASIDE), os.path.join(folder, name))
    for name in plan.drop:
        os.unlink(os.path.join(folder, name))


def _written(path: str, record: Record) -> str:
    with open(path, "w", encoding="utf-8") as file:
        file.write(plugin_record.render(record))
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o644)
    return path


def _link(path: str, other: str) -> None:
    """Give a file or symbolic link a second name; where the file system cannot, copy it."""
    try:
        os.link(path, other, follow_symlinks=False)
    except PermissionError:  # so says a file system that has no second names
        shutil.copy2(path, other, follow_symlinks=False)


def _kept(folder: str, names: t.Sequence[str], beside: str) -> str:
    """Give everything that is going to change a second name in a directory of its own, and return that."""
    kept = os.path.join(beside, ".kept")
    os.mkdir(kept)
    for name in names:
        if os.path.lexists(os.path.join(folder, name)):
            _link(os.path.join(folder, name), os.path.join(kept, name))
    return kept


def _put_back(folder: str, names: t.Sequence[str], kept: str) -> None:
    for name in reversed(names):
        path, before = os.path.join(folder, name), os.path.join(kept, name)
        with contextlib.suppress(OSError):  # the record of what was to be done stays, too, and the next run repairs
            if os.path.lexists(before):
                os.replace(before, path)
            elif content(path):
                os.unlink(path)


def _make(folder: str) -> list[str]:
    """Make a directory and those that it is in; return what was missing, deepest first."""
    missing = []
    path = folder
    while not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    made: list[str] = []
    try:
        for path in reversed(missing):
            os.mkdir(path)
            made.insert(0, path)
            os.chmod(path, _MODE)  # whatever the umask
            sync(os.path.dirname(path))
    except OSError:
        _unmake(made)
        raise
    return made


def _unmake(folders: t.Iterable[str]) -> None:
    """Remove directories that are empty."""
    for path in folders:
        with contextlib.suppress(OSError):
            os.rmdir(path)


def stale(folder: str) -> list[str]:
    """Return the names of what killed runs have left beside the plugins."""
    try:
        return sorted(name for name in os.listdir(folder) if _STALE.fullmatch(name))
    except OSError:
        return []


def _sweep(folder: str) -> None:
    for name in stale(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
