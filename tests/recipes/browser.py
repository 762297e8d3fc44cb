"""A real browser without a window, driven through a pair of pipes: what a person would see."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60
"""Seconds until a browser that does not answer counts as broken."""

_FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--hide-scrollbars"),
    "--remote-debugging-pipe",
]


def chromium() -> str | None:
    """Return the path of the browser; None where there is none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One browser with one page, which knows what the page asked for and complained of."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._numbers = itertools.count(1)
        self._received = b""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        (page,) = (
            target
            for target in self._ask("Target.getTargets")["targetInfos"]
            if target["type"] == "page"
        )
        attached = self._ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def open(self, url: str, *, width: int, height: int = 800, dark: bool = False) -> None:
        """Load a page in a window of this size, in the light or the dark, and wait until it is."""
        self.requests, self.complaints = [], []
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=url)
        deadline = time.monotonic() + PATIENCE
        while self.evaluate("document.readyState + location.href") != f"complete{url}":
            assert time.monotonic() < deadline, f"{url} was not loaded"
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, promises awaited."""
        answer = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Return a PNG of what is in the window, or of the whole page."""
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        """End the browser, with all its processes."""
        self._ask("Browser.close")

    def ask(self, method: str, **parameters: object) -> Any:
        """Send a command to the page and return the answer."""
        return self._ask(method, self._session, **parameters)

    def _ask(self, method: str, session: str | None = None, **parameters: object) -> Any:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next_message()
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._note(message)

    def _next_message(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], PATIENCE)
            assert ready, "the browser does not answer"
            chunk = os.read(self._answers, 1 << 16)
            assert chunk, "the browser has ended"
            self._received += chunk
        message, self._received = self._received.split(b"\0", 1)
        return json.loads(message)

    def _note(self, message: dict[str, Any]) -> None:
        said = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(said["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(said["exceptionDetails"]["text"])
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(said["args"]))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser that keeps its own things in the folder `profile`, and end it."""
    path = chromium()
    assert path is not None
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    # the browser reads commands from descriptor 3 and answers on 4; sh knows one digit only
    process = subprocess.Popen(
        [
            *("bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash"),
            *(path, *_FLAGS, f"--user-data-dir={profile}", "about:blank"),
        ],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        opened = Browser(ours_out, ours_in)
        yield opened
        opened.close()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(ours_in)
        os.close(ours_out)
