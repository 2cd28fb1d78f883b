# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the CNI specification demands of a configuration list, section 1, by version: 0.3.1, 0.4.0, 1.0.0, 1.1.0.

Source: SPEC.md of containernetworking/cni at these tags. A key that an older version does not know is refused for it,
since a runtime ignores it without a word.
"""

from __future__ import annotations

import difflib
import json
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all

VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+\-]*")  # the type is the name of a file in CNI_PATH
_VERSION = re.compile(r"\d+\.\d+\.\d+")
# Keys of a list beside cniVersion, name and plugins: what they are, and the version that brought them.
_LIST_KEYS: dict[str, tuple[str, str]] = {
    "disableCheck": ("boolean", "0.4.0"),
    "cniVersions": ("versions", "1.1.0"),
    "disableGC": ("boolean", "1.1.0"),
    "loadOnlyInlinedPlugins": ("boolean", "1.1.0"),
}
# Given by the runtime at the time of execution: section 1, "Reserved keys", and section 3, "Deriving".
_RESERVED = ("cniVersion", "name", "prevResult", "runtimeConfig", "args")

Data = t.Mapping[str, t.Any]


class _Problems:
    """Collects what is wrong in one list, each with its place."""

    def __init__(self, name: str) -> None:
        self.where = f'CNI network "{name}"'
        self.found: list[InvalidInput] = []

    def add(self, path: str, value: t.Any, complaint: str, remedy: str) -> None:
        shown = "" if value is None else f" {json.dumps(value, default=str, ensure_ascii=False)}"
        self.found.append(InvalidInput(f"{self.where}: {path}{shown} {complaint}", remedy=remedy, path=path))

    def text(self, path: str, value: t.Any) -> None:
        if not isinstance(value, str) or not value:
            self.add(path, value, "is not a text", f'Put it in quotes: "{value}"')

    def texts(self, path: str, value: t.Any) -> None:
        if not isinstance(value, list):
            self.add(path, value, "is not a list", "Give it as a list, even of one element")
            return
        for index, item in enumerate(value):
            self.text(f"{path}[{index}]", item)

    def flag(self, path: str, value: t.Any) -> None:
        if not isinstance(value, bool):
            self.add(path, value, "is not a boolean", "Give true or false, without quotes")

    def mapping(self, path: str, value: t.Any) -> Data:
        if isinstance(value, t.Mapping):
            return value
        self.add(path, value, "is not an object", "Give it as key: value lines")
        return {}


def check(network: Data) -> None:
    """Raise InvalidInput with everything in a configuration list that is against the specification of its version."""
    raise_all(problems(network))


def problems(network: Data) -> list[InvalidInput]:
    """Return everything in a configuration list that is against the specification of its version."""
    found = _Problems(str(network.get("name") or ""))
    version = network.get("cniVersion")
    if version not in VERSIONS:
        found.add("cniVersion", version, "is no version that this knows", f"Use one of {', '.join(VERSIONS)}")
        version = VERSIONS[-1]
    name = network.get("name")
    _name(found, name)
    _list_keys(network, str(version), found)
    plugins = network.get("plugins")
    if not isinstance(plugins, list) or not plugins:
        found.add("plugins", plugins, "is not a list with at least one plugin", "Add a plugin")
        return found.found
    for index, plugin in enumerate(plugins):
        _plugin(found, f"plugins[{index}]", plugin)
    return found.found


def check_name(name: str) -> None:
    """Raise InvalidInput for what cannot be the name of a network, which is the name of a folder as well."""
    found = _Problems(name)
    _name(found, name)
    raise_all(found.found)


def is_name(name: t.Any) -> bool:
    """Tell whether something can be the name of a network."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name))


def _name(found: _Problems, name: t.Any) -> None:
    if not is_name(name):
        found.add("name", name, "is no name of a network", "Use letters, digits, and . _ - but for the first")


def _list_keys(network: Data, version: str, found: _Problems) -> None:
    for key, value in network.items():
        if key in ("cniVersion", "name", "plugins"):
            continue
        if key not in _LIST_KEYS:
            near = difflib.get_close_matches(key, _LIST_KEYS, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(_LIST_KEYS)}"
            found.add(key, None, "is not a key of a configuration list", remedy)
            continue
        kind, since = _LIST_KEYS[key]
        if _number(version) < _number(since):
            found.add(key, None, f"is not known to version {version}", f"Use version {since} or later, or leave it out")
        elif kind == "boolean":
            found.flag(key, value)
        else:
            found.texts(key, value)
            for item in value if isinstance(value, list) else []:
                if isinstance(item, str) and not _VERSION.fullmatch(item):
                    found.add(key, item, "is no version", "Write it like 1.0.0")


def _plugin(found: _Problems, path: str, plugin: t.Any) -> None:
    """Look at one plugin: its type, its capabilities, what is reserved, and the well-known keys."""
    values = found.mapping(path, plugin)
    kind = values.get("type")
    if not isinstance(kind, str) or not _PROGRAM.fullmatch(kind):
        found.add(f"{path}.type", kind, "is no name of a program", "Name the plugin, without its directory")
    for key in values:
        if key in _RESERVED or str(key).startswith("cni.dev/"):
            found.add(f"{path}.{key}", None, "is given by the container runtime", "Leave it out")
    if "capabilities" in values:
        for key, value in found.mapping(f"{path}.capabilities", values["capabilities"]).items():
            found.flag(f"{path}.capabilities.{key}", value)
    _well_known(found, path, values)


def _well_known(found: _Problems, path: str, values: Data) -> None:
    """Look at the keys whose meaning all plugins share."""
    if "ipMasq" in values:
        found.flag(f"{path}.ipMasq", values["ipMasq"])
    if "ipam" in values:
        ipam = found.mapping(f"{path}.ipam", values["ipam"])
        if ipam and (not isinstance(ipam.get("type"), str) or not _PROGRAM.fullmatch(ipam["type"])):
            found.add(f"{path}.ipam.type", ipam.get("type"), "is no name of a program", "Name the IPAM plugin")
    if "dns" in values:
        dns = found.mapping(f"{path}.dns", values["dns"])
        for key in ("nameservers", "search", "options"):
            if key in dns:
                found.texts(f"{path}.dns.{key}", dns[key])
        if "domain" in dns:
            found.text(f"{path}.dns.domain", dns["domain"])


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
