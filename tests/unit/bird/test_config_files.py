# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's file of passwords: when it is another one, and that no password gets into a diff."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import config_files
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_files import CONFIG_PATH, SECRETS_PATH, Files
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import INCLUDE, SECRETS

Passwords = t.Dict[str, str]
MAIN = f"router id 192.0.2.11;\n{INCLUDE}\n"
WITHOUT = "router id 192.0.2.11;\n"
NONCE = "0123456789abcdef"
OLD, NEW = {"PODNET_PW_a": "old"}, {"PODNET_PW_a": "new"}
MORE = {**OLD, "PODNET_PW_b": "more"}


def secrets(passwords: Passwords, nonce: str = NONCE) -> str:
    """Return a file of passwords as it is written."""
    lines = [f'define {SECRETS} = "{nonce}";', *(f'define {name} = "{value}";' for name, value in passwords.items())]
    return "".join(f"{line}\n" for line in lines)


def files(passwords: Passwords | None) -> Files:
    return Files(MAIN, secrets(passwords)) if passwords is not None else Files(WITHOUT, "")


# By name: the passwords that there are (None: no file), those that are wanted, and whether the nonce stays.
NONCES: dict[str, tuple[Passwords | None, Passwords, bool]] = {
    "the same": (OLD, OLD, True),
    "none, as before": ({}, {}, True),
    "another value": (OLD, NEW, False),
    "one more": (OLD, MORE, False),
    "one less": (MORE, OLD, False),
    "under another name": (OLD, {"PODNET_PW_b": "old"}, False),
    "the first ones": (None, OLD, False),
}


@pytest.mark.parametrize(("there", "wanted", "stays"), NONCES.values(), ids=NONCES)
def test_the_nonce_is_new_if_the_passwords_are(there: Passwords | None, wanted: Passwords, stays: bool) -> None:
    found = config_files.wanted(MAIN, lambda nonce: secrets(wanted, nonce), files(there))
    assert found.main == MAIN
    assert found.passwords == wanted
    assert (found.nonce == NONCE) == stays
    assert len(found.nonce) >= 16
    assert found.secrets == secrets(wanted, found.nonce)


def test_each_new_nonce_is_another() -> None:
    made = {config_files.wanted(MAIN, lambda nonce: secrets(NEW, nonce), files(OLD)).nonce for __ in range(2)}
    assert len(made) == 2


def test_without_passwords_there_is_no_file_of_them() -> None:
    assert config_files.wanted(WITHOUT, lambda nonce: secrets(OLD, nonce), files(OLD)) == Files(WITHOUT, "")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(OLD, NEW, ["PODNET_PW_a"]), (OLD, OLD, []), (OLD, MORE, []), (MORE, NEW, ["PODNET_PW_a"]), (None, OLD, [])],
)
def test_renewed_are_passwords_that_both_have(
    before: Passwords | None, after: Passwords | None, expected: list[str]
) -> None:
    assert config_files.renewed(files(before), files(after)) == expected


def using(passwords: Passwords) -> Files:
    """Return files of which the main one uses all constants."""
    lines = [f"password {name};\n" for name in passwords]
    return Files(MAIN + "".join(lines), secrets(passwords)) if passwords else Files(WITHOUT, "")


@pytest.mark.parametrize(
    ("before", "after"), [(OLD, NEW), (MORE, OLD), (OLD, {"PODNET_PW_c": "other"}), (MORE, {}), ({}, MORE), (OLD, OLD)]
)
def test_a_bird_that_starts_between_two_files_finds_its_constants(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: Passwords, after: Passwords
) -> None:
    main, other = tmp_path / "main.conf", tmp_path / "secrets.conf"
    monkeypatch.setattr(config_files, "CONFIG_PATH", str(main))
    monkeypatch.setattr(config_files, "SECRETS_PATH", str(other))
    monkeypatch.setattr(os, "chown", lambda *__, **___: None)  # only root can
    config_files.put_in_place(Files("", ""), using(before))
    steps = 0

    def checked(real: t.Callable[..., None]) -> t.Callable[..., None]:
        def step(*paths: t.Any) -> None:
            nonlocal steps
            real(*paths)
            steps += 1
            found = Files(main.read_text(), other.read_text() if other.exists() else "")
            assert set(re.findall(r"password (\w+);", found.main)) <= set(found.passwords)

        return step

    for name in ("replace", "unlink"):
        monkeypatch.setattr(os, name, checked(getattr(os, name)))
    config_files.put_in_place(using(before), using(after))
    assert steps
    assert Files(main.read_text(), other.read_text() if other.exists() else "") == using(after)
    assert not other.exists() or other.stat().st_mode & 0o7777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["main.conf", *(["secrets.conf"] if after else [])]


NAMES, MORE_NAMES = ["PODNET_PW_a"], ["PODNET_PW_a", "PODNET_PW_b"]
# By name: before, after, whether the file there has BIRD's user and its mode; the change of the passwords.
CHANGES: dict[str, tuple[Passwords | None, Passwords | None, bool, tuple[t.Any, t.Any] | None]] = {
    "nothing": (OLD, OLD, True, None),
    "no file, as before": (None, None, False, None),
    "a value": (OLD, NEW, True, ({"constants": NAMES}, {"constants": NAMES, "renewed": NAMES})),
    "one more": (OLD, MORE, True, ({"constants": NAMES}, {"constants": MORE_NAMES, "renewed": []})),
    "the first": (None, OLD, False, (None, {"constants": NAMES, "renewed": []})),
    "the last": (OLD, None, True, ({"constants": NAMES}, None)),
    "a file that others can read": (OLD, OLD, False, ({"constants": NAMES}, {"constants": NAMES, "renewed": []})),
}


@pytest.mark.parametrize(("before", "after", "private", "expected"), CHANGES.values(), ids=CHANGES)
def test_changes_show_names_and_no_password(
    monkeypatch: pytest.MonkeyPatch,
    before: Passwords | None,
    after: Passwords | None,
    private: bool,
    expected: tuple[t.Any, t.Any] | None,
) -> None:
    monkeypatch.setattr(config_files, "_is_private", lambda path: private)
    found = config_files.changes(files(before), files(after))
    by_name = {change.name: (change.before, change.after) for change in found}
    assert by_name.get(SECRETS_PATH) == expected
    assert (CONFIG_PATH in by_name) == (files(before).main != files(after).main)
    assert not [word for word in ('"old"', '"new"', "more") if word in repr(found)]
