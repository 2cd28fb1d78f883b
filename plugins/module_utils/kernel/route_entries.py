# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes as a user lists them, checked and turned into their canonical form. Nothing is touched here."""

from __future__ import annotations

import itertools
import json
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    MAIN_TABLE,
    SCOPE_LINK,
    TYPES,
    Hop,
    Route,
    Template,
    Way,
    default_metric,
    name,
    words,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import ROUTE_PROTOCOL

Entry = t.Mapping[str, t.Any]
_Alike = t.Tuple[int, int, int, int]  # family, table, metric, prefix length
_U32 = (1 << 32) - 1
_DESTINATIONS = ("destination", "destinations")
# The options of a route beside its destinations: their types, and the range of numbers.
FIELDS: dict[str, tuple[t.Any, int, int]] = {
    "type": (str, 0, 0),
    "gateway": (str, 0, 0),
    "device": (str, 0, 0),
    "onlink": (bool, 0, 0),
    "scope": (str, 0, 0),
    "source": (str, 0, 0),
    "metric": (int, 0, _U32),
    "mtu": (int, 1, 65535),
    "table": (int, 1, _U32),
    "next_hops": (list, 0, 0),
}
_HOP_FIELDS: dict[str, tuple[t.Any, int, int]] = {
    "gateway": (str, 0, 0),
    "device": (str, 0, 0),
    "onlink": (bool, 0, 0),
    "weight": (int, 1, 256),
}
_BITS: dict[int, int] = {socket.AF_INET: 32, socket.AF_INET6: 128}
_LENGTHS: dict[int, dict[str | None, int]] = {
    family: {None: bits, **{str(n): n for n in range(bits + 1)}} for family, bits in _BITS.items()
}


