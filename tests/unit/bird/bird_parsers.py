# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real BIRD says of a configuration, and the blocks of one."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import SECRETS_FILE
from ansible_collections.podnet.calico.tests.tools import bird_versions

VERSIONS = {"2.0": (2, 0), "2.17": (2, 17), "3.1": (3, 1)}


def parse(text: str, directory: Path, release: str = "2.0", secrets: str = "") -> None:
    """Have a BIRD read a configuration, which it must do without a word."""
    (directory / SECRETS_FILE).write_text(secrets)
    path = directory / ".podnet-candidate"
    path.write_text(text)
    said = bird_versions.parse(release, path)
    assert (said.returncode, said.stdout + said.stderr) == (0, ""), text


def lines_of(text: str, head: str) -> list[str]:
    """Return the lines of a block."""
    found = re.search(rf"^{head} \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return [line.strip() for line in found.group(1).splitlines()]
