# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests against other implementations of BGP. They need root; all happens in namespaces."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.bgp.site import Site
from ansible_collections.podnet.calico.tests.kernel.conftest import own_run, servers
from ansible_collections.podnet.calico.tests.kernel.net import NONE, Modules

__all__ = ["own_run", "servers"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root, say so instead of failing one by one."""
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="module")
def site(
    own_run: None, servers: t.Callable[[str], Modules], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Site]:
    """Return a place for the hosts of one file of tests, with the wire "lan"."""
    with Site.made(tmp_path_factory.mktemp("site"), servers(NONE)) as made:
        made.wire("lan")
        yield made
