# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""A real browser, driven through the pipe it offers: no library needed.

Clicks and keys are those of the browser's own input, not events of a script,
so that what they do is what they do for a person.
"""

import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

_KEYS = {"ArrowRight": 39, "ArrowDown": 40, "ArrowLeft": 37, "Tab": 9}


def find() -> str | None:
    """The path of a Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page at a time; a context.

    Attributes:
        errors: what the console complained of, since the page was opened.
    """

    def __init__(self, path: str):
        self._path = path
        self.errors: list[str] = []
        self._n_sent = 0
        self._unread = b""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        # The browser reads commands from descriptor 3 and answers on 4; these
        # are above 9, so that the two are free.
        read_command, self._command, self._answer, write_answer = (
            fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
            for end in (*os.pipe(), *os.pipe())
        )
        self._process = subprocess.Popen(
            [
                *("bash", "-c"),
                f'exec "$0" "$@" 3<&{read_command} 4>&{write_answer}',
                self._path,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                f"--user-data-dir={self._folder.name}",
                "--remote-debugging-pipe",
            ],
            pass_fds=(read_command, write_answer),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_command)
        os.close(write_answer)
        target = self._call("Target.createTarget", url="about:blank")
        self._session = self._call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self._call("Browser.close")
        self._process.wait(timeout=20)
        os.close(self._command)
        os.close(self._answer)
        self._folder.cleanup()

    def _read(self):
        """The next message."""
        while b"\0" not in self._unread:
            if not select.select([self._answer], [], [], 30)[0]:
                raise TimeoutError("the browser does not answer")
            self._unread += os.read(self._answer, 1 << 20)
        message, self._unread = self._unread.split(b"\0", 1)
        return json.loads(message)

    def _call(self, method, session=None, **params):
        self._n_sent += 1
        command = {"id": self._n_sent, "method": method, "params": params}
        if session:
            command["sessionId"] = session
        os.write(self._command, json.dumps(command).encode() + b"\0")
        while (answer := self._read()).get("id") != self._n_sent:
            self._note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _note(self, event):
        params = event.get("params", {})
        match event["method"]:
            case "Runtime.exceptionThrown":
                self.errors.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" | "Log.entryAdded":
                self.errors.append(str(params))
            case "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file:", "data:")):
                    self.errors.append(f"asked the network for {url}")

    def call(self, method, **params):
        """Calls a method of the page's."""
        return self._call(method, self._session, **params)

    def open(self, path: str | pathlib.Path, fragment="", size=(1200, 900)):
        """Opens a file and waits until its explorer is ready, if it has one."""
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Page.navigate", url="about:blank")
        self.errors.clear()
        self.call("Page.navigate", url=pathlib.Path(path).as_uri() + fragment)
        end = time.monotonic() + 20
        ready = (
            "document.readyState === 'complete' && location.protocol === "
            "'file:' && !document.querySelector('#explorer:not([data-ready])')"
        )
        while not self.value(ready):
            assert time.monotonic() < end, f"not ready; {self.errors}"
            time.sleep(0.02)

    def value(self, expression: str):
        """What an expression comes to."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def click(self, selector: str):
        """Clicks on the middle of an element."""
        x, y = self.value(
            f"(() => {{ const e = document.querySelector({selector!r});"
            "e.scrollIntoView({block: 'center'});"
            "const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                clickCount=1,
            )

    def press(self, key: str):
        """Presses a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=_KEYS[key],
            )
