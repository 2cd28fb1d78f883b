# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table of ours as nft's JSON (libnftables-json(5)): what is listed, and the commands that change it.

A change is one transaction, and touches only what differs: the kernel decides once for each packet and chain whether
the old rules count or the new, and once for each look into a set which elements do. A table that is made anew has no
such promise. The kernel calls its chain and that of the old table one after the other, and a packet that is between the
two while the transaction takes effect has met the one before it counts and meets the other when it counts no more, so
that no rule is applied to its connection.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import types
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_sets import (
    Element,
    difference,
    from_listing,
    from_network,
    networks_of,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE

Command = t.Dict[str, t.Any]

_SEARCHED = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_OURS = {"family": "inet", "table": NFT_TABLE}
_TABLE = {"table": {"family": "inet", "name": NFT_TABLE}}
_TITLE = f"table {NFT_TABLE}"
_LIST = ("list", "table", "inet", NFT_TABLE)
_REMOVED = ("rule", "map", "set", "chain")  # what can be removed by itself, in this order: rules use all the others


class Table(t.NamedTuple):
    """A table's content.

    definitions: kind and name, to nft's JSON without its place; in members: the elements of each set of ours;
    handles: what the kernel calls each rule, by its key in definitions, in a table that was read.
    """

    definitions: dict[str, t.Any]
    members: dict[str, list[Element]]
    handles: t.Mapping[str, int] = types.MappingProxyType({})


_FLAGGED = Table({_TITLE: {"flags": "some"}}, {})  # a table with flags, which ours has none of, is made anew


def observed(listing: t.Iterable[t.Mapping[str, t.Any]], sets: t.Container[str]) -> Table:
    """Return the content of a table as `nft -j list table` lists it; sets: names of the sets of ours.

    Rules are named by their comments; one without a comment of its own is named by its position.
    """
    handles: dict[str, int] = {}
    table = Table({}, {}, handles)
    position = 0
    for entry in listing:
        ((kind, data),) = entry.items()
        if kind == "metainfo":
            continue
        position += kind == "rule"
        definition = {key: value for key, value in _normal(data).items() if key not in ("family", "table", "handle")}
        title = f"{kind} {definition.pop('comment' if kind == 'rule' else 'name', position)}"
        if kind == "rule":
            title = _unused(title, position, table.definitions)
            handles[title] = data["handle"]
        if kind == "set" and data["name"] in sets:
            table.members[data["name"]] = [from_listing(element) for element in definition.pop("elem", [])]
        table.definitions[title] = definition
    return table


def _normal(value: t.Any, key: str = "") -> t.Any:
    """Return data of nft with all flags as sorted lists: versions differ in how they show a single one."""
    if key == "flags":
        return sorted([value] if isinstance(value, str) else value)
    if isinstance(value, dict):
        found = {inner: _normal(item, inner) for inner, item in value.items()}
        # nft 1.1.4 and later say "check" where the existence of a route is asked for (right: true or false).
        return {**found, "result": "oif"} if found.get("result") == "check" else found
    return [_normal(item) for item in value] if isinstance(value, list) else value


def _unused(title: str, position: int, titles: t.Container[str]) -> str:
    """Return a name for a rule that no other has: its own, or its position, which may be what another is called."""
    if title in titles:
        title = f"rule {position}"
    while title in titles:
        title += "'"
    return title


def placed(there: Table, needed: Table) -> Table:
    """Return a table in which rules that come too late in their chain differ from what is needed."""
    places = {title: place for place, title in enumerate(needed.definitions)}
    last: dict[str, int] = {}
    found = dict(there.definitions)
    for title, data in there.definitions.items():
        if _kind(title) == "rule" and title in places:
            if places[title] < last.get(data["chain"], 0):
                found[title] = {**data, "place": "too late"}
            else:
                last[data["chain"]] = places[title]
    return there._replace(definitions=found)


def commands(there: Table, needed: Table) -> list[Command]:
    """Return what turns a table into another, as commands for one transaction.

    Where the table itself, its chain or a set is defined otherwise than it has to be, or where there is what cannot be
    removed by itself, the table is made anew.
    """
    return _steps(there, needed) if _alterable(there, needed) else anew(needed)


def _alterable(there: Table, needed: Table) -> bool:
    if not there.definitions or not needed.definitions:
        return False
    differing = [title for title, data in there.definitions.items() if needed.definitions.get(title) != data]
    return all(_kind(title) == "rule" or _goes(title, needed) for title in differing)


def _goes(title: str, needed: Table) -> bool:
    return _kind(title) in _REMOVED and title not in needed.definitions


def _kind(title: str) -> str:
    return title.partition(" ")[0]


def anew(table: Table) -> list[Command]:
    """Return what makes the table anew, as commands for one transaction: the one that is there is deleted in it."""
    made: list[Command] = [{"add": _TABLE}, {"delete": _TABLE}]  # to add a table that is there is no error
    return made + [{"add": _definition(table, title)} for title in table.definitions]


def _definition(table: Table, title: str) -> Command:
    kind, __, name = title.partition(" ")
    if kind == "table":
        return _TABLE
    content = {**_OURS, "comment" if kind == "rule" else "name": name, **table.definitions[title]}
    if kind == "set" and table.members[name]:
        content["elem"] = [element.spelling for element in elements(table, name)]
    return {kind: content}


def elements(table: Table, name: str) -> list[Element]:
    """Return what a set of a table is made with: nft refuses intervals that overlap, so they are joined."""
    found = table.members[name]
    return [from_network(network) for network in networks_of(found)] if _has_intervals(table, name) else found


def _has_intervals(table: Table, name: str) -> bool:
    return "interval" in table.definitions[f"set {name}"].get("flags", ())


def _steps(there: Table, needed: Table) -> list[Command]:
    """Return what removes and adds what differs, where whatever uses something else goes first and comes last."""
    kept = {title for title, data in there.definitions.items() if needed.definitions.get(title) == data}
    removed = [title for kind in _REMOVED for title in there.definitions if _kind(title) == kind and title not in kept]
    added = [title for title in needed.definitions if _kind(title) != "rule" and title not in kept]
    return [
        *({"delete": _place(there, title)} for title in removed),
        *_element_steps(there, needed),
        *({"add": _definition(needed, title)} for title in added),
        *_rule_steps(there, needed, kept),
    ]


def _place(table: Table, title: str) -> Command:
    """Return what names a thing that is to be removed."""
    kind, __, name = title.partition(" ")
    if kind == "rule":
        return {kind: {**_OURS, "chain": table.definitions[title]["chain"], "handle": table.handles[title]}}
    return {kind: {**_OURS, "name": name}}


def _element_steps(there: Table, needed: Table) -> t.Iterator[Command]:
    """Yield what brings the elements of those sets in line that are there already and stay."""
    for name in (name for name in needed.members if name in there.members):
        intervals = _has_intervals(needed, name)
        gone, missing = difference(there.members[name], needed.members[name], intervals=intervals)
        for verb, changed in (("delete", gone), ("add", missing)):
            if changed:
                yield {verb: {"element": {**_OURS, "name": name, "elem": [element.spelling for element in changed]}}}


def _rule_steps(there: Table, needed: Table, kept: t.Container[str]) -> list[Command]:
    """Return what adds the rules that are missing, each before the next one of its chain that stays."""
    steps: list[Command] = []
    following: dict[str, int] = {}
    for title in (title for title in reversed(list(needed.definitions)) if _kind(title) == "rule"):
        rule = _definition(needed, title)["rule"]
        if title in kept:
            following[rule["chain"]] = there.handles[title]
            continue
        before = following.get(rule["chain"])
        steps.append({"insert": {"rule": {**rule, "handle": before}}} if before else {"add": {"rule": rule}})
    return steps[::-1]


def read(sets: t.Container[str]) -> Table:
    """Return what is there of our table; nothing where there is no nft, which only writing cannot do without.

    Raises KernelError if the table cannot be read. sets: as for observed().
    """
    if not shutil.which("nft", path=_SEARCHED):
        return Table({}, {})
    # Without the numbers that counters count (-s), and with those of protocols: their names differ by host (-p).
    answer = _nft("read", "-j", "-s", "-p", *_LIST)
    if not answer:
        return Table({}, {})
    try:
        found = observed(json.loads(answer)["nftables"], sets)
    except ValueError as error:
        if "owner" in _nft("read", "-t", *_LIST).partition("flags ")[2].partition("\n")[0]:
            raise KernelError(
                f"read the nftables table inet {NFT_TABLE}: it belongs to a process",
                remedy="It is not from here: end that process, or delete the table, and try again",
            ) from error
        return _FLAGGED
    # In the place of a table's flags nft 1.0.6 shows whatever is in its memory, or ends there.
    return _FLAGGED if "flags" in found.definitions[_TITLE] else found


def write(there: Table, needed: Table) -> None:
    """Turn the table that was read into another, in one transaction; raises KernelError if it is refused.

    Where single steps are refused, because somebody else has changed the table meanwhile, the table is made anew.
    """
    steps, whole = commands(there, needed), anew(needed)
    if steps != whole:
        with contextlib.suppress(KernelError):  # a transaction that is refused has done nothing
            _transact(steps)
            return
    _transact(whole)


def _transact(steps: list[Command]) -> None:
    _nft("replace", "-j", "-f", "-", text=json.dumps({"nftables": steps}))


def _nft(verb: str, *arguments: str, text: str = "") -> str:
    """Return nft's answer; empty for a table that does not exist. Raises KernelError with what nft says."""
    attempt = f"{verb} the nftables table inet {NFT_TABLE}"
    program = shutil.which("nft", path=_SEARCHED)
    if not program:
        raise KernelError(f"{attempt}: there is no nft", remedy="Install it (Debian: nftables)")
    environment = {"PATH": _SEARCHED, "LC_ALL": "C"}
    answer = subprocess.run(
        [program, *arguments], input=text, capture_output=True, text=True, env=environment, check=False
    )
    if answer.returncode == 0:
        return answer.stdout
    said = answer.stderr.strip() or answer.stdout.strip()
    if verb == "read" and "No such file or directory" in said:
        return ""
    remedy = "It needs root (become: true) and a kernel with nf_tables, nft_masq, nft_ct and nft_fib_inet"
    raise KernelError(f"{attempt}: {said}", remedy=remedy)
