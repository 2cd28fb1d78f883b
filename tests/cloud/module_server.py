# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules in forked processes of one Python, which has the clouds' libraries in memory already.

Reads one request a line as JSON: module, arguments, environment. Answers with a line of JSON: what the module printed.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import os
import runpy
import sys
import traceback
import typing as t

PACKAGE = "ansible_collections.podnet.calico.plugins"
CLOUD = f"{PACKAGE}.module_utils.cloud"
PRELOADED = (
    "ansible.module_utils.basic",
    f"{PACKAGE}.module_utils.argspec",
    f"{PACKAGE}.module_utils.runner",
    *(f"{CLOUD}.{name}" for name in ("aws", "azure", "detect", "google", "openstack")),
    # What the clouds' libraries load as late as they can.
    "google.oauth2.service_account",
    "openstack.network.v2._proxy",
)


def serve() -> None:
    """Answer requests until the input ends."""
    import boto3
    from botocore.loaders import JSONFileLoader

    for name in PRELOADED:
        importlib.import_module(name)
    JSONFileLoader.load_file = functools.lru_cache(maxsize=None)(JSONFileLoader.load_file)
    JSONFileLoader.__hash__ = lambda self: 1  # type: ignore[method-assign]
    JSONFileLoader.__eq__ = lambda self, other: True  # type: ignore[method-assign]
    boto3.client("ec2", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _answer(request: dict[str, t.Any]) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        _run(request)
    os.close(writing)
    with open(reading) as pipe:
        output = pipe.read()
    os.waitpid(child, 0)
    return output


def _run(request: dict[str, t.Any]) -> t.NoReturn:
    """Become the module, with its arguments as its input; never returns to the server."""
    try:
        os.environ.update(request["environment"])
        sys.stdin = io.TextIOWrapper(io.BytesIO(json.dumps({"ANSIBLE_MODULE_ARGS": request["arguments"]}).encode()))
        runpy.run_module(f"{PACKAGE}.modules.{request['module']}", run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    serve()
