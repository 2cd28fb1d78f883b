# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our nftables table as the text that nft(8) reads, in the form in which `nft list table` shows it."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_table import Table, elements
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE

_PRIORITIES = {-300: "raw", -90: "dstnat + 10", 100: "srcnat"}
_PLAIN = ("accept", "counter", "drop", "notrack")


def text(table: Table) -> str:
    """Return the text of a table; empty if there is nothing in it."""
    titles = [title.partition(" ") for title in table.definitions]
    blocks = [_set(name, table) for kind, __, name in titles if kind == "set"]
    blocks += [_chain(name, table) for kind, __, name in titles if kind == "chain"]
    return f"table inet {NFT_TABLE} {{\n" + "\n".join(blocks) + "}\n" if blocks else ""


def _set(name: str, table: Table) -> str:
    definition = table.definitions[f"set {name}"]
    networks = [network for element in elements(table, name) for network in element.networks]
    shown = [str(n.network_address if n.prefixlen == n.max_prefixlen else n) for n in sorted(networks)]
    lines = [f"type {definition['type']}"]
    lines += [f"flags {' '.join(definition['flags'])}"] if definition.get("flags") else []
    lines += ["elements = { " + ",\n\t\t\t     ".join(shown) + " }"] if shown else []
    return _block(f"set {name}", lines)


def _chain(name: str, table: Table) -> str:
    data = table.definitions[f"chain {name}"]
    lines = []
    if data:
        priority = _PRIORITIES[data["prio"]]
        lines = [f"type {data['type']} hook {data['hook']} priority {priority}; policy {data['policy']};"]
    for title, rule in table.definitions.items():
        kind, __, comment = title.partition(" ")
        if kind == "rule" and rule["chain"] == name:
            lines.append(" ".join([*map(_statement, rule["expr"]), f'comment "{comment}"']))
    return _block(f"chain {name}", lines)


def _block(title: str, lines: list[str]) -> str:
    return f"\t{title} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def _statement(expression: t.Mapping[str, t.Any]) -> str:
    ((word, value),) = expression.items()
    if word in _PLAIN:
        return str(word)
    if word == "masquerade":
        return f"masquerade {' '.join(value['flags'])}"
    if word in ("goto", "jump"):
        return f"{word} {value['target']}"
    operator = "!= " if value["op"] == "!=" else ""
    return f"{_operand(value['left'])} {operator}{_value(value['left'], value['right'])}"


def _operand(left: t.Mapping[str, t.Any]) -> str:
    if "payload" in left:
        payload = left["payload"]
        if "base" in payload:
            return f"@{payload['base']},{payload['offset']},{payload['len']}"
        return f"{payload['protocol']} {payload['field']}"
    if "fib" in left:
        return f"fib {' . '.join(sorted(left['fib']['flags'], reverse=True))} {left['fib']['result']}"
    key = str(left["meta"]["key"])
    return f"meta {key}" if key == "l4proto" else key


def _value(left: t.Mapping[str, t.Any], right: t.Any) -> str:
    if isinstance(right, dict) and "prefix" in right:
        return f"{right['prefix']['addr']}/{right['prefix']['len']}"
    if isinstance(right, dict):
        return f"{{ {', '.join(right['set'])} }}"
    if right is False:
        return "missing"
    if isinstance(right, int):
        return hex(right) if "base" in left.get("payload", {}) else str(right)
    return f'"{right}"' if "meta" in left else str(right)
