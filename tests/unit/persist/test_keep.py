# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services are told when their files come, change and go."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.persist.boot_files import (
    NETWORK_MANAGER,
    NETWORKD_CONF,
    NETWORKD_LINKS,
    PENDING,
    RESTORE,
    SERVICE,
    UNIT,
)
from ansible_collections.podnet.calico.plugins.module_utils.persist.keep import (
    orders,
    orders_after_removal,
    orders_before_removal,
)
from ansible_collections.podnet.calico.plugins.module_utils.systemd import Order

NM, NETWORKD = "NetworkManager.service", "systemd-networkd.service"
DROP_IN = "/etc/systemd/network/10-eth0.network.d/podnet-calico.conf"
RELOAD, ENABLE, RELOAD_NM = ("daemon-reload",), ("enable", SERVICE), ("reload", NM)
RESTART, RESTART_BOTH = ("restart", SERVICE), ("restart", NETWORKD, SERVICE)
BOTH = (NM, NETWORKD)


class Case(t.NamedTuple):
    """Files that have changed, the host (where systemd runs and our unit is enabled, unless said), the orders."""

    changed: t.Sequence[str]
    expected: list[Order]
    active: t.Collection[str] = BOTH
    unit: bool = False
    manages: bool = True
    enabled: bool = True


CASES: dict[str, Case] = {
    "nothing": Case([], []),
    "the first deployment": Case(
        [UNIT, RESTORE, NETWORK_MANAGER, NETWORKD_CONF, NETWORKD_LINKS],
        [RELOAD, ENABLE, RELOAD_NM, RESTART_BOTH],
        unit=True,
        enabled=False,
    ),
    "where no network manager runs": Case(
        [UNIT, RESTORE, NETWORK_MANAGER, NETWORKD_CONF], [RELOAD, ENABLE, RESTART], active=(), unit=True, enabled=False
    ),
    "other routes": Case([RESTORE], [RESTART]),
    "another unit": Case([UNIT], [RELOAD, ENABLE, RESTART]),
    "more tunnels for NetworkManager": Case([NETWORK_MANAGER], [RELOAD_NM]),
    "more tunnels for a NetworkManager that does not run": Case([NETWORK_MANAGER], [], active=(NETWORKD,)),
    "systemd-networkd's own settings": Case([NETWORKD_CONF], [("restart", NETWORKD)]),
    "more tunnels for systemd-networkd": Case([NETWORKD_LINKS], [("restart", NETWORKD)]),
    "an address to be kept": Case([DROP_IN], [("restart", NETWORKD)]),
    "a systemd-networkd that does not run": Case([NETWORKD_CONF, DROP_IN], [], active=(NM,)),
    "the mark of an unfinished run": Case([PENDING], []),
    "our unit has stopped": Case([], [RESTART], unit=True),
    "our unit is disabled": Case([], [ENABLE, RESTART], unit=True, enabled=False),
    "a chroot in which an image is built": Case(
        [UNIT, RESTORE, NETWORK_MANAGER, NETWORKD_CONF], [ENABLE], unit=True, manages=False, enabled=False
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_orders(case: Case) -> None:
    def active(service: str) -> bool:
        assert case.manages, "nothing is active where no systemd runs"
        return service in case.active

    assert orders(case.changed, case.unit, manages=case.manages, enabled=case.enabled, active=active) == case.expected


@pytest.mark.parametrize(
    ("before", "manages", "enabled", "expected"),
    [
        ([UNIT, RESTORE], True, True, [("stop", SERVICE), ("disable", SERVICE)]),
        ([UNIT], True, False, [("stop", SERVICE)]),
        ([UNIT], False, True, [("disable", SERVICE)]),
        ([RESTORE], True, True, []),
        ([], True, False, []),
    ],
)
def test_orders_before_removal(before: list[str], manages: bool, enabled: bool, expected: list[Order]) -> None:
    assert orders_before_removal(before, manages=manages, enabled=enabled) == expected


@pytest.mark.parametrize(
    ("before", "manages", "active", "expected"),
    [
        ([UNIT, RESTORE, NETWORKD_CONF, NETWORK_MANAGER], True, BOTH, [RELOAD, RELOAD_NM]),
        ([UNIT, RESTORE, NETWORKD_CONF], True, BOTH, [RELOAD]),
        ([NETWORK_MANAGER], True, BOTH, [RELOAD_NM]),
        ([NETWORK_MANAGER], True, (), []),
        ([PENDING], True, BOTH, [RELOAD, RELOAD_NM]),  # a removal that was killed
        ([UNIT, NETWORK_MANAGER], False, (), []),
        ([], True, BOTH, []),
    ],
)
def test_orders_after_removal(
    before: list[str], manages: bool, active: t.Collection[str], expected: list[Order]
) -> None:
    assert orders_after_removal(before, manages=manages, active=active.__contains__) == expected