def from_file(path: str) -> t.Any:
    """Return what a JSON file holds; raises InvalidInput if it cannot be read or is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise InvalidInput(f"read routes from {path}: {error.strerror}", remedy="Correct src") from error
    except (ValueError, RecursionError) as error:
        message = f"read routes from {path}: it is not JSON: {error}"
        raise InvalidInput(message, remedy="Write a list in the form of the option routes") from error


class Wanted(t.NamedTuple):
    """What a list asks for: the canonical bodies, in order, and the (family, table) that they are in."""

    bodies: dict[bytes, None]
    tables: set[tuple[int, int]]


def parse(entries: t.Any, devices: Devices) -> Wanted:
    """Return listed routes in canonical form.

    entries: a list of mappings, each with destination (CIDR) or destinations (a list of them) and options (FIELDS);
    None means unset. Raises InvalidInput for whatever is not that, and for combinations that the kernel would refuse.
    """
    if not isinstance(entries, list):
        raise InvalidInput(f"routes: expected a list, got {_kind(entries)}", remedy="List the routes")
    lists: list[list[bytes]] = []
    alike: dict[_Alike, list[tuple[Way, list[bytes]]]] = {}
    for place, entry in enumerate(entries, 1):
        for family, texts in _destinations(entry, place).items():
            way = _way(entry, family, texts[0], devices)
            template = Template(way)
            for length, packed in _networks(family, texts).items():
                lists.append(template.bodies(length, packed))
                alike.setdefault((family, way.table, way.metric, length), []).append((way, packed))
    for (__, __, __, length), groups in alike.items():
        _refuse_contradictions(length, groups, devices)
    bodies = dict.fromkeys(itertools.chain.from_iterable(lists))
    return Wanted(bodies, {(family, table) for family, table, __, __ in alike})


def _kind(value: t.Any) -> str:
    return "nothing" if value is None else type(value).__name__


def _destinations(entry: t.Any, place: int) -> dict[int, list[str]]:
    """Return the destinations of an entry by address family."""
    if not isinstance(entry, dict):
        raise InvalidInput(f"routes: number {place} is {_kind(entry)}, not a mapping", remedy="See the documentation")
    single, several = entry.get("destination"), entry.get("destinations")
    if (single is None) == (several is None):
        raise InvalidInput(
            f"routes: number {place} needs either destination or destinations", remedy="Give one of the two"
        )
    texts = [single] if several is None else several
    if not isinstance(texts, list) or not set(map(type, texts)) <= {str}:
        raise InvalidInput(f"routes: number {place}: destinations are not all text", remedy="Write them as 10.0.0.0/26")
    if not texts:
        _checked(entry, FIELDS, f"routes: number {place}", beside=_DESTINATIONS)
        return {}
    if ":" not in "".join(texts):
        return {socket.AF_INET: texts}
    found: dict[int, list[str]] = {}
    for text in texts:
        found.setdefault(socket.AF_INET6 if ":" in text else socket.AF_INET, []).append(text)
    return found


def _networks(family: int, texts: list[str]) -> dict[int, list[bytes]]:
    """Return packed addresses by prefix length; all at once, since there may be a hundred thousand."""
    found: dict[int, list[bytes]] = {}
    for length_text, addresses in _by_length(texts).items():
        length = _LENGTHS[family].get(length_text)
        try:
            packed = list(map(socket.inet_pton, itertools.repeat(family), addresses))
        except (OSError, ValueError):
            packed = []
        if length is None or not packed or _has_host_bits(family, length, packed):
            _refuse_bad_network(family, texts)
        found.setdefault(length, []).extend(packed)  # a length that is left out may be written out elsewhere
    return found


def _by_length(texts: list[str]) -> dict[str | None, list[str]]:
    """Return the addresses by the text of the prefix length; all at once if it is the same for all."""
    ending = f"/{texts[0].rpartition('/')[2]},"
    joined = ",".join(texts) + ","
    addresses = joined.replace(ending, ",").split(",")[:-1]
    if joined.count(ending) == joined.count("/") == len(addresses) == len(texts):
        return {ending[1:-1]: addresses}
    groups: dict[str | None, list[str]] = {}
    for text in texts:
        address, slash, length = text.partition("/")
        groups.setdefault(length if slash else None, []).append(address)
    return groups


def _has_host_bits(family: int, length: int, packed: list[bytes]) -> bool:
    """Tell whether an address has bits beyond the prefix length; all of them are looked at as one large number."""
    bits = _BITS[family]
    mask = ((1 << (bits - length)) - 1).to_bytes(bits // 8, "big") * len(packed)
    return bool(int.from_bytes(b"".join(packed), "big") & int.from_bytes(mask, "big"))


def _refuse_bad_network(family: int, texts: t.Iterable[str]) -> t.NoReturn:
    for text in texts:
        address, slash, length = text.partition("/")
        reason = ""
        try:
            packed = socket.inet_pton(family, address)
        except (OSError, ValueError):
            reason = f'"{address}" is not an address'
        else:
            known = _LENGTHS[family].get(length if slash else None)
            if known is None:
                reason = f'"{length}" is not a prefix length from 0 to {_BITS[family]}'
            elif _has_host_bits(family, known, [packed]):
                reason = "it has host bits set"
        if reason:
            raise InvalidInput(
                f'route: destination "{text}" is not a network: {reason}', remedy="Write it as 10.0.0.0/26"
            )
    raise AssertionError(texts)


def _checked(
    entry: Entry, fields: t.Mapping[str, tuple[t.Any, int, int]], what: str, *, beside: tuple[str, ...] = ()
) -> dict[str, t.Any]:
    """Return the options that are set, each of its type and in its range; those beside are not looked at."""
    values = {}
    for option, value in entry.items():
        if option in beside or (value is None and option in fields):
            continue
        if option not in fields:
            raise InvalidInput(f"{what}: there is no option {option}", remedy=f"Options are {', '.join(fields)}")
        kind, low, high = fields[option]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # a bool is an int, too
            raise InvalidInput(f"{what}: {option} is {_kind(value)}, not {kind.__name__}", remedy=f"Correct {option}")
        if kind is int and not low <= value <= high:
            raise InvalidInput(f"{what}: {option} {value} is not between {low} and {high}", remedy=f"Correct {option}")
        values[option] = value
    return values


def _way(entry: Entry, family: int, first: str, devices: Devices) -> Way:
    what = f"route {first}"
    values = _checked(entry, FIELDS, what, beside=_DESTINATIONS)
    kind = _choice(values, "type", (*TYPES,), "unicast", what)
    scope = _choice(values, "scope", ("global", "link"), "global", what)
    hops = _hops(values, family, kind, what, devices)
    return Way(
        family=family,
        kind=TYPES[kind],
        table=values.get("table", MAIN_TABLE),
        metric=values.get("metric") or default_metric(family),
        hops=hops,
        source=_address(values["source"], family, "source", what) if values.get("source") else b"",
        mtu=values.get("mtu", 0) if kind == "unicast" else 0,
        scope=SCOPE_LINK
        if scope == "link" and family == socket.AF_INET and not any(hop.gateway for hop in hops)
        else 0,
    )


def _choice(values: Entry, option: str, choices: tuple[str, ...], default: str, what: str) -> str:
    value = str(values.get(option) or default)
    if value not in choices:
        raise InvalidInput(f'{what}: {option} "{value}" is none of {", ".join(choices)}', remedy=f"Correct {option}")
    return value


def _hops(values: Entry, family: int, kind: str, what: str, devices: Devices) -> tuple[Hop, ...]:
    several = values.get("next_hops") or []
    if kind != "unicast":
        if several or values.get("gateway") or values.get("device"):
            raise InvalidInput(f"{what}: a {kind} route has no gateway and no device", remedy="Leave them out")
        return ()
    if not several:
        return (_hop(values, family, what, devices),)
    if any(values.get(option) for option in ("gateway", "device", "onlink")):
        raise InvalidInput(f"{what}: next_hops and gateway, device or onlink", remedy="Give them in each of next_hops")
    hops = []
    for hop in several:
        if not isinstance(hop, dict):
            raise InvalidInput(f"{what}: one of next_hops is {_kind(hop)}, not a mapping", remedy="Correct next_hops")
        hops.append(_hop(_checked(hop, _HOP_FIELDS, f"{what}: next_hops"), family, what, devices))
    return tuple(sorted(hops))


def _hop(values: Entry, family: int, what: str, devices: Devices) -> Hop:
    gateway, device = values.get("gateway"), values.get("device")
    if not gateway and not device:
        raise InvalidInput(f"{what}: neither gateway nor device is given", remedy="Give one of them")
    if values.get("onlink") and not (gateway and device):
        raise InvalidInput(f"{what}: onlink needs a gateway and a device", remedy="Give both, or leave onlink out")
    return Hop(
        gateway=_address(gateway, family, "gateway", what) if gateway else b"",
        device=devices.index(device, what) if device else 0,
        onlink=values.get("onlink", False),
        weight=values.get("weight", 1),
    )


def _address(text: str, family: int, option: str, what: str) -> bytes:
    try:
        return socket.inet_pton(family, text)
    except (OSError, ValueError) as error:
        other = socket.AF_INET if family == socket.AF_INET6 else socket.AF_INET6
        try:
            socket.inet_pton(other, text)
        except (OSError, ValueError):
            message = f'{what}: {option} "{text}" is not an address'
        else:
            message = f"{what}: {option} {text} is of another IP version"
        raise InvalidInput(message, remedy=f"Correct {option}") from error


def _refuse_contradictions(length: int, groups: list[tuple[Way, list[bytes]]], devices: Devices) -> None:
    """Raise InvalidInput for two different routes that are one to the kernel: the second would replace the first.

    groups: ways with their packed destinations, all with the same table, metric and prefix length.
    """
    lists = [packed for __, packed in groups]
    if len(lists) == 1 or len(set().union(*lists)) == sum(map(len, lists)):
        return
    seen: dict[bytes, Way] = {}
    for way, packed in groups:
        for address in packed:
            first = seen.setdefault(address, way)
            if first != way:
                twice = name(Route(address, length, ROUTE_PROTOCOL, way))
                one, other = (words(each, devices.name) for each in (first, way))
                raise InvalidInput(
                    f"routes: {twice} is listed twice, as {one} and as {other}",
                    remedy="List it once, or give the two different metrics",
                )
