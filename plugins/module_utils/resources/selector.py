# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's selectors: which labels an expression such as ``rack == "r1" && !has(spare)`` chooses.

The grammar and the treatment of absent labels are those of libcalico-go/lib/selector.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.calico.plugins.module_utils.resources.selector_nodes import (
    All,
    Compare,
    Expression,
    Global,
    Group,
    Has,
    Member,
    Negation,
)
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector_scanner import Scanner

MAX_DEPTH = 100
"""How deep parentheses may nest; a bound of ours, so that no input exhausts the interpreter's stack."""

COMPARISONS = ("==", "!=", "contains", "starts with", "ends with", "in", "not in")
FUNCTIONS: dict[str, Expression] = {"all(": All(), "global(": Global()}


@dataclass(frozen=True)
class Selector:
    """A parsed selector. Equal expressions in different spelling have the same canonical text."""

    text: str
    expression: Expression

    def matches(self, labels: t.Mapping[str, str]) -> bool:
        """Tell whether an object with these labels is chosen.

        An absent label makes ``!=`` and ``not in`` true and every other operation false.
        """
        return self.expression.matches(labels)

    @property
    def canonical(self) -> str:
        """Return the expression in one spelling: double quotes, sorted sets, parentheses around groups."""
        return self.expression.canonical()


@functools.lru_cache(maxsize=4096)
def parse(text: str, option: str = "selector") -> Selector:
    """Return the selector that a text means; the empty text chooses everything.

    option is the name under which an error speaks of the text. Raises InvalidInput with the position (counted from 1)
    and what was expected there.
    """
    scanner = Scanner(text, option)
    if scanner.at_end():
        return Selector(text, All())
    expression = _Parser(scanner).group(0)
    if not scanner.at_end():
        raise scanner.refuse("&&, || or the end", _hint(scanner))
    return Selector(text, expression)


class _Parser:
    """Recursive descent over the grammar, one method per rule."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner

    def group(self, depth: int, operator: str = "||") -> Expression:
        """Read operands joined by ``||``; each of them is a group of operands joined by ``&&``."""
        operands = [self._operand(depth, operator)]
        while self.scanner.take(operator):
            operands.append(self._operand(depth, operator))
        return operands[0] if len(operands) == 1 else Group(operator, tuple(operands))

    def _operand(self, depth: int, operator: str) -> Expression:
        return self.group(depth, "&&") if operator == "||" else self._unary(depth)

    def _unary(self, depth: int) -> Expression:
        negated = False
        while self.scanner.take("!"):
            negated = not negated
        primary = self._primary(depth)
        return Negation(primary) if negated else primary

    def _primary(self, depth: int) -> Expression:
        scanner = self.scanner
        if scanner.take("has("):
            label = scanner.label()
            scanner.expect(")")
            return Has(label)
        for opening, expression in FUNCTIONS.items():
            if scanner.take(opening):
                scanner.expect(")")
                return expression
        if not scanner.take("("):
            return self._comparison()
        if depth >= MAX_DEPTH:
            raise scanner.refuse(f"at most {MAX_DEPTH} nested parentheses", "Write the selector with less nesting")
        inner = self.group(depth + 1)
        scanner.expect(")")
        return inner

    def _comparison(self) -> Expression:
        label = self.scanner.label()
        operator = self.scanner.operator()
        if operator is None:
            raise self.scanner.refuse(f"one of {', '.join(COMPARISONS)}", _hint(self.scanner))
        if operator in {"in", "not in"}:
            return Member(label, self._set(), operator == "not in")
        return Compare(label, operator, self.scanner.literal())

    def _set(self) -> frozenset[str]:
        self.scanner.expect("{")
        values = set()
        while not self.scanner.take("}"):
            values.add(self.scanner.literal())
            if not self.scanner.take(","):
                self.scanner.expect("}")
                break
        return frozenset(values)


def _hint(scanner: Scanner) -> str:
    """Return the remedy for a habit from another language, or an example."""
    found = scanner.rest()
    habits = (("=", 'Compare with two signs: label == "value"'), ("&", "Join with &&"), ("|", "Join with ||"))
    for sign, remedy in habits:
        if found.startswith(sign):
            return remedy
    for word, sign in (("and", "&&"), ("or", "||")):
        if found.lower().startswith(word):
            return f"Join with {sign}"
    return 'Write for example rack == "r1" && !has(spare)'
