# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our nftables table as the text that nft(8) reads, in the form in which `nft list table` shows it."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_sets import networks_of
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_table import Table
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE


def text(table: Table) -> str:
    """Return the text of a table; empty if there is nothing in it."""
    titles = [title.partition(" ") for title in table.definitions]
    blocks = [_set(name, table) for kind, __, name in titles if kind == "set"]
    blocks += [_chain(name, table) for kind, __, name in titles if kind == "chain"]
    return f"table inet {NFT_TABLE} {{\n" + "\n".join(blocks) + "}\n" if blocks else ""


def _set(name: str, table: Table) -> str:
    networks = networks_of(table.members[name])
    shown = [str(n.network_address if n.prefixlen == n.max_prefixlen else n) for n in networks]
    lines = [f"type {table.definitions[f'set {name}']['type']}", "flags interval"]
    lines.append("elements = { " + ",\n\t\t\t     ".join(shown) + " }")
    return _block(f"set {name}", lines)


def _chain(name: str, table: Table) -> str:
    data = table.definitions[f"chain {name}"]
    lines = [f"type {data['type']} hook {data['hook']} priority srcnat; policy {data['policy']};"]
    for title, rule in table.definitions.items():
        kind, __, comment = title.partition(" ")
        if kind == "rule" and rule["chain"] == name:
            lines.append(" ".join([*map(_statement, rule["expr"]), f'comment "{comment}"']))
    return _block(f"chain {name}", lines)


def _block(title: str, lines: list[str]) -> str:
    return f"\t{title} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def _statement(expression: t.Mapping[str, t.Any]) -> str:
    if "match" not in expression:
        return f"masquerade {' '.join(expression['masquerade']['flags'])}"
    match = expression["match"]
    operator = "!= " if match["op"] == "!=" else ""
    return f"{_operand(match['left'])} {operator}{_value(match['left'], match['right'])}"


def _operand(left: t.Mapping[str, t.Any]) -> str:
    if "payload" in left:
        return f"{left['payload']['protocol']} {left['payload']['field']}"
    if "fib" in left:
        return f"fib {' . '.join(sorted(left['fib']['flags'], reverse=True))} {left['fib']['result']}"
    return str(left["meta"]["key"])


def _value(left: t.Mapping[str, t.Any], right: str) -> str:
    return f'"{right}"' if "meta" in left else right
