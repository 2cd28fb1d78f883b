# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as calicoctl prints and reads it: several documents in one text, lists of objects, no timestamps."""

from __future__ import annotations

import functools
import json
import math
import re
import traceback
import typing as t

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.podnet.calico.plugins.module_utils.errors import DatastoreError, MissingLibrary
from ansible_collections.podnet.calico.plugins.module_utils.resources.lists import documents_of

try:
    import yaml
except ImportError:  # pragma: no cover
    YAML_TRACE: str | None = traceback.format_exc()
else:
    YAML_TRACE = None

HEADER = "# Managed by podnet.calico; edits are kept, comments are not.\n"
_REVISION = re.compile(re.escape(HEADER) + r"# Revision ([0-9]{1,18})\n")
COMPACT_KINDS = ("BlockAffinity", "IPAMBlock", "IPAMHandle")
"""Kinds that only programs write, one small file each and many of them: rendered as JSON, which YAML contains."""

DEEPEST = 100
LARGEST = 10_000_000
_INDENT = re.compile(r"^[ ?-]+", re.MULTILINE)
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o?[0-7]+|0x[0-9a-fA-F]+")


def parse(text: str, source: str) -> list[t.Any]:
    """Return the objects in a text: of every YAML document, and of every list in it one after the other.

    source is the name by which DatastoreError speaks of the text; it names the line, too, where YAML is broken.
    """
    _require_yaml()
    compact = _parse_compact(text)
    if compact is not None:
        return documents_of(compact)
    try:
        _check_depth(text, source)
        documents = list(yaml.load_all(text, Loader=_loader()))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"Reading {source}: line {line} is not valid YAML: {error.problem or error.context}"
        raise DatastoreError(message, remedy="Correct the file, or move it elsewhere", line=line) from error
    except (yaml.YAMLError, ValueError) as error:
        raise DatastoreError(f"Reading {source}: not valid YAML: {error}", remedy="Correct the file") from error
    _check_size(documents, source)
    return [item for document in documents for item in documents_of(document)]


def _check_depth(text: str, source: str) -> None:
    """Raise DatastoreError for a text nested too deep; libyaml 0.2.5 (Debian 12) has no limit of its own."""
    brackets = text.count("[") + text.count("{")
    indent = max((len(found) for found in _INDENT.findall(text)), default=0)
    if brackets + indent <= DEEPEST:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1
            message = f"Reading {source}: line {line} is nested more than {DEEPEST} levels deep"
            raise DatastoreError(message, remedy="Correct the file, or move it elsewhere", line=line)


def _check_size(documents: list[t.Any], source: str) -> None:
    """Raise DatastoreError for documents that contain themselves, or that aliases make too large to be written out."""
    sizes: dict[int, float] = {}

    def size(value: t.Any) -> float:
        if not isinstance(value, (dict, list)):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = math.inf  # what is met once more before it is known contains itself
            sizes[id(value)] = 1 + sum(map(size, value.values() if isinstance(value, dict) else value))
        return sizes[id(value)]

    found = size(documents)
    if found > LARGEST:
        reason = "contains itself" if math.isinf(found) else f"has more than {LARGEST} values"
        raise DatastoreError(f"Reading {source}: with its aliases written out, it {reason}", remedy="Correct the file")


def render(documents: t.Sequence[t.Any]) -> str:
    """Return objects as YAML documents below the header that marks our files; the order of fields is kept.

    The revision of an object alone in its file is a comment, unless programs alone write its kind: to calicoctl a
    resourceVersion is that of Calico's datastore, which refuses another one.
    """
    _require_yaml()
    if len(documents) == 1 and documents[0].get("kind") in COMPACT_KINDS:
        return f"{HEADER}{json.dumps(documents[0], ensure_ascii=False)}\n"
    noted = ""
    if len(documents) == 1:
        (document,) = documents
        metadata = dict(document["metadata"])
        revision = str(metadata.pop("resourceVersion", None) or "0")
        documents = [{**document, "metadata": metadata}]
        noted = f"# Revision {revision}\n"
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump_all(
        documents, Dumper=dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=120
    )
    return f"{HEADER}{noted}{text}"


def noted_revision(text: str) -> str:
    """Return the revision that render() has noted in a text, empty if there is none."""
    found = _REVISION.match(text)
    return found.group(1) if found else ""


def _parse_compact(text: str) -> dict[str, t.Any] | None:
    """Return the object in a text that is JSON below our header, a hundred times faster than as YAML; else None."""
    if not text.startswith(HEADER + "{"):
        return None
    try:
        return t.cast("dict[str, t.Any]", json.loads(text[len(HEADER) :]))
    except (RecursionError, ValueError):
        return None


def _require_yaml() -> None:
    if YAML_TRACE is not None:
        raise MissingLibrary(missing_required_lib("python3-yaml"), YAML_TRACE)


@functools.lru_cache(maxsize=1)
def _loader() -> t.Any:
    """Return a loader that leaves timestamps and numbers with colons (a MAC, a community) as texts."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: t.Any = type("Loader", (base,), {})
    unwanted = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int"}
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in unwanted]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"^(?:{_DECIMAL.pattern})$"), list("-+0123456789"))
    return loader
