# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""An S3 server on loopback, for tests of workdirs in buckets."""

import atexit
import contextlib
import functools
import os
import threading
import unittest
from unittest import mock

import fsspec

BUCKET = "runs"


@functools.cache
def server() -> "Server":
    """Returns the server of this process; etils asks no other, once it did."""
    return Server()


class Server:
    """moto's server; a test may come between it and a request that writes.

    As a context manager it leads this process to it.

    Attributes:
        environment: variables that lead the libraries to it.
        may_write: is asked, before an object is written, with its path.

    Raises:
        SkipTest: if moto or s3fs is not installed.
    """

    def __init__(self):
        try:
            import s3fs  # noqa: F401
            from moto.moto_server import werkzeug_app
            from werkzeug import serving
        except ImportError as error:
            raise unittest.SkipTest(f"needs moto and s3fs: {error}") from error

        class Silent(serving.WSGIRequestHandler):
            def log(self, type, message, *args):
                pass

        self._app = werkzeug_app.DomainDispatcherApplication(
            werkzeug_app.create_backend_app
        )
        self._server = serving.make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=Silent
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        atexit.register(self._server.shutdown)
        self.environment = {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
        }
        self.allow()

    def allow(self) -> None:
        """Lets every request through, as at the start."""
        self.may_write = lambda path: True

    def __enter__(self) -> "Server":
        """Leads this process to it."""
        self._here = mock.patch.dict(os.environ, self.environment)
        self._here.start()
        with contextlib.suppress(FileExistsError):
            fsspec.filesystem("s3").mkdir(BUCKET)
        return self

    def __exit__(self, *exception) -> None:
        """Lets go of this process."""
        self._here.stop()

    def _answer(self, environ, start_response):
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] in ("PUT", "POST") and not self.may_write(
            path
        ):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            body = b"<Error><Code>AccessDenied</Code></Error>"
            start_response("403 Forbidden", [("Content-Type", "text/xml")])
            return [body]
        return self._app(environ, start_response)
