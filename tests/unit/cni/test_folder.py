# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of others in the folder of the container runtime's networks."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni import folder
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict

if t.TYPE_CHECKING:
    from pathlib import Path


OTHER = json.dumps({"name": "other", "plugins": []})


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("05-other.conflist", OTHER, "sorts before 10-podnet-calico.conflist"),
        ("10-calico.conflist", OTHER, "sorts before"),
        ("05-other.conf", "{", "is not JSON"),
        ("00-x.json", OTHER, "sorts before"),
        ("99-b.conflist", json.dumps({"name": "podnet"}), "has a network with the same name, podnet"),
        ("99-b.conflist", OTHER, ""),
        ("99-b.conf", "{", ""),
        ("05-other.conflist.bak", OTHER, ""),
        ("05-other.conflist.podnet-moved", OTHER, ""),
        ("99-list.conflist", "[]", ""),
    ],
)
def test_what_is_in_the_way(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / folder.OURS).write_text("{}")
    (tmp_path / name).write_text(text)
    found = folder.rivals(str(tmp_path), "podnet")
    assert [rival.file for rival in found] == ([name] if reason else [])
    assert all(reason in rival.reason for rival in found)


def test_folders_are_no_networks_and_no_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "00-folder.conf").mkdir()
    assert folder.others(str(tmp_path)) == []
    assert folder.rivals(str(tmp_path / "none"), "podnet") == []
    assert folder.moved(str(tmp_path / "none")) == []
    assert folder.ours(str(tmp_path / "none")) == ("", None, "")


def test_a_file_in_our_place_that_is_none_of_ours(tmp_path: Path) -> None:
    path = tmp_path / folder.OURS
    path.write_text('{"cniVersion": "1.0.0",')
    with pytest.raises(Conflict, match=r"it is not JSON .*line 1.* Remove it, and run this again"):
        folder.ours(str(tmp_path))
    path.unlink()
    path.symlink_to("/nowhere")
    with pytest.raises(Conflict, match="it is not a regular file"):
        folder.ours(str(tmp_path))


def test_a_place_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "05-a.conf.podnet-moved").write_text("")
    assert folder.moved(str(tmp_path)) == ["05-a.conf"]
    with pytest.raises(Conflict, match=r"05-a.conf.podnet-moved is there already"):
        folder.refuse_to_move(str(tmp_path), ["05-a.conf"])


@pytest.mark.parametrize("below", ["", "net.d"])
def test_a_folder_that_is_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    place = str(tmp_path / "file" / below)
    for look in (folder.ours, folder.others, folder.moved, lambda path: folder.rivals(path, "podnet")):
        with pytest.raises(Conflict, match=r"is a file\. Correct config_dir"):
            look(place)


@pytest.mark.parametrize(
    ("text", "name"),
    [('{"name": "old"}', "old"), ('{"name": "../up"}', ""), ('{"name": 5}', ""), ("[]", ""), ("{", ""), ("", "")],
)
def test_the_name_of_our_network(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / folder.OURS).write_text(text)
    assert folder.named(str(tmp_path)) == name
    assert folder.named(str(tmp_path / "none")) == ""
