# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents: links that lead somewhere, a table of modules that is current, no address of a real network."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.tools import module_table

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "roles").glob("*/README.md"))]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
# RFC 5737, the range of pods in all examples, and the link-local address that is every pod's gateway.
RANGES = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "10.244.0.0/16", "169.254.0.0/16")
ALLOWED = [ipaddress.ip_network(text) for text in RANGES]


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_table_of_modules_is_current() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert module_table.renewed(text) == text


@pytest.mark.parametrize("path", DOCUMENTS, ids=identify)
def test_links_lead_somewhere(path: Path) -> None:
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=identify)
def test_addresses_are_those_of_documentation(path: Path) -> None:
    found = {ipaddress.ip_address(text) for text in ADDRESS.findall(path.read_text(encoding="utf-8"))}
    assert [str(address) for address in sorted(found) if not any(address in network for network in ALLOWED)] == []
