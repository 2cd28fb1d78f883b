# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of files of ours that hold something else, and what is said of them."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.baseline import store
from ansible_collections.podnet.calico.plugins.module_utils.errors import FileError, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

PLANTED: dict[str, tuple[t.Callable[[Path], t.Any], str]] = {
    "a directory": (Path.mkdir, "not a regular file"),
    "a FIFO": (os.mkfifo, "not a regular file"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8 at byte 0"),
    "a link to itself": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize(("plant", "reason"), PLANTED.values(), ids=PLANTED.keys())
def test_the_path_and_the_reason_are_said(tmp_path: Path, plant: t.Callable[[Path], t.Any], reason: str) -> None:
    path = tmp_path / "file"
    plant(path)
    with pytest.raises(FileError) as caught:
        owned_file.read(str(path))
    assert str(caught.value) == f"read {path}: {reason}. Move it away and run this again"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    path = tmp_path / "folder" / "below" / "file"
    with pytest.raises(FileError, match=r"^write .*/file: Not a directory\. Make its folder writable"):
        owned_file.write(str(path), owned_file.HEADER)
    with pytest.raises(FileError, match=r"^remove .*/file: Not a directory"):
        owned_file.remove(str(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "not the state of a host"),
        ('{"file": 1}', "not the state of a host"),
        ("{", "Expecting property name"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
    ],
)
def test_a_baseline_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, reason: str
) -> None:
    path = tmp_path / "before.json"
    path.write_text(content)
    monkeypatch.setattr(store, "BASELINE", str(path))
    with pytest.raises(InvalidInput, match=reason) as caught:
        store.prove("bird", [], check_mode=True)
    assert "Remove it; then reset cannot tell" in str(caught.value)


class Module:
    """What the end of a module needs of AnsibleModule."""

    _name = "calico_example"

    def fail_json(self, **result: t.Any) -> None:
        raise SystemExit(json.dumps(result))


def test_an_error_of_the_operating_system_is_one_line_wherever_it_comes_from() -> None:
    def work(__: t.Any) -> t.Any:
        raise OSError(28, "No space left on device", "/etc/file")

    with pytest.raises(SystemExit) as caught:
        run(t.cast("t.Any", Module()), work)
    assert json.loads(str(caught.value))["msg"] == "calico_example: /etc/file: No space left on device"
