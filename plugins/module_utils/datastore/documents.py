# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of any cluster, as calicoctl or kubectl print them, read to be looked at: nothing is stored."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.datastore import yaml_text
from ansible_collections.podnet.calico.plugins.module_utils.errors import DatastoreError
from ansible_collections.podnet.calico.plugins.module_utils.regular_file import read_text
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import API_VERSIONS, KINDS

SUFFIXES = (".yaml", ".yml", ".json")


def read_documents(path: str) -> list[t.Any]:
    """Return the documents of a file, or of all YAML and JSON files below a directory, in the order of their names.

    Hidden files do not count. Raises DatastoreError if something cannot be read or is no YAML.
    """
    root = Path(path)
    try:
        files = sorted(file for file in root.rglob("*") if _counts(file, root)) if root.is_dir() else [root]
        if not files:
            message = f"Reading documents from {path}: there is no file whose name ends in {', '.join(SUFFIXES)}"
            raise DatastoreError(message, remedy="Correct src")
        return [item for file in files for item in yaml_text.parse(read_text(file), str(file))]
    except OSError as error:
        place = "" if error.filename == path else f"{error.filename}: "
        reason = f"{place}{error.strerror}"
        raise DatastoreError(f"Reading documents from {path}: {reason}", remedy="Correct src") from error


def _counts(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return file.suffix in SUFFIXES and not hidden and file.is_file()


def sort_out(documents: t.Iterable[t.Any]) -> tuple[list[dict[str, t.Any]], list[dict[str, str]]]:
    """Return the documents of kinds that the datastore holds, and of the others what they are and why they are left."""
    ours, skipped = [], []
    for document in documents:
        reason = _foreign(document)
        if reason is None:
            ours.append(document)
            continue
        mapping = document if isinstance(document, dict) else {}
        metadata = mapping.get("metadata") if isinstance(mapping.get("metadata"), dict) else {}
        about = {"kind": str(mapping.get("kind", "")), "name": str(metadata.get("name", ""))}  # type: ignore[union-attr]
        skipped.append({**about, "reason": reason})
    return ours, skipped


def _foreign(document: t.Any) -> str | None:
    """Return why a document is none of ours, None for one that is."""
    if not isinstance(document, dict):
        return "it is not a mapping"
    if not isinstance(document.get("kind"), str) or document["kind"] not in KINDS:
        return "the kind is not managed by this collection"
    if document.get("apiVersion") not in API_VERSIONS:
        return f"the apiVersion is not one of {', '.join(API_VERSIONS)}"
    return None
