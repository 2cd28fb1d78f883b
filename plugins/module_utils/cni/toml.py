# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of TOML as container runtimes have it: tables with texts, numbers, truth values and lists of texts.

Python has one of its own from 3.11 on. Dates, inline tables and arrays of tables are passed by.
"""

from __future__ import annotations

import json
import re
import typing as t

Value = t.Union[str, bool, int, t.List[str], None]
Tables = t.Dict[t.Tuple[str, ...], t.Dict[str, Value]]

_STRING = r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'"
_WORD = re.compile(rf"{_STRING}|[A-Za-z0-9_-]+")
_TABLE = re.compile(rf"\[\s*((?:{_STRING}|[A-Za-z0-9_-]+|\s*\.\s*)+)\s*\]")
_PAIR = re.compile(rf"({_STRING}|[A-Za-z0-9_-]+)\s*=\s*(.*)")
_COMMENT = re.compile(rf"((?:{_STRING}|[^#\"'])*)(?:#.*)?")


def read(text: str) -> Tables:
    """Return the values of all tables, by the parts of a table's name; () is the table above all. Never raises."""
    tables: Tables = {(): {}}
    name: tuple[str, ...] = ()
    lines = iter(text.splitlines())
    for line in lines:
        content = _bare(line)
        if table := _TABLE.fullmatch(content):
            name = tuple(_text(word) for word in _WORD.findall(table[1]))
            tables.setdefault(name, {})
        elif pair := _PAIR.fullmatch(content):
            value = pair[2]
            while value.startswith("[") and not value.endswith("]"):
                following = next(lines, None)
                if following is None:
                    break
                value += f" {_bare(following)}"
            tables.setdefault(name, {})[_text(pair[1])] = _value(value)
    return tables


def listed(value: Value) -> list[str]:
    """Return a value as a list: what is in it, nothing for a value that is missing or empty."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, str) and value else []


def quoted(text: str) -> str:
    """Return a text as TOML has it."""
    return json.dumps(text, ensure_ascii=False)


def _bare(line: str) -> str:
    found = _COMMENT.match(line)
    return (found[1] if found else line).strip()


def _text(word: str) -> str:
    if word.startswith('"'):
        try:
            return str(json.loads(word))
        except ValueError:
            return word[1:-1]
    return word[1:-1] if word.startswith("'") else word


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("["):
        return [_text(word) for word in re.findall(_STRING, text)]
    if re.fullmatch(_STRING, text):
        return _text(text)
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else None
