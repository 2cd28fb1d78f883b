# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of the datastore: dispatch, what is refused, and records that keep fields of other versions."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore import yaml_text
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise, plural


def document(kind: str, name: str = "x", version: str = "projectcalico.org/v3", **spec: t.Any) -> dict[str, t.Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def test_typed_kinds_get_their_defaults() -> None:
    assert normalise(document("IPPool", cidr="10.0.0.0/16"))["spec"]["blockSize"] == 26


@pytest.mark.parametrize("kind", yaml_text.COMPACT_KINDS)
def test_records_keep_fields_that_are_not_known(kind: str) -> None:
    given = document(kind, anything=[{"nested": None}], cidr="10.0.0.0/16", node="n", block={})
    assert normalise(given) == given


def test_crd_version_becomes_the_api_version() -> None:
    given = document("IPAMHandle", "h", "crd.projectcalico.org/v1", block={})
    assert normalise(given)["apiVersion"] == "projectcalico.org/v3"


def test_what_kubernetes_adds_to_metadata_is_left_out() -> None:
    given = document("BGPFilter")
    given["metadata"].update(generation=3, managedFields=[{}], resourceVersion=77, creationTimestamp=None)
    assert normalise(given)["metadata"] == {"name": "x", "resourceVersion": "77"}


INVALID = {
    "near kind": (document("IPPools"), 'kind "IPPools" is not managed', "Did you mean IPPool?"),
    "other kind": (document("Deployment"), 'kind "Deployment" is not managed', "Kinds are ClusterInformation"),
    "no kind": ({"metadata": {"name": "x"}}, "A document has no kind", "Kinds are"),
    "version": (document("Node", version="v1"), 'apiVersion "v1" is not known', "crd.projectcalico.org/v1"),
    "name": (document("IPAMHandle", "K8s_x"), "is not a DNS-1123 subdomain", "k8s-x"),
    "part": ({**document("BGPFilter"), "cidr": "x"}, "cidr is not a part of a document", "below spec"),
    "metadata is a list": ({**document("BGPFilter"), "metadata": []}, "metadata [] is not a mapping", "field: value"),
}


@pytest.mark.parametrize(("given", "message", "remedy"), INVALID.values(), ids=INVALID)
def test_document_is_refused(given: dict[str, t.Any], message: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise(given)
    assert message in str(caught.value)
    assert remedy in str(caught.value)


def test_plural_of_an_unknown_kind_is_refused() -> None:
    assert plural("BlockAffinity") == "blockaffinities"
    with pytest.raises(InvalidInput, match="Did you mean BlockAffinity"):
        plural("BlockAffinities")
