# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How secrets look where they must not be seen."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni.archive import secrets
from ansible_collections.podnet.calico.plugins.module_utils.discreet import forms


@pytest.mark.parametrize("secret", ["plain", "-----BEGIN\nkey\n", "quote\"s'", "back\\slash", "schlüssel"])
def test_a_secret_is_known_in_each_form(secret: str) -> None:
    known = forms(secret)
    for text in (secret, str({"token": secret}), json.dumps([secret]), json.dumps(secret, ensure_ascii=False)):
        assert any(form in text for form in known)
    assert "" not in forms("")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://mirror.example.net/cni.tgz", set()),
        ("https://mirror.example.net/a@b/cni.tgz?x=//u:p@h", set()),
        ("https://user:pa%40ss@mirror.example.net/cni.tgz", {"pa%40ss", "pa@ss"}),
        ("https://user:p@ss@mirror.example.net", {"p@ss"}),
        ("https://token@mirror.example.net/cni.tgz", {"token"}),
        ("http://user:pass@[::1", {"pass"}),
        ("", set()),
    ],
)
def test_the_password_in_an_address(url: str, found: set[str]) -> None:
    assert {*secrets(url)} == found
