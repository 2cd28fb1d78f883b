# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects are in which file of a directory, and writing files so that no reader sees half of one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.datastore import yaml_text
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Document, Key, key_of
from ansible_collections.podnet.calico.plugins.module_utils.datastore.revisions import revision, with_metadata
from ansible_collections.podnet.calico.plugins.module_utils.errors import DatastoreError
from ansible_collections.podnet.calico.plugins.module_utils.regular_file import read_text
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import KINDS, unknown_kind

SUFFIXES = (".yaml", ".yml")
UNFINISHED = ".unfinished.tmp"
LONGEST = 255  # bytes in the name of a file (NAME_MAX of Linux's file systems)


class FileIndex:
    """The content of all YAML files below a directory, read once; hidden files and directories do not count."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places: dict[Key, Path] = {}
        self.files: dict[Path, list[Document]] = {}
        self._unsynced: set[Path] = set()
        for path in _yaml_files(root):
            self._add_file(path)

    def _add_file(self, path: Path) -> None:
        self.files[path] = []
        text = read_text(path)
        items = yaml_text.parse(text, str(path))
        noted = yaml_text.noted_revision(text) if len(items) == 1 else ""
        if not items:
            remedy = "Restore it from a backup, or delete it if its object is to be gone"
            raise DatastoreError(f"Reading {path}: the file has no document", remedy=remedy)
        for item in items:
            document = _checked(item, path)
            key = key_of(document)
            if key in self.places:
                first = self.places[key]
                twice = f"twice in {path}" if first == path else f"in both {first} and {path}"
                message = f'Reading {self.root}: {key[0]} "{key[1]}" is {twice}'
                raise DatastoreError(message, remedy="Delete one of them")
            self.places[key] = path
            self.files[path].append(with_metadata(document, resourceVersion=noted or revision(document)))

    def get(self, key: Key) -> Document | None:
        """Return the document of a key, None if there is none."""
        path = self.places.get(key)
        return None if path is None else next(item for item in self.files[path] if key_of(item) == key)

    def store(self, document: Document) -> None:
        """Write a document to its own file, and take it out of the file in which it came, if that is another."""
        key = key_of(document)
        own = self.root / KINDS[key[0]][0] / _file_name(key[1])
        source = self.places.get(key, own)
        self.files[own] = [item for item in self.files.get(own, []) if key_of(item) != key] + [document]
        self.places[key] = own
        self._write(own)
        if source != own:
            self._take_out(key, source)

    def drop(self, key: Key) -> None:
        """Take a document out of its file."""
        self._take_out(key, self.places.pop(key))

    def sync(self) -> None:
        """Make sure that the names of written files survive a power failure."""
        for directory in sorted(self._unsynced):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._unsynced.clear()

    def _take_out(self, key: Key, path: Path) -> None:
        self.files[path] = [item for item in self.files[path] if key_of(item) != key]
        if self.files[path]:
            self._write(path)
            return
        del self.files[path]
        path.unlink()
        self._unsynced.add(path.parent)

    def _write(self, path: Path) -> None:
        """Replace a file in one step: other readers see the old or the new content, also after a crash."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_name(UNFINISHED)  # the lock is held, so what has this name was left by a crash
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(yaml_text.render(self.files[path]))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        self._unsynced.add(path.parent)


def _file_name(name: str) -> str:
    """Return the name of an object's own file; that of a very long name ends in a digest of it."""
    plain = f"{name}.yaml"
    if len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[:200]}-{digest}.yaml"


def _yaml_files(root: Path) -> t.Iterator[Path]:
    """Yield the YAML files below a directory in a fixed order; none if there is no directory."""

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for directory, names, files in os.walk(root, onerror=fail):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(directory, name)


def _checked(item: t.Any, path: Path) -> Document:
    """Return an object that has a known kind and a name, or raise DatastoreError naming the file."""
    kind = item.get("kind") if isinstance(item, dict) else None
    metadata = item.get("metadata") if isinstance(item, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(kind, str) or not isinstance(name, str):
        remedy = "Give every document kind and metadata.name, or move the file elsewhere"
        raise DatastoreError(f"Reading {path}: a document has no kind or no metadata.name", remedy=remedy)
    if kind not in KINDS:
        unknown = unknown_kind(kind)
        raise DatastoreError(
            f"Reading {path}: {unknown.message}", remedy=f"{unknown.remedy}, or move the file elsewhere"
        )
    return t.cast("Document", item)
