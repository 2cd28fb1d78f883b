# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CNI plugins of a host: from a release archive, or somebody else's that are looked at."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import (
    archive,
    plugin_apply,
    plugin_plan,
    plugin_record,
    plugin_version,
)


class Wanted(t.NamedTuple):
    """What a directory of plugins shall have.

    required: names of plugins that have to be there, and to know spec_version, a version of the CNI specification.
    sha256: that of the archive, a text or texts by architecture. take_over: keep other plugins of somebody else aside.
    """

    folder: str
    version: str = ""
    sha256: t.Any = ""
    required: t.Sequence[str] = ()
    spec_version: str = ""
    take_over: bool = False


def inspect(wanted: Wanted) -> Outcome:
    """Tell what is there: whether it is what the archive has (in_place), of which version, for which architecture.

    Raises InvalidInput for a version of which no checksum is known.
    """
    arch = archive.architecture()
    record = plugin_record.read(wanted.folder)
    asked = bool(wanted.sha256 or wanted.version)
    sha256 = archive.checksum(wanted.sha256, wanted.version, arch) if asked else ""
    there = bool(sha256) and plugin_plan.is_in_place(wanted.folder, record, sha256, wanted.version)
    return Outcome([], _facts(wanted.folder, record, arch, there))


def ensure(wanted: Wanted, path: str, url: str, *, temporary: str, check_mode: bool) -> Outcome:
    """Put the plugins of an archive in place, unless they are. Check mode fetches, verifies and tries them as well.

    path: of the archive on this host; url: where it is else, with {version} and {arch}. Without both nothing is put;
    then somebody else's plugins have to do. temporary: a directory for what is fetched. Raises InvalidInput, Conflict
    or Unusable; then nothing has been changed.
    """
    if not path and not url:
        return _somebody_elses(wanted)
    arch = archive.architecture()
    sha256 = archive.checksum(wanted.sha256, wanted.version, arch)
    record = plugin_record.read(wanted.folder)
    if plugin_plan.is_in_place(wanted.folder, record, sha256, wanted.version):
        _refuse_unfit(wanted, {**record.files, **record.adopted})
        return Outcome([], _facts(wanted.folder, record, arch, True))
    plugin_apply.refuse_unwritable(wanted.folder)
    source = archive.Source(path, "" if path else archive.address(url, wanted.version, arch), sha256)
    with archive.obtained(source, temporary) as fetched:
        change = _predict if check_mode else _change
        plan = change(wanted, fetched, sha256, temporary)
    return Outcome(plan.changes, _facts(wanted.folder, plan.record, arch, True))


def remove(folder: str, *, check_mode: bool) -> Outcome:
    """Take out exactly what is ours, and put back what was moved aside for it."""
    record = plugin_record.read(folder)
    plan, foreign = plugin_plan.to_lack(folder, record, plugin_apply.stale(folder))
    if plan.changes:
        plugin_apply.refuse_unwritable(folder)
        if not check_mode:
            plugin_apply.remove(folder, plan)
    return Outcome(plan.changes, {"bin_dir": folder, "foreign": foreign})


def _somebody_elses(wanted: Wanted) -> Outcome:
    """Refuse plugins of somebody else that are missing, do not run or do not know the version."""
    remedy = "Install them there, or have the role install them: set cni_plugins_source to package or archive"
    plugin_version.refuse_folder(wanted.folder, wanted.required, wanted.spec_version, remedy=remedy)
    record = plugin_record.read(wanted.folder)
    return Outcome([], _facts(wanted.folder, record, archive.architecture(), False))


def _change(wanted: Wanted, fetched: str, sha256: str, __: str) -> plugin_plan.Plan:
    with plugin_apply.staging(wanted.folder) as (beside, made):
        with plugin_apply.refused(wanted.folder):
            files = archive.unpack(fetched, beside)
        _refuse_unfit(wanted, files, beside)
        plan = _plan(wanted, files, sha256, made)
        if plan.changes:
            plugin_apply.apply(wanted.folder, plan, beside)
        return plan


def _predict(wanted: Wanted, fetched: str, sha256: str, temporary: str) -> plugin_plan.Plan:
    with contextlib.ExitStack() as stack:
        with plugin_apply.refused(temporary):
            beside = stack.enter_context(tempfile.TemporaryDirectory(dir=temporary, prefix="podnet-cni-"))
            files = archive.unpack(fetched, beside)
        if not os.statvfs(beside).f_flag & os.ST_NOEXEC:
            _refuse_unfit(wanted, files, beside)
        made = [] if os.path.isdir(wanted.folder) else [wanted.folder]
        plan = _plan(wanted, files, sha256, made)
        needed = sum(os.path.getsize(os.path.join(beside, name)) for name in files)
        if plan.changes:
            plugin_apply.refuse_unwritable(wanted.folder, needed)
        return plan


def _plan(wanted: Wanted, files: t.Mapping[str, str], sha256: str, made: t.Sequence[str]) -> plugin_plan.Plan:
    record = plugin_record.read(wanted.folder)
    if made:
        record = record._replace(folders=list(made))
    return plugin_plan.to_have(wanted.folder, record, files, (sha256, wanted.version), wanted.take_over)


def _refuse_unfit(wanted: Wanted, files: t.Iterable[str], folder: str = "") -> None:
    plugin_version.refuse_unfit(folder or wanted.folder, files, wanted.required, wanted.spec_version)


def _facts(folder: str, record: plugin_record.Record, arch: str, in_place: bool) -> dict[str, t.Any]:
    return {
        "bin_dir": folder,
        "arch": arch,
        "in_place": in_place,
        "version": record.version,
        "plugins": sorted({**record.files, **record.adopted}),
    }
