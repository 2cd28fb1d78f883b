# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in an audit: those that roles write as they are, and the container runtime's networks. Reads only."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import compare
from ansible_collections.podnet.calico.plugins.module_utils.cni.conflist import conflist
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import (
    FOREIGN,
    STALE,
    Finding,
    finding,
    of_change,
)

OURS = "10-podnet-calico.conflist"
_READ_BY_RUNTIMES = (".conf", ".conflist", ".json")  # libcni/api.go: ConfFiles; the first by name is taken


def of_files(wanted: t.Mapping[str, str], kind: str = "file") -> list[Finding]:
    """Return the files that are not as they have to be; an empty text stands for no file."""
    there = {path: text for path, text in ((path, _text(path)) for path in wanted) if text is not None}
    expected = {path: text for path, text in wanted.items() if text}
    return [of_change(change, kind) for change in compare("file", there, expected)]


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def of_networks(cni: t.Mapping[str, t.Any], folder: str, name: str, version: str) -> t.Iterator[Finding]:
    """Yield what differs in our network of the container runtime, and networks of others that it takes before ours."""
    wanted = conflist(cni, name, version) if cni["ranges"] else ""
    if wanted:  # where every pool is disabled, the network stays as it was
        yield from of_files({os.path.join(folder, OURS): wanted}, "network")
    for other in _networks(folder):
        path = os.path.join(folder, other)
        if "podnet-calico" in other:
            yield finding(STALE, "network", path, "", "there", remedy="Remove the file")
        elif wanted and other < OURS:
            yield finding(FOREIGN, "network", path, f"nothing before {OURS}", "there")


def _networks(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    return [name for name in names if name != OURS and name.endswith(_READ_BY_RUNTIMES)]
