# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules in forked processes of one Python: each starts afresh, and only the first pays for the imports.

Arguments are names of Python modules to import before. Reads one request a line from its input, as JSON: module,
arguments, netns (path or null) and binds (directory that the module sees, to the directory that it really is). Answers
with one line of JSON: what the module printed.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import io
import json
import os
import runpy
import sys
import traceback
import typing as t

PACKAGE = "ansible_collections.podnet.calico.plugins"
PRELOADED = (
    "ansible.module_utils.basic",
    *(f"{PACKAGE}.module_utils.kernel.{name}" for name in ("endpoints", "nat", "routes", "sysctls", "tunnels")),
    f"{PACKAGE}.module_utils.bird.daemon",
    f"{PACKAGE}.module_utils.verify.ping",
)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def serve() -> None:
    """Answer requests until the input ends; the first line says which pyroute2 is used."""
    for name in (*PRELOADED, *sys.argv[1:]):
        importlib.import_module(name)
    del sys.argv[1:]  # which a module takes for its own
    found = importlib.util.find_spec("pyroute2")
    print(json.dumps({"pyroute2": found and found.origin}), flush=True)
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
    """Become the module: in its namespace, with its arguments as its input; never returns to the server."""
    try:
        _enter(request["netns"], request["binds"])
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


def _enter(netns: str | None, binds: dict[str, str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if netns:
        descriptor = os.open(netns, os.O_RDONLY)
        _succeed(libc.setns(descriptor, CLONE_NEWNET))
        os.close(descriptor)
    if binds:
        _succeed(libc.unshare(CLONE_NEWNS))
        _succeed(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for seen, real in binds.items():
        _succeed(libc.mount(real.encode(), seen.encode(), None, MS_BIND, None))


def _succeed(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    serve()
