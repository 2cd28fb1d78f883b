# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with which Calico's plugin reaches the Kubernetes API."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
import yaml

from ansible_collections.podnet.calico.plugins.module_utils.cni.kubeconfig import expires, render, shown
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

NOW = 1_800_000_000.0
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nsecretMHcC\n-----END EC PRIVATE KEY-----\n"
SERVER = {"server": "https://192.0.2.1:6443", "certificate_authority": PEM}


def token(**claims: t.Any) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    return ".".join([*parts, "secretsignature"])


def user(text: str) -> dict[str, str]:
    return dict(yaml.safe_load(text)["users"][0]["user"])


def test_token() -> None:
    data = yaml.safe_load(text := render({**SERVER, "token": "secret-a"}, NOW))
    assert data["clusters"][0]["cluster"]["server"] == SERVER["server"]
    assert base64.b64decode(data["clusters"][0]["cluster"]["certificate-authority-data"]).decode() == PEM
    assert user(text) == {"token": "secret-a"}
    assert data["contexts"][0]["name"] == data["current-context"]


def test_client_certificate() -> None:
    found = user(render({"server": SERVER["server"], "client_certificate": PEM, "client_key": KEY}, NOW))
    decoded = {key: base64.b64decode(value).decode() for key, value in found.items()}
    assert decoded == {"client-certificate-data": PEM, "client-key-data": KEY}


def test_a_rotated_token_is_seen_and_not_shown() -> None:
    old, new = (render({**SERVER, "token": each}, NOW) for each in ("secret-a", "secret-b"))
    assert "token: (hidden)\n" in shown(old)
    assert "token: (hidden, a new one)\n" in shown(new, old)
    assert shown(old, old) == shown(old)
    assert "secret" not in shown(old) + shown(new, old)
    keyed = render({**SERVER, "client_certificate": PEM, "client_key": KEY}, NOW)
    assert base64.b64encode(KEY.encode()).decode() not in shown(keyed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token": "secret"}, "cni_kubeconfig.server is missing"),
        ({**SERVER, "server": "http://192.0.2.1:6443", "token": "secret"}, "is not the https URL of a server"),
        ({**SERVER, "server": "https://192.0.2.1:secret", "token": "x"}, "is not the https URL of a server"),
        (SERVER, "token is missing. Give a token, or client_certificate and client_key"),
        ({**SERVER, "client_certificate": PEM}, "Give a token, or client_certificate and client_key"),
        ({**SERVER, "token": "secret", "client_key": KEY}, "is given beside a client certificate"),
        ({**SERVER, "token": "secret two"}, 'token "(hidden)" has blanks in it'),
        ({**SERVER, "client_certificate": PEM, "client_key": "secret"}, 'client_key "(hidden)" is not PEM'),
        ({**SERVER, "token": token(exp=NOW - 60)}, "has expired at 2027-01-15 07:59:00 UTC. Make a new one"),
        ({**SERVER, "tokn": "x", "token": "x"}, "Did you mean token?"),
    ],
)
def test_refusals(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        render(options, NOW)
    assert message in str(refused.value)
    assert message.startswith("is not the https") or "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "end"),
    [(token(exp=NOW), NOW), (token(sub="a"), None), ("opaque", None), ("a.b.c", None), ("a.é.c", None), ("", None)],
)
def test_when_tokens_expire(text: str, end: float | None) -> None:
    assert expires(text) == end
