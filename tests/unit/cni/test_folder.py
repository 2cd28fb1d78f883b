# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of others in the folder of the container runtime's networks."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni import folder, plugin_folder
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


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        (1, []),
        (2, []),
        (3, ["20-net.conflist is a network of every pod, too"]),
        (4, ["20-net.conflist is a network of every pod, too", "30-broken.conf is not JSON"]),
        (
            0,
            [
                "20-net.conflist is a network of every pod, too",
                "30-broken.conf is not JSON",
                "40-list.json describes no plugin",
            ],
        ),
    ],
)
def test_what_containerd_takes_besides_ours(tmp_path: Path, number: int, taken: list[str]) -> None:
    for name, text in (
        ("05-first.conf", "{"),
        (folder.OURS, "{}"),
        ("20-net.conflist", OTHER),
        ("30-broken.conf", "{"),
        ("40-list.json", "[]"),
        ("50-no-network.txt", "{"),
    ):
        (tmp_path / name).write_text(text)
    found = [f"{rival.file} {rival.reason}" for rival in folder.taken_too(str(tmp_path), number)]
    assert [words.partition(" (")[0] for words in found] == taken


def test_a_folder_without_our_list_is_judged_as_if_it_were_there(tmp_path: Path) -> None:
    (tmp_path / "20-net.conflist").write_text(OTHER)
    assert [rival.file for rival in folder.taken_too(str(tmp_path), 2)] == ["20-net.conflist"]
    assert folder.taken_too(str(tmp_path / "none"), 0) == []


def test_plugins_that_are_missing_are_named_with_their_path(tmp_path: Path) -> None:
    assert folder.plugins(str(tmp_path)) == []
    plugins = [{"type": "ptp", "ipam": {"type": "host-local"}}, {"type": "portmap"}, "odd", {"type": ""}]
    (tmp_path / folder.OURS).write_text(json.dumps({"plugins": plugins}))
    assert folder.plugins(str(tmp_path)) == ["host-local", "portmap", "ptp"]
    for name, mode in (("ptp", 0o755), ("portmap", 0o644)):
        (tmp_path / name).touch(mode)
    expected = [str(tmp_path / name) for name in ("host-local", "portmap")]
    assert plugin_folder.missing(folder.plugins(str(tmp_path)), str(tmp_path)) == expected


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
