# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a selector: labels, operators, literals, and where in the text they stand."""

from __future__ import annotations

import json
import re

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

MAX_LABEL = 512
"""The longest label name, in characters (libcalico-go/lib/selector/tokenizer)."""

LABEL = re.compile(r"[A-Za-z0-9_./-]+")
SPACE = re.compile(r"[ \t]*")
OPERATORS = (
    ("==", re.compile("==")),
    ("!=", re.compile("!=")),
    ("contains", re.compile(r"contains\b")),
    ("starts with", re.compile(r"starts[ \t]*with\b")),
    ("ends with", re.compile(r"ends[ \t]*with\b")),
    ("not in", re.compile(r"not[ \t]*in\b")),
    ("in", re.compile(r"in\b")),
)


class Scanner:
    """Reads one selector from left to right; blanks between words do not count, a line break is an error."""

    def __init__(self, text: str, option: str) -> None:
        self.text = text
        self.option = option
        self.position = 0

    def _skip(self) -> None:
        match = SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def rest(self) -> str:
        """Return what has not been read."""
        self._skip()
        return self.text[self.position :]

    def at_end(self) -> bool:
        """Tell whether everything has been read."""
        return not self.rest()

    def take(self, sign: str) -> bool:
        """Read a sign if it stands here."""
        self._skip()
        found = self.text.startswith(sign, self.position)
        self.position += len(sign) if found else 0
        return found

    def expect(self, sign: str) -> None:
        """Read a sign, or raise InvalidInput."""
        if not self.take(sign):
            raise self.refuse(sign, f"Put {sign} there")

    def label(self) -> str:
        """Read a label name, or raise InvalidInput."""
        self._skip()
        match = LABEL.match(self.text, self.position)
        if match is None:
            hint = "Start with a label name (unquoted), has(label), all(), ! or a parenthesis"
            raise self.refuse("a label name", hint)
        if len(match.group()) > MAX_LABEL:
            raise self.refuse(f"a label name of at most {MAX_LABEL} characters", "Shorten the label name")
        self.position = match.end()
        return match.group()

    def operator(self) -> str | None:
        """Read the operator that follows a label and return its name; None if there is none."""
        self._skip()
        for name, pattern in OPERATORS:
            match = pattern.match(self.text, self.position)
            if match is not None:
                self.position = match.end()
                return name
        return None

    def literal(self) -> str:
        """Read a text in single or double quotes, or raise InvalidInput; there are no escapes."""
        self._skip()
        mark = self.text[self.position : self.position + 1]
        if mark not in {"'", '"'}:
            word = LABEL.match(self.text, self.position)
            raise self.refuse("a text in quotes", f'Write "{word.group()}"' if word else "Put the value in quotes")
        end = self.text.find(mark, self.position + 1)
        if end < 0:
            raise self.refuse(f"a closing {mark}", "Close the quotes; a text cannot contain its own quotation mark")
        value = self.text[self.position + 1 : end]
        self.position = end + 1
        return value

    def refuse(self, expected: str, remedy: str) -> InvalidInput:
        """Return the error that nothing acceptable stands here."""
        found = self.rest()
        there = f"found {json.dumps(found[:20])}" if found else "the text ends"
        place = f"at position {self.position + 1} {there}, expected {expected}"
        message = f"{self.option} {json.dumps(self.text)} is not a selector: {place}"
        return InvalidInput(message, remedy=remedy, option=self.option, value=self.text, position=self.position + 1)
