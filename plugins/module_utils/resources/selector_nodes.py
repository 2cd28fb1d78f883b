# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a parsed selector; each tells whether labels match it and prints itself in canonical spelling."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Labels = t.Mapping[str, str]


class Expression(t.Protocol):
    """What every part of a selector can do."""

    def matches(self, labels: Labels) -> bool:
        """Tell whether the labels satisfy this part."""

    def canonical(self) -> str:
        """Return this part in canonical spelling."""


@dataclass(frozen=True)
class All:
    """``all()``: everything."""

    def matches(self, labels: Labels) -> bool:
        """Return true."""
        return True

    def canonical(self) -> str:
        """Return ``all()``."""
        return "all()"


@dataclass(frozen=True)
class Global:
    """``global()``: what has no namespace; nodes and pools never have one."""

    def matches(self, labels: Labels) -> bool:
        """Return true."""
        return True

    def canonical(self) -> str:
        """Return ``global()``."""
        return "global()"


@dataclass(frozen=True)
class Has:
    """``has(label)``: the label exists, with whatever value."""

    label: str

    def matches(self, labels: Labels) -> bool:
        """Tell whether the label exists."""
        return self.label in labels

    def canonical(self) -> str:
        """Return ``has(label)``."""
        return f"has({self.label})"


@dataclass(frozen=True)
class Compare:
    """A label compared with one text; case counts, and numbers are texts."""

    label: str
    operator: str
    value: str

    def matches(self, labels: Labels) -> bool:
        """Compare; an absent label differs from every text and is otherwise false."""
        found = labels.get(self.label)
        if found is None:
            return self.operator == "!="
        outcomes: dict[str, t.Callable[[str], bool]] = {
            "==": found.__eq__,
            "!=": found.__ne__,
            "contains": found.__contains__,
            "starts with": found.startswith,
            "ends with": found.endswith,
        }
        return outcomes[self.operator](self.value)

    def canonical(self) -> str:
        """Return ``label operator "value"``."""
        return f"{self.label} {self.operator} {quote(self.value)}"


@dataclass(frozen=True)
class Member:
    """``label in {…}``, or ``label not in {…}``, which an absent label satisfies too."""

    label: str
    values: frozenset[str]
    negated: bool

    def matches(self, labels: Labels) -> bool:
        """Tell whether the label's value is in the set, or is not."""
        found = labels.get(self.label)
        return (found is not None and found in self.values) != self.negated

    def canonical(self) -> str:
        """Return the operation with its set sorted."""
        listed = ", ".join(quote(value) for value in sorted(self.values))
        return f"{self.label} {'not in' if self.negated else 'in'} {{{listed}}}"


@dataclass(frozen=True)
class Negation:
    """``!operand``."""

    operand: Expression

    def matches(self, labels: Labels) -> bool:
        """Tell whether the operand does not match."""
        return not self.operand.matches(labels)

    def canonical(self) -> str:
        """Return ``!operand``."""
        return f"!{self.operand.canonical()}"


@dataclass(frozen=True)
class Group:
    """Operands joined by ``&&`` or ``||``."""

    operator: str
    operands: tuple[Expression, ...]

    def matches(self, labels: Labels) -> bool:
        """Tell whether all operands match, or any of them."""
        together = all if self.operator == "&&" else any
        return together(operand.matches(labels) for operand in self.operands)

    def canonical(self) -> str:
        """Return the operands in their order, in parentheses."""
        return "(" + f" {self.operator} ".join(operand.canonical() for operand in self.operands) + ")"


def quote(value: str) -> str:
    """Return a text as a literal; the grammar has no escapes, so a text with double quotes gets single ones."""
    return f"'{value}'" if '"' in value else f'"{value}"'
