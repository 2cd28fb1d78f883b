# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of objects as calicoctl (IPPoolList) and kubectl (List) print them, and kinds by their names as CRDs."""

from __future__ import annotations

import typing as t

NAMES_OF_CRDS = {"IPAMConfig": "IPAMConfiguration"}
"""Kinds that the API group crd.projectcalico.org/v1 calls otherwise than projectcalico.org/v3."""


def documents_of(value: t.Any) -> list[t.Any]:
    """Return the objects of a list, or the one object; none for an empty document.

    An object that says neither kind nor apiVersion has those of its list.
    """
    if value is None:
        return []
    if isinstance(value, list):
        return [document for item in value for document in documents_of(item)]
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return [value]
    if not kind.endswith("List") or not isinstance(value.get("items"), list):
        return [{**value, "kind": NAMES_OF_CRDS[kind]} if kind in NAMES_OF_CRDS else value]
    base = {"apiVersion": value.get("apiVersion"), "kind": kind[: -len("List")]}
    return documents_of([{**base, **item} if isinstance(item, dict) else item for item in value["items"]])
