# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on loopback that answers with JSON, for stand-ins of clouds that cannot run here."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import typing as t
import urllib.parse
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Answer = t.Tuple[int, t.Any, t.Dict[str, str]]


class Request(t.NamedTuple):
    """What is asked: method, path without query, values of the query by name, body of JSON, headers."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: t.Any
    headers: t.Mapping[str, str]


def certificate(folder: Path) -> Path:
    """Return a new file with a key and a certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "loopback.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


class Server:
    """A server; answer() is the cloud's own. keys: file of certificate() to speak TLS."""

    def __init__(self, keys: Path | None = None) -> None:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in two pieces takes 40 ms longer, for the kernel waits before it sends the second

            def _serve(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                plain = "json" in self.headers.get("Content-Type", "")
                body = json.loads(text) if text and plain else text.decode()
                path, query = urllib.parse.unquote(parts.path), urllib.parse.parse_qs(parts.query)
                request = Request(self.command, path, query, body, self.headers)
                with outer._lock:
                    outer.requests.append(request)
                    status, found, headers = outer.answer(request)
                data = b"" if found is None else json.dumps(found).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if keys:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(keys)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if keys else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, request: Request) -> Answer:
        """Return status, document and headers for a request."""
        raise NotImplementedError

    @property
    def writes(self) -> list[Request]:
        """Return the requests that were not for reading only."""
        return [each for each in self.requests if each.method != "GET"]

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
