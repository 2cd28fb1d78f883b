# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture of the tests with firewalld and ufw; a test module names this one in pytest_plugins."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.firewalled import Site
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace
from ansible_collections.podnet.calico.tests.tools import firewalls


@pytest.fixture
def with_firewalls(modules: Modules, new_namespace: t.Callable[[str], Namespace], tmp_path: Path) -> t.Iterator[Site]:
    """Return a host that has firewalld and ufw."""
    try:
        root = firewalls.root()
    except firewalls.Unavailable as error:
        pytest.skip(str(error))
    with Site.made(modules, new_namespace, tmp_path, root) as found:
        yield found
