# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of sessions: constants in a file of their own, which only BIRD's user can read.

The main file names the constants; no value, and no hash of one, is anywhere but in that file.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

Data = t.Mapping[str, t.Any]

SECRETS_FILE = "podnet-calico-secrets.conf"
"""Name of the file; it lies beside the main file, in /etc/bird."""

INCLUDE = f'include "{SECRETS_FILE}";'
"""The line by which the main file has it."""

SECRETS = "PODNET_SECRETS"
"""Constant that tells contents of the file apart: `birdc eval PODNET_SECRETS` says which ones the running BIRD has."""

LONGEST = 80
"""Bytes that Linux takes for TCP MD5 (TCP_MD5SIG_MAXKEYLEN, RFC 2385)."""

_READABLE, _DIGEST = 30, 16


def password_constant(secret_key: Data) -> str:
    """Return the name of the constant that holds the password of a Secret's key: at most 58 characters.

    A part of the SHA-256 of the two names keeps names apart that look alike in the letters that BIRD allows.
    """
    name, key = secret_key["name"], secret_key["key"]
    readable = re.sub(r"[^A-Za-z0-9]+", "_", f"{name}_{key}")[:_READABLE].strip("_")
    digest = hashlib.sha256(f"{name}\0{key}".encode()).hexdigest()[:_DIGEST]
    return f"PODNET_PW_{readable}_{digest}"


def resolved(bgp: Data, passwords: Data) -> dict[str, t.Any]:
    """Return the plan's bgp in which a session whose optional password is missing has none, as Calico does it.

    passwords: {secret: {key: value}}. Raises InvalidInput that names session, secret and key for another one missing.
    """
    sessions = []
    for session in bgp["sessions"]:
        secret = session["password"]
        if secret and _value(secret, passwords) is None:
            if not secret["optional"]:
                raise InvalidInput(
                    f"session {session['name']} with {session['address']}: its password is missing:"
                    f" secret {secret['name']}, key {secret['key']}",
                    remedy="Give it in the option passwords, or make the secretKeyRef optional",
                )
            session = {**session, "password": None}
        sessions.append(session)
    return {**bgp, "sessions": sessions}


def render_secrets(bgp: Data, passwords: Data, nonce: str) -> str:
    """Return the file of passwords: those that sessions name and that are known.

    nonce: a random text that is renewed when the contents change. Raises InvalidInput, which never shows a value.
    """
    named = {
        password_constant(session["password"]): session["password"]
        for session in resolved(bgp, passwords)["sessions"]
        if session["password"]
    }
    lines = [HEADER, f'define {SECRETS} = "{nonce}";']
    for constant, secret in sorted(named.items()):
        lines.append(f'define {constant} = "{_checked(secret, _value(secret, passwords) or "")}";')
    return "\n".join(lines) + "\n"


def _value(secret: Data, passwords: Data) -> str | None:
    """Return the value of a Secret's key, None for a missing one; YAML makes numbers of some passwords."""
    found = passwords.get(secret["name"]) or {}
    value = found.get(secret["key"]) if isinstance(found, dict) else found
    if value is None:
        return None
    if not isinstance(found, dict) or isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidInput(
            f"read the password of secret {secret['name']}, key {secret['key']}: it is no text",
            remedy="Give passwords as {secret: {key: text}}, with the text in quotes",
        )
    return str(value)


def _checked(secret: Data, value: str) -> str:
    """Return a password that BIRD's file and TCP MD5 can carry; raise InvalidInput for any other."""
    problem = ""
    if not value:
        problem = "it is empty"
    elif '"' in value:
        problem = 'it has a double quote ("), which no text in a file of BIRD can have'
    elif re.search(r"[\x00-\x1f\x7f]", value):
        problem = "it has a control character, perhaps the newline at the end of a file"
    elif len(value.encode()) > LONGEST:
        problem = f"it is longer than {LONGEST} bytes, the most that TCP MD5 takes on Linux"
    if problem:
        raise InvalidInput(
            f"write the password of secret {secret['name']}, key {secret['key']}: {problem}",
            remedy="Agree on another password with the peer",
        )
    return value
