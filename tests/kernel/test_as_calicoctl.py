# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of random documents get the same answer from us as from calicoctl, but for the listed differences."""

from __future__ import annotations

import random
import re
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.tests.tools import calico_cni, calico_documents, calico_judge, seeds

pytestmark = pytest.mark.nightly

EACH = 2000
# docs/datastore.md, "What calicoctl takes", has these with their reasons.
REFUSED_HERE = (
    r"is not a field of Calico v3\.32\. Did you mean",
    r"asNumber [-0-9.]+ is not an AS number\. Put the halves",
    r"(password|nodeMeshPassword)\.secretKeyRef(\.name|\.key)? is missing",
    r"spec\.(peerIP|asNumber)( \S+)? is missing",
    r"is a link-local address, which does not say",
    r"numAllowedLocalASNumbers -1 is not within",
    r'"(..[:-]){7}.." is not a MAC address',
    r"spec\.(bindMode|floatingIPs|routeSource|chainInsertMode|iptablesBackend) .* is not (one of|a text)",
    r"spec\.(failsafe\w+\[\d+\]\.port|healthTimeoutOverrides\[\d+\]\.timeout) is missing",
    r'"-[^"]*" is not a duration',
    r'spec\.node ".*" is not the name of a node',
    r"is neither default nor node\.<node>",
    r"spec\.nodeSelector is missing",
    r"communities .* is defined twice",
    r"is a range of IPv4 written as one of IPv6",
    r'PortRange "[a-z]+" is not a range of ports',
    r'spec\.communities\[\d+\]\.value "\d+:\d+" is not a community',
    r"spec\.\w+\[\d+\]\.\w+ \S+ is not a text",
)
TAKEN_HERE = (
    r"field in document is not recognized",
    r"because of Tag: (logLevel|dropAcceptReturn|acceptReturn|dropReject|bpfLogLevel|bpfServiceMode|oneof) ",
)


def ours(document: dict[str, t.Any]) -> list[str]:
    """Return what is wrong in a document, as the modules find it."""
    try:
        put(put({}, calico_judge.FIRST), [document])
    except InvalidInput as error:
        listed = error.details.get("problems") or [{"message": error.message, "remedy": error.remedy}]
        return [f"{problem['message']}. {problem['remedy']}" for problem in listed]
    return []


def is_listed(kind: str, refused: str, found: list[str]) -> bool:
    """Tell whether answers that differ do so for reasons of the lists."""
    if found:
        return all(any(re.search(reason, problem) for reason in REFUSED_HERE) for problem in found)
    return any(re.search(reason, refused) for reason in TAKEN_HERE) and kind in {
        "FelixConfiguration",
        "BGPConfiguration",
    }


@pytest.fixture(scope="module")
def answered() -> list[tuple[dict[str, t.Any], str]]:
    rng = random.Random(seeds.seed())  # noqa: S311 (nothing is kept secret)
    documents = [calico_documents.document(rng, kind) for kind in calico_documents.SHAPES for _ in range(EACH)]
    try:
        return list(zip(documents, calico_judge.answers(documents), strict=True))
    except calico_cni.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("kind", calico_documents.SHAPES)
def test_answers_are_those_of_calicoctl(kind: str, answered: list[tuple[dict[str, t.Any], str]]) -> None:
    cases = [(document, refused, ours(document)) for document, refused in answered if document["kind"] == kind]
    differing = [case for case in cases if bool(case[1]) != bool(case[2])]
    unlisted = [case for case in differing if not is_listed(kind, *case[1:])]
    taken = sum(not refused for _, refused, __ in cases)
    print(f"{kind}: {len(cases)}, calicoctl takes {taken}; {len(differing)} differ, {len(unlisted)} of them unlisted")
    for case in unlisted:
        print(*case)
    assert len(cases) == EACH
    assert len(unlisted) <= EACH // 100
