# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration lists against the CNI specification of their version."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni.spec import check_name, problems
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

PLUGIN: dict[str, t.Any] = {"type": "ptp", "ipMasq": False, "ipam": {"type": "host-local"}}
GOOD: dict[str, t.Any] = {"cniVersion": "1.0.0", "name": "podnet", "plugins": [PLUGIN]}


def made(plugin: t.Any = None, **keys: t.Any) -> dict[str, t.Any]:
    return {**GOOD, **({"plugins": [{**PLUGIN, **plugin}]} if plugin else {}), **keys}


@pytest.mark.parametrize(
    "network",
    [
        GOOD,
        made(cniVersion="0.4.0", disableCheck=True),
        made(cniVersion="1.1.0", disableGC=True, loadOnlyInlinedPlugins=True, cniVersions=["0.4.0", "1.1.0"]),
        made({"capabilities": {"portMappings": True}, "dns": {"nameservers": ["192.0.2.53"], "domain": "a.b"}}),
        made(name="a_b-c.9"),
    ],
)
def test_good_ones(network: dict[str, t.Any]) -> None:
    assert problems(network) == []


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (made(cniVersion="2.0.0"), 'cniVersion "2.0.0" is no version that this knows. Use one of 0.3.1, 0.4.0, 1.0'),
        (made(cniVersion=1), "cniVersion 1 is no version"),
        (made(name="-a"), 'name "-a" is no name of a network'),
        (made(name=None), "name is no name of a network"),
        (made(plugins=[]), "plugins [] is not a list with at least one plugin"),
        (made(plugins={}), "plugins {} is not a list"),
        (made(plugins=["ptp"]), 'plugins[0] "ptp" is not an object'),
        (made(disableGC=True), "disableGC is not known to version 1.0.0. Use version 1.1.0 or later"),
        (made(cniVersion="0.3.1", disableCheck=True), "disableCheck is not known to version 0.3.1"),
        (made(disableCheck="true"), 'disableCheck "true" is not a boolean'),
        (made(disablecheck=True), "disablecheck is not a key of a configuration list. Did you mean disableCheck?"),
        (made(cniVersion="1.1.0", cniVersions=["new"]), 'cniVersions "new" is no version'),
        (made(cniVersion="1.1.0", loadOnlyInlinedPlugins=1), "loadOnlyInlinedPlugins 1 is not a boolean"),
        (made({"type": "a/b"}), 'plugins[0].type "a/b" is no name of a program'),
        (made({"prevResult": {}}), "plugins[0].prevResult is given by the container runtime"),
        (made({"cni.dev/valid-attachments": []}), "plugins[0].cni.dev/valid-attachments is given by"),
        (made({"capabilities": {"mac": "yes"}}), 'plugins[0].capabilities.mac "yes" is not a boolean'),
        (made({"capabilities": ["mac"]}), "plugins[0].capabilities"),
        (made({"ipMasq": "no"}), 'plugins[0].ipMasq "no" is not a boolean'),
        (made({"ipam": {"ranges": []}}), "plugins[0].ipam.type is no name of a program"),
        (made({"dns": {"search": "a.b", "domain": 7}}), 'dns.search "a.b" is not a list'),
    ],
)
def test_bad_ones(network: dict[str, t.Any], message: str) -> None:
    assert any(message in str(problem) for problem in problems(network)), [str(each) for each in problems(network)]


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "a b"])
def test_names_that_are_no_folder(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)
