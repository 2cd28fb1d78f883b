# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we have put into a directory of CNI plugins: a file there that says so, and its reading."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

NAME = ".podnet-calico.json"
ASIDE = ".podnet-moved"
"""What the name of a plugin of somebody else ends in, after ours has taken its place."""

_Digests = t.Mapping[str, str]


class Record(t.NamedTuple):
    """What we have put into a directory.

    archive: sha256 of the release archive. files: sha256 of our plugins by name. adopted: those of others that were
    there with the same content. moved: what was there before under the name of one of ours, and is kept beside it with
    the suffix ASIDE. pending: what a run is about to put; one that ended has none. folders: those that we made.
    """

    archive: str = ""
    version: str = ""
    files: _Digests = {}
    adopted: _Digests = {}
    moved: _Digests = {}
    pending: _Digests = {}
    folders: t.Sequence[str] = ()

    def ours(self, name: str, content: str) -> bool:
        """Tell whether what is there under a name is what we put, or were about to put; content: its sha256."""
        return bool(content) and content in (self.files.get(name), self.pending.get(name))

    def names(self) -> list[str]:
        """Return the names of all plugins that may be ours."""
        return sorted({*self.files, *self.pending})

    def shown(self) -> dict[str, t.Any] | None:
        """Return the record for a diff; None for one that says nothing."""
        data = {key: value for key, value in self._asdict().items() if value and key not in ("files", "folders")}
        return data or None


def path(folder: str) -> str:
    """Return the path of a directory's record."""
    return os.path.join(folder, NAME)


def read(folder: str) -> Record:
    """Return what is written down for a directory; an empty record if nothing is.

    Raises Conflict for a file that is not ours, InvalidInput for one that cannot be read.
    """
    try:
        with open(path(folder), encoding="utf-8") as file:
            data = json.load(file)
        if data.pop("comment", "") != HEADER:
            raise Conflict(f"read {path(folder)}: a file is there that is not ours", remedy="Move it away")
        return Record(**data)
    except (FileNotFoundError, NotADirectoryError):
        return Record()
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InvalidInput(
            f"read {path(folder)}, which says what is ours there: {error}",
            remedy="Remove it; then plugins that are there count as somebody else's",
        ) from error


def render(record: Record) -> str:
    """Return the text of a record."""
    return json.dumps({"comment": HEADER, **record._asdict()}, indent=1) + "\n"
