# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of all unit tests."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"


def _link() -> None:
    """Have the checkout importable by the name of the collection, as tests/lab/bootstrap.sh does."""
    try:
        importlib.import_module("ansible_collections.podnet.calico.plugins")
    except ImportError:
        link = ROOT / ".cache" / "collections" / "ansible_collections" / "podnet" / "calico"
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("../../../..")
        except OSError as error:
            raise pytest.UsageError(
                f"Unit tests need {link}, a link to ../../../.., as its owner makes: {error}"
            ) from error
        importlib.invalidate_caches()


_link()

from ansible_collections.podnet.calico.tests.tools import seeds


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a seed, and a folder for what Ansible writes below ~/.ansible otherwise."""
    # ansible-test has settings of its own and does not read those of pyproject.toml.
    config.addinivalue_line("markers", "nightly: takes too long for every change; `make test-all` runs it")
    # Workers of pytest-xdist are children of this process, so that they have the same seed.
    os.environ["PODNET_SEED"] = str(seeds.seed())
    home = tempfile.TemporaryDirectory(prefix="podnet-unit-")
    os.environ["ANSIBLE_HOME"] = home.name
    config.add_cleanup(home.cleanup)
    with contextlib.suppress(ImportError):  # its tests are skipped
        _settle_hypothesis()


def _settle_hypothesis() -> None:
    """Keep the files of hypothesis where other caches are, and do not judge how long a busy machine takes."""
    from hypothesis import HealthCheck, settings
    from hypothesis.configuration import set_hypothesis_home_dir

    set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
    settings.register_profile("podnet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("podnet")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests of hypothesis begin at the seed."""
    for item in items:
        test = getattr(item, "obj", None)
        if getattr(test, "is_hypothesis_test", False):
            from hypothesis import seed

            seed(int(os.environ["PODNET_SEED"]))(test)


@pytest.fixture
def golden() -> t.Callable[[str, str], None]:
    """Return a function that compares a text with the file of that name below tests/golden.

    With UPDATE_GOLDEN=1 in the environment it writes the file instead, for a person to review.
    """

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        text = text if text.endswith("\n") else f"{text}\n"
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing; UPDATE_GOLDEN=1 writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare
