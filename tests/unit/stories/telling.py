# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stories are told with: steps, templates of the playbooks, and plans and changes in words."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import yaml
from ansible.plugins.filter.core import FilterModule as CoreFilters
from ansible.plugins.filter.mathstuff import FilterModule as SetFilters
from ansible.plugins.test.core import TestModule as CoreTests
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.podnet.calico.plugins.module_utils.planner.agreement import Wish, agree, differences
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, Document, Snapshot

Data = t.Dict[str, t.Any]
ROOT = Path(__file__).resolve().parents[3]


class Step(t.NamedTuple):
    """A step of a playbook: the name of its task or play, what came in, and what went out on each channel.

    datastore: changes. nodes: plans in words, by node. pings: those asked for, by node. verdict: what is decided.
    messages: what the user reads. stats: what the next job gets.
    """

    name: str
    came: Data
    datastore: t.Sequence[str] = ()
    nodes: t.Mapping[str, t.Any] = {}
    pings: t.Mapping[str, t.Any] = {}
    verdict: t.Mapping[str, t.Any] = {}
    messages: t.Sequence[str] = ()
    stats: t.Mapping[str, t.Any] = {}

    def text(self) -> str:
        """Return the step with all its channels, the empty ones too, as YAML."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in self._asdict().items()}
        return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True)


class _Dumper(yaml.SafeDumper):
    """Writes a value as often as it occurs, and lists indented, as ansible-lint wants them."""

    def ignore_aliases(self, data: t.Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _environment() -> NativeEnvironment:
    found = NativeEnvironment(undefined=StrictUndefined)
    found.filters.update({**CoreFilters().filters(), **SetFilters().filters()})
    found.tests.update(CoreTests().tests())
    for name in ("steps", "pools", "switching"):
        module = importlib.import_module(f"ansible_collections.podnet.calico.plugins.filter.{name}")
        found.filters.update({f"podnet.calico.{key}": made for key, made in module.FilterModule().filters().items()})
    return found


class Playbook:
    """The templates of a playbook, by the name of the task, block or play that has them."""

    def __init__(self, name: str) -> None:
        text = (ROOT / "playbooks" / f"{name}.yml").read_text(encoding="utf-8")
        self._named = {each["name"]: each for each in _named(yaml.safe_load(text))}
        self._environment = _environment()

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def give(self, name: str, *path: str, **variables: t.Any) -> t.Any:
        """Return what a task has at a path, with its templates filled in."""
        found = self._named[name]
        for key in path:
            found = found[key]
        return self._filled(found, variables)

    def holds(self, name: str, *path: str, **variables: t.Any) -> bool:
        """Tell whether the conditions of a task hold."""
        condition: t.Any = self._named[name]
        for key in path or ("when",):
            condition = condition[key]
        return bool(self._environment.compile_expression(condition, undefined_to_none=False)(**variables))

    def judge(self, name: str, **variables: t.Any) -> str:
        """Return what an assertion says, empty if it holds and says nothing."""
        said = "success_msg" if self.holds(name, "ansible.builtin.assert", "that", **variables) else "fail_msg"
        given = self._named[name]["ansible.builtin.assert"]
        return str(self._filled(given.get(said, ""), variables)).strip()

    def _filled(self, value: t.Any, variables: Data) -> t.Any:
        if isinstance(value, dict):
            return {key: self._filled(item, variables) for key, item in value.items()}
        if not isinstance(value, str) or "{{" not in value:
            return value
        filled = self._environment.from_string(value.strip()).render(variables)
        return list(filled) if isinstance(filled, t.Iterator) else filled  # as Ansible does


def _named(items: t.Iterable[Data]) -> t.Iterator[Data]:
    for item in items:
        if "name" in item:
            yield item
        for key in ("pre_tasks", "tasks", "post_tasks", "block", "rescue", "always"):
            yield from _named(item.get(key, ()))


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what a step changes in the datastore, a line for each part that differs."""
    found = []
    for change in differences(before, after):
        old, new = change.before or {}, change.after or {}
        parts = [
            f"{key}: {old.get(key)} -> {new.get(key)}" for key in sorted({*old, *new}) if old.get(key) != new.get(key)
        ]
        found.append(f"{change.action} {change.kind} {change.name}" + (f" ({'; '.join(parts)})" if parts else ""))
    return found


class Agreed(t.NamedTuple):
    """What nodes agreed on: what is stored then, and compact plans as nodes get them."""

    stored: Snapshot
    plans: dict[str, Data]


def agreed(before: Snapshot, cluster: Data, transition: bool = False, **options: t.Any) -> Agreed:
    """Return what calico_plan makes of a cluster as the filter of that name returns it."""
    wish = Wish(cluster["hosts"], cluster["resources"], "inventory", options, transition)
    made = agree(before, wish, now=NOW)
    compact = made.compact()
    return Agreed(made.stored, {name: {**plan, "table": compact["table"]} for name, plan in compact["plans"].items()})


def in_words(plan: Data, moved: bool | None = None) -> Data:
    """Return what a node makes of its compact plan. moved: as in handover.whole."""
    found = whole({**plan, **({} if moved is None else {"moved": moved})})
    return {
        **({} if moved is None else {"moved": moved}),
        "blocks": list(found["blocks"]),
        "pods": f"MTU {found['cni']['mtu']}, addresses of {', '.join(found['cni']['ranges']) or 'none'}",
        "bird": "runs" if found["bgp"] else "does not run",
        "tunnels": [_tunnel(tunnel) for tunnel in found["tunnels"]],
        "routes": [_route(route) for route in found["routes"]],
        "standby": [_route(route) for route in found["standby"]],
    }


def _tunnel(tunnel: Data) -> str:
    peers = ", ".join(f"{peer['node']} at {peer['underlay']}" for peer in tunnel["peers"]) or "nobody"
    return f"{tunnel['name']} {tunnel['address']} MTU {tunnel['mtu']}, to {peers}"


def _route(route: Data) -> str:
    words = [route["type"], route["destination"]] if route["type"] != "unicast" else [route["destination"]]
    words += [f"{word} {route[key]}" for word, key in _OF_ROUTES.items() if route[key] is not None]
    return " ".join([*words, *(["onlink"] if route["onlink"] else [])])


_OF_ROUTES = {"via": "gateway", "dev": "device", "scope": "scope", "metric": "metric"}


def by_key(documents: t.Iterable[Document]) -> list[tuple[str, str]]:
    """Return kind and name of documents."""
    return [(each["kind"], each["metadata"]["name"]) for each in documents]
