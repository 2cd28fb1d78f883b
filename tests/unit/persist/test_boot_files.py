# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit and the files for network managers, and which devices these claim."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from pathlib import PurePath

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import interface_name
from ansible_collections.podnet.calico.plugins.module_utils.persist import boot_files
from ansible_collections.podnet.calico.plugins.module_utils.persist.boot_files import (
    NETWORK_MANAGER,
    NETWORKD_CONF,
    NETWORKD_LINKS,
    UNIT,
)

ALL = boot_files.texts(["vxlan.calico"], networkd=True, network_manager=True)
PREFIXES = {NETWORKD_CONF: "networkd-", NETWORK_MANAGER: "network-manager-"}  # both end with the same name


@pytest.mark.parametrize("path", ALL)
def test_text(golden: t.Callable[[str, str], None], path: str) -> None:
    golden(f"restore/{PREFIXES.get(path, '')}{PurePath(path).name}", ALL[path])


@pytest.mark.parametrize(
    ("networkd", "network_manager", "paths"),
    [
        (False, False, {UNIT}),
        (True, False, {UNIT, NETWORKD_CONF, NETWORKD_LINKS}),
        (False, True, {UNIT, NETWORK_MANAGER}),
    ],
)
def test_only_for_who_is_there(networkd: bool, network_manager: bool, paths: set[str]) -> None:
    assert set(boot_files.texts([], networkd=networkd, network_manager=network_manager)) == paths


def claimed(path: str, name: str) -> bool:
    """Tell whether a file's patterns match a device; both programs take these as fnmatch(3) does."""
    line = next(line for line in ALL[path].splitlines() if re.match(r"Name=|unmanaged-devices", line))
    patterns = re.split(r"[ ;]", line.partition("=")[2].replace("interface-name:", ""))
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


@pytest.mark.parametrize("path", [NETWORKD_LINKS, NETWORK_MANAGER])
@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (interface_name("shop.web-0"), True),
        ("tunl0", True),
        ("vxlan.calico", True),
        ("vxlan-v6.calico", True),
        ("eth0", False),
        ("tunl1", False),
        ("vxlan0", False),
        ("california0", False),
        ("veth0123456", False),
    ],
)
def test_claims_our_devices_and_no_others(path: str, name: str, ours: bool) -> None:
    assert claimed(path, name) == ours
