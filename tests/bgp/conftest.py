# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests against other implementations of BGP. They need root; all happens in namespaces."""

from __future__ import annotations

import os
import sys
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.bgp.site import Site
from ansible_collections.podnet.calico.tests.kernel.net import Modules


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root, say so instead of failing one by one."""
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="session")
def bird_modules() -> t.Iterator[Modules]:
    """Return the modules of one Python: BIRD's do not use pyroute2."""
    found = Modules(sys.executable, None)
    yield found
    found.close()


@pytest.fixture(scope="module")
def site(bird_modules: Modules, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    """Return a place for the hosts of one file of tests, with the wire "lan"."""
    made = Site(tmp_path_factory.mktemp("site"), bird_modules)
    try:
        made.wire("lan")
        yield made
    finally:
        made.close()
