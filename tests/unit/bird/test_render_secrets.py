# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: constants in a file of their own, and what cannot be in it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import (
    SECRETS_FILE,
    password_constant,
    render_secrets,
)
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import SecretKey
from ansible_collections.podnet.calico.tests.unit.bird.bgp_cases import FAR, NEAR, SECRET, Data, bgp, session
from ansible_collections.podnet.calico.tests.unit.bird.bird_parsers import VERSIONS, lines_of, parse


def with_password(**changes: t.Any) -> Data:
    return bgp(session(NEAR[4], password=SecretKey("bgp-secrets", "tor", **changes)))


@pytest.mark.parametrize("version", [(2, 0), (2, 16), (2, 17), (3, 0), (3, 1)])
def test_the_main_file_names_constants_only(version: tuple[int, int]) -> None:
    text = render(with_password(), version=version, passwords={"bgp-secrets": {"tor": "sesame"}})
    assert "sesame" not in text
    assert f'include "{SECRETS_FILE}";' in text
    lines = lines_of(text, "protocol bgp bgp_192_0_2_12 from podnet_session4")
    assert f"password {password_constant(with_password()['sessions'][0]['password'])};" in lines
    assert ("authentication md5;" in lines) == (version in ((2, 17), (3, 1)))


def test_the_main_file_does_not_depend_on_values() -> None:
    first, second = (render(with_password(), passwords={"bgp-secrets": {"tor": value}}) for value in ("one", "two"))
    assert first == second == render(with_password())


@pytest.mark.parametrize("passwords", [{}, {"bgp-secrets": {}}, {"bgp-secrets": {"other": "x"}}, {"bgp-secrets": None}])
def test_a_missing_password(passwords: Data) -> None:
    optional = with_password(optional=True)
    text = render(optional, passwords=passwords)
    assert "include" not in text
    assert "password" not in text
    assert render_secrets(optional, passwords, "n1").splitlines()[1:] == ['define PODNET_SECRETS = "n1";']
    for refused in (
        lambda: render(with_password(), passwords=passwords),
        lambda: render_secrets(with_password(), passwords, ""),
    ):
        with pytest.raises(
            InvalidInput, match=r"session bgp_192_0_2_12 with 192\.0\.2\.12.*secret bgp-secrets, key tor"
        ):
            refused()


REFUSED = {
    'sesame"open': "double quote",
    "sesame\n": "control character",
    "sesame\0": "control character",
    "": "it is empty",
    "s" * 81: "longer than 80 bytes",
    "ü" * 41: "longer than 80 bytes",
}


@pytest.mark.parametrize("value", REFUSED)
def test_passwords_that_bird_cannot_carry(value: str) -> None:
    with pytest.raises(InvalidInput, match="secret bgp-secrets, key tor: ") as caught:
        render_secrets(with_password(), {"bgp-secrets": {"tor": value}}, "n1")
    assert REFUSED[value] in str(caught.value)
    assert not value or value not in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("keys", [{"tor": True}, {"tor": ["sesame"]}, {"tor": 0.5}, "sesame", ["sesame"]])
def test_passwords_that_are_no_text(keys: t.Any) -> None:
    with pytest.raises(InvalidInput, match="secret bgp-secrets, key tor: it is no text") as caught:
        render_secrets(with_password(), {"bgp-secrets": keys}, "n1")
    assert "sesame" not in str(caught.value)


def test_a_number_is_a_password() -> None:
    text = render_secrets(with_password(), {"bgp-secrets": {"tor": 1234}}, "n1")
    assert text.endswith(' = "1234";\n')


@pytest.mark.parametrize("value", ["s" * 80, "ü" * 40, "'", "\\", "\\n", "${x} # ; }"])
def test_passwords_that_bird_reads(value: str, release: str, tmp_path: Path) -> None:
    secrets = render_secrets(with_password(), {"bgp-secrets": {"tor": value}}, "n1")
    parse(render(with_password(), version=VERSIONS[release]), tmp_path, release, secrets)


def test_constants_of_passwords() -> None:
    pairs = [("a", "b-c"), ("a-b", "c"), ("a.b", "c"), ("a_b", "c"), ("A-b", "c"), ("n" * 253, "k"), ("n" * 253, "l")]
    names = [password_constant({"name": name, "key": key}) for name, key in pairs]
    assert len(set(names)) == len(pairs)
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,63}", name) for name in names), names
    assert password_constant({"name": "a", "key": "b", "optional": True}) == password_constant(
        {"name": "a", "key": "b"}
    )


def test_secrets_are_written_once_each() -> None:
    data = bgp(session(NEAR[4], password=SECRET), session(FAR[4], password=SECRET))
    text = render_secrets(data, {"bgp-secrets": {"tor": "one", "unused": "two"}}, "n1")
    constant = password_constant({"name": "bgp-secrets", "key": "tor"})
    assert text.splitlines()[1:] == ['define PODNET_SECRETS = "n1";', f'define {constant} = "one";']
