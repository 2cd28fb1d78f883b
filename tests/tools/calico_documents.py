# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random documents of Calico's kinds, most of them wrong in one place: right ones, with one or two values made odd.

They have the fields that Calico v3.28 knows, the version of the judge (calico_judge.py) that they are made for.
calico_documents.json has the fields, and values that are right and odd ones, of which some are right as well; n×253
stands for 253 letters n.
"""

from __future__ import annotations

import copy
import json
import random
import re
import typing as t
from pathlib import Path

Document = t.Dict[str, t.Any]
Shape = t.Any
"""A mapping (fields and their shapes), a list of one shape, or a key of values in calico_documents.json."""

_REQUIRED: t.Final = {"IPPool": ("cidr",), "BGPPeer": ("peerIP", "asNumber")}
_REQUIRED_INSIDE: t.Final = ("secretKeyRef", "name", "key", "port", "protocol", "timeout", "action", "min", "max")
_NAMES: t.Final = {
    "BGPConfiguration": ("default", "default", "node.node1"),
    "FelixConfiguration": ("default", "node.n"),
}
_REPEATED: t.Final = re.compile("(.)×([0-9]+)")


def _expanded(value: t.Any) -> t.Any:
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if isinstance(value, dict):
        return {_expanded(key): _expanded(item) for key, item in value.items()}
    match = _REPEATED.fullmatch(value) if isinstance(value, str) else None
    return match[1] * int(match[2]) if match else value


DATA: t.Final = _expanded(json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8")))
SHAPES: t.Final[dict[str, dict[str, Shape]]] = DATA["shapes"]
FILTERS: t.Final[list[str]] = DATA["values"]["filter"]["right"]
"""BGPFilters that documents may name."""


def document(rng: random.Random, kind: str) -> Document:
    """Return a document of a kind: right, but for what none, one or two oddities make of it."""
    shapes = SHAPES[kind]
    count = rng.randint(1, min(6, len(shapes)))
    chosen = {*rng.sample(sorted(shapes), count), *_REQUIRED.get(kind, ())}
    spec = {key: _right(rng, shapes[key]) for key in sorted(chosen)}
    if kind in _SETTLE and rng.random() < 0.85:
        _SETTLE[kind](rng, spec)
    found: Document = {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": rng.choice(_NAMES.get(kind, ("main", "main", "a.b")))},
        "spec": spec,
    }
    for __ in range(rng.choice((0, 1, 1, 1, 1, 2))):
        _make_odd(rng, kind, found)
    return found


def _right(rng: random.Random, shape: Shape) -> t.Any:
    if isinstance(shape, dict):
        keys = [key for key in shape if key in _REQUIRED_INSIDE or rng.random() < 0.8] or list(shape)[:1]
        return {key: _right(rng, shape[key]) for key in keys}
    if isinstance(shape, list):
        return [_right(rng, shape[0]) for __ in range(rng.randint(1, 2))]
    return copy.deepcopy(rng.choice(DATA["values"][shape]["right"]))


def _settle_pool(rng: random.Random, spec: Document) -> None:
    gone = {rng.choice(("ipipMode", "vxlanMode"))}
    for key in gone | ({"ipipMode", "blockSize"} if ":" in spec["cidr"] else set()):
        spec.pop(key, None)


def _settle_peer(rng: random.Random, spec: Document) -> None:
    gone = {rng.choice(("node", "nodeSelector"))}
    for key in gone | ({"peerIP", "asNumber", "reachableBy"} if "peerSelector" in spec else set()):
        spec.pop(key, None)
    if "reachableBy" in spec:
        spec["reachableBy"] = "2001:db8::fe" if "2001" in spec["peerIP"] else "192.0.2.254"


def _settle_configuration(rng: random.Random, spec: Document) -> None:
    spec["prefixAdvertisements"] = [{"cidr": "10.1.0.0/16", "communities": ["65000:100"]}]
    spec["communities"] = [{"name": "gold", "value": "65000:7"}]
    for key in rng.sample(("nodeToNodeMeshEnabled", "prefixAdvertisements"), rng.randint(0, 2)):
        spec.pop(key, None)
    if "prefixAdvertisements" not in spec:
        spec.pop("communities")


def _settle_filter(_rng: random.Random, spec: Document) -> None:
    for rule in (rule for rules in spec.values() for rule in rules):
        if not {"cidr", "matchOperator"} <= rule.keys():
            rule.pop("cidr", None)
            rule.pop("matchOperator", None)


def _settle_felix(rng: random.Random, spec: Document) -> None:
    spec.pop(rng.choice(("routeTableRange", "routeTableRanges")), None)


_SETTLE: t.Final[dict[str, t.Callable[[random.Random, Document], None]]] = {
    "IPPool": _settle_pool,
    "BGPPeer": _settle_peer,
    "BGPConfiguration": _settle_configuration,
    "BGPFilter": _settle_filter,
    "FelixConfiguration": _settle_felix,
}
"""By kind: takes out what contradicts something else, and puts in what is needed."""


def _places(value: t.Any, shape: Shape) -> t.Iterator[tuple[t.Any, t.Any, Shape]]:
    """Yield container, key and shape of everything below a value."""
    pairs: t.Iterable[tuple[t.Any, Shape]] = ()
    if isinstance(shape, dict) and isinstance(value, dict):
        pairs = [(key, shape[key]) for key in sorted(value.keys() & shape.keys())]
    elif isinstance(shape, list) and isinstance(value, list):
        pairs = [(index, shape[0]) for index in range(len(value))]
    for key, inner in pairs:
        yield value, key, inner
        yield from _places(value[key], inner)


def _make_odd(rng: random.Random, kind: str, found: Document) -> None:
    place = rng.random()
    places = list(_places(found["spec"], SHAPES[kind]))
    if place < 0.1 or not places:
        ((key, values),) = rng.choice(DATA["metadata"]).items()
        found["metadata"][key] = copy.deepcopy(rng.choice(values))
    elif place < 0.12:
        key, values = rng.choice((("spec", DATA["anything"]), ("extra", [1]), ("apiVersion", ["v3", None])))
        found[key] = copy.deepcopy(rng.choice(values))
    else:
        _make_value_odd(rng, *rng.choice(places))


def _make_value_odd(rng: random.Random, container: t.Any, key: t.Any, shape: Shape) -> None:
    way = rng.random()
    if way < 0.06 and isinstance(container, dict):
        container[rng.choice(_misspelt(key))] = container.pop(key)
    elif way < 0.12:
        del container[key]
    elif way < 0.2 or not isinstance(shape, str):
        container[key] = copy.deepcopy(rng.choice(DATA["anything"]))
    else:
        container[key] = copy.deepcopy(rng.choice(DATA["values"][shape]["odd"]))


def _misspelt(key: str) -> tuple[str, ...]:
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
    return (f"{key}x", f"{key}s", key[:-1], f"{snake}_", key[:1] + key, key.lower())
