# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a host below a root, which is "/" but in tests: texts, names, and drop-ins in the order that counts."""

from __future__ import annotations

import glob
import os
import typing as t


def text(root: str, path: str) -> str:
    """Return the text of a file; empty for one that is not there or cannot be read."""
    try:
        with open(os.path.join(root, path.lstrip("/")), errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def exists(root: str, path: str) -> bool:
    """Tell whether there is something at a path."""
    return os.path.lexists(os.path.join(root, path.lstrip("/")))


def dropins(root: str, folders: t.Sequence[str], pattern: str) -> list[str]:
    """Return the paths of files in folders, sorted by name; of one name that counts which is in the first folder."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in glob.glob(os.path.join(root, folder.lstrip("/"), pattern)):
            found.setdefault(os.path.basename(path), f"{folder}/{os.path.basename(path)}")
    return [found[name] for name in sorted(found)]


def sections(content: str) -> t.Iterator[tuple[str, str, str]]:
    """Yield section, key and value of an ini file, in order; a key may come several times (systemd.syntax(7))."""
    section = ""
    for line in content.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            yield section, "", ""
        elif line and line[0] not in "#;" and "=" in line:
            key, __, value = line.partition("=")
            yield section, key.strip(), value.strip()
