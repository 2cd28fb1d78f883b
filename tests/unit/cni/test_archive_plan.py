# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a directory of plugins, and what a run that fails or is killed at any step leaves."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni import (
    binaries,
    plugin_apply,
    plugin_plan,
    plugin_record,
)
from ansible_collections.podnet.calico.plugins.module_utils.cni.archive import Unusable
from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_record import Record
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput

Tree = t.Dict[str, str]
OLD: Tree = {"ptp": "ptp 1", "host-local": "hl 1", "gone": "gone 1"}
NEW: Tree = {"ptp": "ptp 2", "host-local": "hl 1", "tap": "tap 2"}


def sha(text: str) -> str:
    """Return the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(folder: Path, files: Tree) -> None:
    """Write executable files."""
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def tree(folder: Path) -> Tree:
    """Return what is in a directory but for the record."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != plugin_record.NAME}


def put(folder: Path, files: Tree, *, version: str = "1", take_over: bool = False) -> list[str]:
    """Bring a directory in line with an archive that has these files; return the changes."""
    with plugin_apply.staging(str(folder)) as (beside, made):
        write(Path(beside), files)
        record = plugin_record.read(str(folder))
        record = record._replace(folders=list(made)) if made else record
        sums = {name: sha(text) for name, text in files.items()}
        plan = plugin_plan.to_have(str(folder), record, sums, (sha(version), version), take_over)
        if plan.changes:
            plugin_apply.apply(str(folder), plan, beside)
    return [f"{each.action} {Path(each.name).name}" for each in plan.changes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory for plugins which is not there yet."""
    return tmp_path / "opt" / "cni" / "bin"


def test_upgrade_downgrade_and_removal(folder: Path) -> None:
    assert put(folder, OLD) == ["create gone", "create host-local", "create ptp", "create .podnet-calico.json"]
    assert put(folder, OLD) == []
    assert put(folder, NEW, version="2") == [
        "replace ptp",
        "create tap",
        "delete gone",
        "replace .podnet-calico.json",
    ]
    assert tree(folder) == NEW
    put(folder, OLD)
    assert tree(folder) == OLD
    binaries.remove(str(folder), check_mode=False)
    assert not folder.parents[1].exists()
    assert not binaries.remove(str(folder), check_mode=False).changes


def test_folders_that_were_there_stay(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    put(folder, OLD)
    (folder / "calico").write_text("somebody else's")
    binaries.remove(str(folder), check_mode=False)
    assert tree(folder) == {"calico": "somebody else's"}


def test_a_plugin_that_went_or_cannot_be_executed_is_put_again(folder: Path) -> None:
    put(folder, OLD)
    (folder / "ptp").unlink()
    (folder / "host-local").chmod(0o644)
    record = plugin_record.read(str(folder))
    assert not plugin_plan.is_in_place(str(folder), record, sha("1"), "1")
    assert put(folder, OLD) == ["replace host-local", "create ptp"]
    assert plugin_plan.is_in_place(str(folder), record, sha("1"), "1")
    assert not plugin_plan.is_in_place(str(folder), record, sha("1"), "2")


def test_equal_plugins_of_others_are_adopted_and_stay_theirs(folder: Path) -> None:
    folder.mkdir(parents=True)
    write(folder, {"ptp": "ptp 1"})
    assert put(folder, OLD) == ["create gone", "create host-local", "create .podnet-calico.json"]
    assert put(folder, OLD) == []
    with pytest.raises(Conflict, match=r"of somebody else are there: ptp\. Set cni_plugins_take_over"):
        put(folder, NEW, version="2")
    assert tree(folder) == OLD
    binaries.remove(str(folder), check_mode=False)
    assert tree(folder) == {"ptp": "ptp 1"}


def test_other_plugins_of_others_are_named_and_stay(folder: Path) -> None:
    folder.mkdir(parents=True)
    write(folder, {"ptp": "theirs", "host-local": "theirs"})
    with pytest.raises(Conflict, match="of somebody else are there: host-local, ptp"):
        put(folder, OLD)
    assert tree(folder) == {"ptp": "theirs", "host-local": "theirs"}


def test_taking_over_and_giving_back(folder: Path) -> None:
    folder.mkdir(parents=True)
    write(folder, {"ptp": "theirs", "gone": "theirs", "their": "own"})
    (folder / "host-local").symlink_to("their")
    changes = put(folder, OLD, take_over=True)
    assert changes[:2] == ["create gone.podnet-moved", "replace gone"]
    assert (folder / "ptp").read_text() == "ptp 1"
    assert put(folder, OLD, take_over=True) == []
    assert put(folder, OLD) == []
    assert "replace gone" in put(folder, NEW, version="2", take_over=True)
    assert tree(folder)["gone"] == "theirs"
    binaries.remove(str(folder), check_mode=False)
    assert tree(folder) == {"ptp": "theirs", "gone": "theirs", "their": "own", "host-local": "own"}
    assert os.readlink(folder / "host-local") == "their"


def test_what_cannot_be_taken_over(folder: Path) -> None:
    (folder / "ptp").mkdir(parents=True)
    write(folder, {"host-local": "theirs", "host-local.podnet-moved": "older"})
    with pytest.raises(Conflict, match=r"host-local \(and host-local.podnet-moved is there already\), ptp \(folder\)"):
        put(folder, OLD, take_over=True)


def test_a_plugin_of_ours_that_somebody_has_changed(folder: Path) -> None:
    put(folder, OLD)
    write(folder, {"ptp": "theirs"})
    with pytest.raises(Conflict, match="are there: ptp"):
        put(folder, NEW, version="2")
    done = binaries.remove(str(folder), check_mode=False)
    assert done.facts["foreign"] == ["ptp"]
    assert tree(folder) == {"ptp": "theirs"}


def _steps(monkeypatch: pytest.MonkeyPatch, last: int, end: t.Callable[[], None]) -> None:
    """Have the step after that many end otherwise; a step is a system call that changes names."""
    done = [0]

    def counted(name: str) -> None:
        real = getattr(os, name)

        def step(*arguments: t.Any, **options: t.Any) -> t.Any:
            if "dir_fd" not in options:  # that is shutil.rmtree, in what is no plugin yet
                if done[0] >= last:
                    end()
                done[0] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, step)

    for name in ("replace", "link", "unlink"):
        counted(name)


def _full() -> None:
    raise OSError(28, "No space left on device")


START: Tree = {"ptp": "theirs", "gone": "theirs"}
STEPS = 9  # of an upgrade after START and OLD


@pytest.mark.parametrize("last", range(STEPS + 1))
def test_a_disk_that_is_full_at_any_step_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    folder.mkdir(parents=True)
    write(folder, START)
    put(folder, OLD, take_over=True)
    before, record = tree(folder), plugin_record.read(str(folder))
    failed: list[int] = []

    def end() -> None:
        if not failed:
            failed.append(1)
            _full()

    with monkeypatch.context() as patch:
        _steps(patch, last, end)
        try:
            put(folder, NEW, version="2", take_over=True)
        except Unusable as error:
            assert "No space left on device. Make room there" in str(error)
    if failed:
        assert (tree(folder), plugin_record.read(str(folder))) == (before, record)
    assert bool(failed) == (last < STEPS)


@pytest.mark.parametrize("last", range(3 * STEPS))
@pytest.mark.parametrize("way", ["upgrade", "removal"])
def test_a_run_that_is_killed_at_any_step_is_repaired_by_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch, last: int, way: str
) -> None:
    folder.mkdir(parents=True)
    write(folder, START)
    child = os.fork()
    if not child:
        _steps(monkeypatch, last, lambda: os._exit(9))
        put(folder, OLD, take_over=True)
        put(folder, NEW, version="2", take_over=True)
        os._exit(0)
    os.waitpid(child, 0)
    for name in ("ptp", "gone"):
        assert (folder / name).read_text() in ("theirs", OLD[name], NEW.get(name))
    if way == "upgrade":
        put(folder, NEW, version="2", take_over=True)
        assert tree(folder) == {**NEW, "gone": "theirs", "ptp.podnet-moved": "theirs"}
    binaries.remove(str(folder), check_mode=False)
    assert {name for name in tree(folder) if not name.startswith(".podnet-")} == {*START}
    assert tree(folder) == START


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("{}", Conflict, "a file is there that is not ours"),
        ("not JSON", InvalidInput, "which says what is ours there: .*Remove it"),
        ("[]", InvalidInput, "which says what is ours there"),
        (json.dumps({"comment": plugin_record.HEADER, "colour": 1}), InvalidInput, "which says what is ours there"),
    ],
)
def test_records_that_cannot_be_read(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    (tmp_path / plugin_record.NAME).write_text(text)
    with pytest.raises(error, match=message):
        plugin_record.read(str(tmp_path))


def test_the_record_is_told_as_ours_by_its_beginning() -> None:
    assert plugin_record.HEADER in plugin_record.render(Record())[:200]


def test_what_is_no_directory_or_has_no_room(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unusable, match="file is no directory"):
        plugin_apply.refuse_unwritable(str(tmp_path / "file" / "bin"))
    with pytest.raises(Unusable, match="they have 1152921504606846976 bytes, and"):
        plugin_apply.refuse_unwritable(str(tmp_path / "missing" / "bin"), 1 << 60)
