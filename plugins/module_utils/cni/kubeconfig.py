# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file by which Calico's plugin reaches the Kubernetes API: made from a token, or a client certificate and key."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER
from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

NAME = "podnet-calico-kubeconfig"  # in the folder of the networks, under a name that no runtime takes for one
OPTIONS = ("server", "certificate_authority", "token", "client_certificate", "client_key")

_PEM = re.compile(r"\s*-----BEGIN [A-Z0-9 ]+-----.*-----END [A-Z0-9 ]+-----\s*", re.DOTALL)
_SECRET_LINES = re.compile(r'^(\s+(?:token|client-key-data): )"[^"]*"$', re.MULTILINE)


def render(options: t.Mapping[str, t.Any], now: float | None = None) -> str:
    """Return the file's text; options: the keys of OPTIONS, certificates and key as PEM, absent ones may be None.

    Raises InvalidInput, which never shows token or key, for what is missing, is no PEM, or is a JSON Web Token that
    has expired. now: seconds since 1970.
    """
    problems: list[InvalidInput] = []
    fields = Fields("kubeconfig of Calico's CNI plugin", "cni_kubeconfig", options, problems)
    fields.only(OPTIONS)
    fields.require("server", "Give the URL of the Kubernetes API, such as https://192.0.2.1:6443")
    given = {key: str(options.get(key) or "").strip() for key in OPTIONS}
    _check_server(fields, given["server"])
    for key in ("certificate_authority", "client_certificate", "client_key"):
        if given[key] and not _PEM.fullmatch(given[key]):
            fields.refuse(key, "is not PEM", "Give the text that begins with -----BEGIN", value="(hidden)")
    _check_user(fields, given, time.time() if now is None else now)
    raise_all(problems)
    authority = [f"    certificate-authority-data: {_data(given['certificate_authority'])}"]
    by_token = [f"    token: {json.dumps(given['token'])}"]
    by_certificate = [
        f"    client-certificate-data: {_data(given['client_certificate'])}",
        f"    client-key-data: {_data(given['client_key'])}",
    ]
    lines = [
        HEADER,
        "apiVersion: v1",
        "kind: Config",
        "clusters:",
        "- name: podnet-calico",
        "  cluster:",
        f"    server: {json.dumps(given['server'])}",
        *(authority if given["certificate_authority"] else []),
        "users:",
        "- name: podnet-calico",
        "  user:",
        *(by_token if given["token"] else by_certificate),
        "contexts:",
        "- name: podnet-calico",
        "  context:",
        "    cluster: podnet-calico",
        "    user: podnet-calico",
        "current-context: podnet-calico",
    ]
    return "\n".join(lines) + "\n"


def _check_server(fields: Fields, server: str) -> None:
    if not server:
        return
    try:
        url = urlsplit(server)
        good = url.scheme == "https" and bool(url.hostname) and url.username is None and (url.port or 1) > 0
    except ValueError:  # a port that is none
        good = False
    if not good:
        fields.refuse("server", "is not the https URL of a server", "Write it like https://192.0.2.1:6443")


def _check_user(fields: Fields, given: t.Mapping[str, str], now: float) -> None:
    pair = (given["client_certificate"], given["client_key"])
    if given["token"] and any(pair):
        fields.refuse("token", "is given beside a client certificate", "Give one of them", value="(hidden)")
    elif not given["token"] and not all(pair):
        fields.refuse(
            "token", "is missing", "Give a token, or client_certificate and client_key", value="" if any(pair) else None
        )
    if re.search(r"\s", given["token"]):
        fields.refuse("token", "has blanks in it", "Give the token alone", value="(hidden)")
    end = expires(given["token"])
    if end is not None and end <= now:
        ended = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(end))
        fields.refuse("token", f"has expired at {ended}", "Make a new one", value="(hidden)")


def expires(token: str) -> float | None:
    """Return when a JSON Web Token expires, in seconds since 1970; None for one without an end, and for others."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(payload["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def shown(text: str, other: str = "") -> str:
    """Return the text without its secrets; other: the text it replaces, so that a new secret is seen as a new one."""
    before = dict(_secrets(other))

    def hide(match: re.Match[str]) -> str:
        label = match[1].strip()
        word = "(hidden)" if before.get(label, match[0]) == match[0] else "(hidden, a new one)"
        return f"{match[1]}{word}"

    return _SECRET_LINES.sub(hide, text)


def _secrets(text: str) -> t.Iterator[tuple[str, str]]:
    for match in _SECRET_LINES.finditer(text):
        yield match[1].strip(), match[0]


def _data(pem: str) -> str:
    return json.dumps(base64.b64encode((pem + "\n").encode()).decode())
