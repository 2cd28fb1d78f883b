# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours: whose they are, and that there is never a part of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files belong to root")


@pytest.mark.parametrize("text", [f"{HEADER}\nx\n", f"#!/bin/sh\n{HEADER}\nx\n"], ids=["first line", "after #!"])
def test_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / "new" / "file"
    owned_file.write(str(path), text, mode=0o755)
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


def test_removed_once_and_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    owned_file.write(str(path), f"{HEADER}\n")
    for __ in range(2):
        owned_file.remove(str(path))
        assert os.listdir(tmp_path) == []
