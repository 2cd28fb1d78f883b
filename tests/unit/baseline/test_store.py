# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which folders a reset removes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.baseline import store

# By name: whether the folder was there before, has a file, and is above the datastore; and whether it goes.
FOLDERS: dict[str, tuple[bool, bool, bool, bool]] = {
    "a new one": (False, False, False, True),
    "a new one that is used": (False, True, False, False),
    "one that was there": (True, False, False, False),
    "one that the datastore may have brought before": (True, False, True, True),
    "one with the datastore in it": (True, True, True, False),
}


@pytest.mark.parametrize(("was", "used", "above", "goes"), FOLDERS.values(), ids=FOLDERS)
def test_empty_folders_that_were_not_there_go(
    was: bool, used: bool, above: bool, goes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "podnet-calico"
    folder.mkdir()
    if used:
        (folder / "datastore").touch()
    monkeypatch.setattr(store, "_MADE", (str(folder),))
    monkeypatch.setattr(store, "_UNITS", str(tmp_path / "none"))
    before = {"file": {str(folder): "755 0:0 folder"} if was else {}}
    kept = [str(folder / "datastore")] if above else []
    assert [change.name for change in store._folders(before, kept)] == ([str(folder)] if goes else [])
