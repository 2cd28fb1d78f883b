# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of modules in README.md from the modules' documentation: `python tests/tools/module_table.py`."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
BEGIN = "<!-- modules: made by tests/tools/module_table.py -->"
END = "<!-- end of modules -->"


def main() -> None:
    """Put the table into README.md."""
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")


def renewed(text: str) -> str:
    """Return a text with the table between its two marks made anew; both marks are in the text once."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} lacks the marks {BEGIN} and {END}")
    rows = "\n".join(f"| `{name}` | {summary} |" for name, summary in summaries())
    return f"{before}{BEGIN}\n| module | what it does |\n|---|---|\n{rows}\n{END}{after}"


def summaries() -> t.Iterator[tuple[str, str]]:
    """Yield the name and the short description of each module."""
    for path in sorted((ROOT / "plugins" / "modules").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION":
                yield path.stem, yaml.safe_load(ast.literal_eval(node.value))["short_description"]


if __name__ == "__main__":
    main()
