# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to a directory of CNI plugins; pure but for reading it."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.cni import archive
from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_record import ASIDE, NAME, Record
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict


class Plan(t.NamedTuple):
    """What is done, in this order, by name of plugin.

    aside: those of others that are kept first; put: ours that come or change; back: those of others that take their
    place again; drop: ours that go. before: the record while that is done; record: what is true then. changes: all of
    it for the result.
    """

    aside: t.Sequence[str]
    put: t.Sequence[str]
    back: t.Sequence[str]
    drop: t.Sequence[str]
    before: Record
    record: Record
    changes: t.Sequence[Change]


def content(path: str) -> str:
    """Return what is at a path: a file's sha256, "link to …", "folder", "special"; empty for nothing."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISREG(mode):
        return archive.digest(path)
    if stat.S_ISLNK(mode):
        return f"link to {os.readlink(path)}"
    return "folder" if stat.S_ISDIR(mode) else "special"


def is_in_place(folder: str, record: Record, sha256: str, version: str) -> bool:
    """Tell whether a directory has what the archive of that version with that sha256 has."""
    if record.pending or (record.archive, record.version) != (sha256, version):
        return False
    paths = {os.path.join(folder, name): text for name, text in {**record.files, **record.adopted}.items()}
    return all(content(path) == text and os.access(path, os.X_OK) for path, text in paths.items())


class _Planner:
    """Decides name by name."""

    def __init__(self, folder: str, old: Record, take_over: bool) -> None:
        self.folder, self.old, self.take_over = folder, old, take_over
        self.steps: dict[str, list[str]] = {"aside": [], "put": [], "back": [], "drop": []}
        self.files: dict[str, str] = {}
        self.adopted: dict[str, str] = {}
        self.moved = dict(old.moved)
        self.changes: list[Change] = []
        self.conflicts: list[str] = []

    def at(self, name: str) -> str:
        return content(os.path.join(self.folder, name))

    def comes(self, name: str, new: str) -> None:
        """Decide on a plugin of the archive."""
        now = self.at(name)
        runs = os.access(os.path.join(self.folder, name), os.X_OK)
        if now == new and runs and not self.old.ours(name, now):
            self.adopted[name] = new
            return
        self.files[name] = new
        if now == new and runs:
            return
        if now and not self.old.ours(name, now):
            self._push_aside(name, now)
        self.steps["put"].append(name)
        self.changes.append(Change("plugin", name, {"sha256": now} if now else None, {"sha256": new}))

    def _push_aside(self, name: str, now: str) -> None:
        if not self.take_over or now in ("folder", "special"):
            self.conflicts.append(name if self.take_over is False else f"{name} ({now})")
            return
        kept = self.at(name + ASIDE)
        if kept and not kept == now == self.old.moved.get(name):
            self.conflicts.append(f"{name} (and {name}{ASIDE} is there already)")
            return
        self.moved[name] = now
        if not kept:
            self.steps["aside"].append(name)
            self.changes.append(Change("file", name + ASIDE, None, {"sha256": now}))

    def goes(self, name: str) -> None:
        """Decide on a plugin that was ours and is not wanted any more."""
        now = self.at(name)
        kept = self.at(name + ASIDE) if name in self.old.moved else ""
        if now and not self.old.ours(name, now):
            if kept == now:  # a run was killed before ours took its place
                self.steps["drop"].append(name + ASIDE)
                self.changes.append(Change("file", name + ASIDE, {"sha256": kept}, None))
            if kept in ("", now):
                self.moved.pop(name, None)
            return
        if kept:
            self.steps["back"].append(name)
            self.changes.append(Change("file", name + ASIDE, {"sha256": kept}, None))
            self.changes.append(Change("plugin", name, {"sha256": now} if now else None, {"sha256": kept}))
        elif now:
            self.steps["drop"].append(name)
            self.changes.append(Change("plugin", name, {"sha256": now}, None))
        self.moved.pop(name, None)

    def plan(self, record: Record) -> Plan:
        """Return the whole; record: with what it says of the archive and the folders."""
        record = record._replace(files=self.files, adopted=self.adopted, moved=self.moved)
        there = {name: self.at(name) for name in self.old.names()}
        files = {name: now for name, now in there.items() if self.old.ours(name, now)}
        moved = {**self.old.moved, **self.moved}
        before = self.old._replace(files=files, pending=self.files, moved=moved, folders=record.folders)
        changes = list(self.changes)
        if record != self.old:
            changes.append(Change("record", os.path.join(self.folder, NAME), self.old.shown(), record.shown()))
        return Plan(**self.steps, before=before, record=record, changes=changes)


def to_have(folder: str, old: Record, files: t.Mapping[str, str], archived: tuple[str, str], take_over: bool) -> Plan:
    """Return what brings a directory in line with an archive; archived: its sha256 and version. files: its plugins.

    Raises Conflict, which names them, for plugins of others; take_over has them kept aside instead.
    """
    planner = _Planner(folder, old, take_over)
    for name, new in sorted(files.items()):
        planner.comes(name, new)
    for name in old.names():
        if name not in files:
            planner.goes(name)
    if planner.conflicts:
        remedy = "Set cni_plugins_take_over to have them moved aside until reset, or choose another directory"
        if take_over:
            remedy = "Move them away"
        raise Conflict(
            f"put plugins into {folder}: other ones of somebody else are there: {', '.join(planner.conflicts)}",
            remedy=remedy,
        )
    return planner.plan(Record(*archived, folders=old.folders))


def to_lack(folder: str, old: Record, stale: t.Iterable[str] = ()) -> tuple[Plan, list[str]]:
    """Return what takes out all that is ours and puts back what was moved aside; and the names of what stays.

    What stays was changed by somebody else after we had put it. stale: names of what a killed run has left.
    """
    planner = _Planner(folder, old, take_over=False)
    for name in old.names():
        planner.goes(name)
    there = {name: planner.at(name) for name in old.names()}
    foreign = [name for name, now in there.items() if now not in ("", old.moved.get(name)) and not old.ours(name, now)]
    changes = [*planner.changes, *(Change("folder", name, "of a run that was killed", None) for name in stale)]
    if old != Record():
        changes.append(Change("record", os.path.join(folder, NAME), old.shown() or {}, None))
    return Plan(**planner.steps, before=old, record=Record(), changes=changes), foreign
