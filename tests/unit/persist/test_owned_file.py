# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours: whose they are, and that there is never a part of one."""

from __future__ import annotations

import grp
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return to whom files are given; only root can give them to root."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((user, group)))
    return given


@pytest.mark.parametrize("text", [f"{HEADER}\nx\n", f"#!/bin/sh\n{HEADER}\nx\n"], ids=["first line", "after #!"])
def test_ours(tmp_path: Path, own: list[tuple[int, int]], text: str) -> None:
    path = tmp_path / "new" / "file"
    owned_file.write(str(path), text, mode=0o755)
    assert own == [(0, 0)]
    assert owned_file.read(str(path)) == text
    assert path.stat().st_mode & 0o7777 == 0o755
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("text", ["x\n", f"x\n{HEADER}\n", f"#!/bin/sh\nx\n{HEADER}\n", "#!/bin/sh\n"])
def test_somebody_elses(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(Conflict, match="a file is there that is not ours"):
        owned_file.read(str(path))


def test_what_does_not_pass_its_check_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def refuse(path: str) -> None:
        raise KernelError(f"check {path}")

    path = tmp_path / "file"
    owned_file.write(str(path), f"{HEADER}\nold\n")
    with pytest.raises(KernelError):
        owned_file.write(str(path), f"{HEADER}\nnew\n", check=refuse)
    assert path.read_text() == f"{HEADER}\nold\n"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_for_root_to_change_and_for_a_group_to_read(tmp_path: Path, own: list[tuple[int, int]]) -> None:
    group = grp.getgrall()[-1]
    path = tmp_path / "file"
    owned_file.write(str(path), f"{HEADER}\n", mode=0o640, group=group.gr_name)
    owned_file.write(str(tmp_path / "other"), f"{HEADER}\n", group="no-such-group")
    assert own == [(0, group.gr_gid), (0, 0)]
    assert path.stat().st_mode & 0o7777 == 0o640
    assert (tmp_path / "other").stat().st_mode & 0o7777 == 0o644


class Disk:
    """Writes down in which order files get to the disk, what is in them then, and when a name changes hands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.steps: list[tuple[str, str]] = []
        self._root = root
        for name in ("fsync", "replace", "unlink"):
            monkeypatch.setattr(os, name, getattr(self, name)(getattr(os, name)))

    def fsync(self, real: t.Callable[[int], None]) -> t.Callable[[int], None]:
        def recorded(descriptor: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            real(descriptor)
            what = str(path.relative_to(self._root)) if path.is_dir() else path.read_text()
            self.steps.append(("sync", what))

        return recorded

    def replace(self, real: t.Callable[[str, str], None]) -> t.Callable[[str, str], None]:
        def recorded(source: str, target: str) -> None:
            real(source, target)
            self.steps.append(("replace", str(Path(target).relative_to(self._root))))

        return recorded

    def unlink(self, real: t.Callable[[str], None]) -> t.Callable[[str], None]:
        def recorded(path: str) -> None:
            real(path)
            self.steps.append(("unlink", str(Path(path).relative_to(self._root))))

        return recorded


def test_a_power_cut_leaves_the_old_file_or_the_new_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disk = Disk(monkeypatch, tmp_path)
    path, text = tmp_path / "new" / "file", f"{HEADER}\nx\n"
    owned_file.write(str(path), text)
    written = [("sync", text), ("replace", "new/file"), ("sync", "new")]
    assert disk.steps == [("sync", "."), *written]  # the new folder's name first
    disk.steps.clear()
    owned_file.write(str(path), text)
    assert disk.steps == written
    disk.steps.clear()
    owned_file.remove(str(path))
    assert disk.steps == [("unlink", "new/file"), ("sync", "new")]


def test_removed_once_and_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    owned_file.write(str(path), f"{HEADER}\n")
    for __ in range(2):
        owned_file.remove(str(path))
        assert os.listdir(tmp_path) == []
