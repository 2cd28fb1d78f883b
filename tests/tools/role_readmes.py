# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the README.md of each role from its meta/argument_specs.yml: `python tests/tools/role_readmes.py [--check]`.

The role calico has no tasks and no arguments: it has the defaults of variables that several roles read. Those of the
inventory are described in docs/variables.md, the others by the role whose name they begin with.
With --check nothing is written; the exit status is 1 if a README is not what would be written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import typing as t
from pathlib import Path

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
SHARED = ROLES / "calico"
NOTICE = "<!-- Made by tests/tools/role_readmes.py from meta/argument_specs.yml: change that file, then run it. -->"
PARTS = ("defaults", "vars", "tasks")
TABLE = ["| variable | type | default | what it is |", "|---|---|---|---|"]
MARKUP = re.compile(r"\b[CVOM]\(([^)]*)\)")

Options = t.Mapping[str, t.Mapping[str, t.Any]]


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Write or check all READMEs and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a README is stale")
    check = parser.parse_args(arguments).check
    stale = [role for role in sorted(path for path in ROLES.iterdir() if path.is_dir()) if not is_current(role)]
    for role in stale:
        if not check:
            (role / "README.md").write_text(render(role), encoding="utf-8")
        print(f"roles/{role.name}/README.md {'is stale' if check else 'written'}")
    if check and stale:
        print("Run: python tests/tools/role_readmes.py", file=sys.stderr)
    return 1 if check and stale else 0


def is_current(role: Path) -> bool:
    """Tell whether the README of a role is what render returns."""
    readme = role / "README.md"
    return readme.is_file() and readme.read_text(encoding="utf-8") == render(role)


def render(role: Path) -> str:
    """Return the text of a role's README; all but the shared one have an argument spec."""
    summary = load(role / "meta" / "main.yml")["galaxy_info"]["description"]
    defaults = {**load(SHARED / "defaults" / "main.yml"), **load(role / "defaults" / "main.yml")}
    parts = [f"# Role podnet.calico.{role.name}", NOTICE, summary]
    for entry, spec in entry_points(role).items():
        parts += [f"## Entry point {entry}", *(_prose(text) for text in spec["description"])]
        parts.append(
            "\n".join([*TABLE, *_rows(spec["options"], defaults)]) if spec["options"] else "It has no variables."
        )
    parts += _of_others(role)
    parts.append("Variables that several roles share are in [docs/variables.md](../../docs/variables.md).")
    return "\n\n".join(parts) + "\n"


def entry_points(role: Path) -> dict[str, t.Any]:
    """Return the argument specs of a role by entry point; none of the role calico."""
    path = role / "meta" / "argument_specs.yml"
    return t.cast("dict[str, t.Any]", load(path)["argument_specs"]) if path.exists() else {}


def shared_by(role: Path) -> list[str]:
    """Return the names of the shared variables that a role's defaults, vars or tasks read."""
    read = "".join(path.read_text(encoding="utf-8") for part in PARTS for path in sorted((role / part).glob("*.yml")))
    return [name for name in load(SHARED / "defaults" / "main.yml") if re.search(rf"(?<![.\w]){name}\b(?![:=])", read)]


def load(path: Path) -> t.Any:
    """Return the content of a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _rows(options: Options, defaults: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name, option in options.items():
        lines = option["description"]
        text = " ".join([lines] if isinstance(lines, str) else lines)
        if option.get("choices"):
            text += f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}."
        kind = f"{option['type']} of {option['elements']}" if "elements" in option else option["type"]
        cells = (f"`{name}`", kind, default(defaults[name]), _prose(text))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def default(value: t.Any) -> str:
    """Return how a table shows a default."""
    return f"`{value if isinstance(value, str) and value else json.dumps(value)}`"


def _of_others(role: Path) -> t.Iterator[str]:
    """Yield a sentence on variables that other roles describe and this one reads, unless its own table has them."""
    own = {name for spec in entry_points(role).values() for name in spec["options"]}
    names = [name for name in shared_by(role) if name.partition("_")[0] not in ("calico", role.name)]
    if role != SHARED and set(names) - own:
        links = ", ".join(f"[`{name}`](../{name.partition('_')[0]}/README.md)" for name in names if name not in own)
        yield f"It reads variables of other roles, too: {links}."


def _prose(text: str) -> str:
    return MARKUP.sub(r"`\1`", text)


if __name__ == "__main__":
    sys.exit(main())
