# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References to a Kubernetes Secret; the password itself is never part of a resource."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields


@dataclass(frozen=True)
class SecretKeyRef:
    """A key of a Secret in the namespace of calico/node; optional ones may be missing."""

    name: str
    key: str
    optional: bool | None = None

    def to_spec(self) -> dict[str, t.Any]:
        """Return the reference as the value of a password field."""
        reference: dict[str, t.Any] = {"name": self.name, "key": self.key}
        if self.optional is not None:
            reference["optional"] = self.optional
        return {"secretKeyRef": reference}


def read_secret(fields: Fields, key: str) -> SecretKeyRef | None:
    """Return the reference in a password field, None if it is absent or wrong."""
    if fields.values.get(key) is None:
        return None
    password = fields.child(key)
    password.only(("secretKeyRef",))
    password.require("secretKeyRef", "Name a Kubernetes Secret and the key in it; plain passwords are not stored")
    reference = password.child("secretKeyRef")
    reference.only(("name", "key", "optional"))
    for part in ("name", "key"):
        reference.require(part, f"Give the {part} of the Secret")
    name, entry = reference.text("name"), reference.text("key")
    optional = reference.flag("optional")
    return SecretKeyRef(name, entry, optional) if name and entry else None
