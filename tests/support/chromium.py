"""Chromium without a window, spoken to over a pipe: what a page logs and fetches, and what is on it."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe"
)


class Browser:
    """A browser with one page. `problems` are errors of the console, `fetched` all addresses that were asked for."""

    def __init__(self, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        self.problems: list[str] = []
        self.fetched: list[str] = []
        self._number = 0
        self._profile = tempfile.TemporaryDirectory(prefix="nograd-chromium-", ignore_cleanup_errors=True)
        self._rest, self._session = b"", None
        self._process = self._started()
        try:
            self._attach(width, height, dark)
        except BaseException:
            self.close()
            raise

    def _started(self) -> subprocess.Popen:
        """Chromium, which reads commands from its descriptor 3 and writes answers to 4."""
        there, self._write = os.pipe()
        self._read, back = os.pipe()
        # Out of the way of 3 and 4, which may be one of the two.
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (there, back)]
        wired = f'exec "$0" "$@" 3<&{high[0]} 4>&{high[1]}'
        command = [
            "bash",
            "-c",
            wired,
            PROGRAM,
            *_FLAGS.split(),
            f"--user-data-dir={self._profile.name}",
            "about:blank",
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, pass_fds=high, **quiet)
        for descriptor in (there, back, *high):
            os.close(descriptor)
        return process

    def _attach(self, width: int, height: int, dark: bool) -> None:
        """Talks to its page from here on, with a window of this size."""
        self._until(self._pages)
        target = self._pages()[0]["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def _pages(self) -> list[dict[str, Any]]:
        """The pages of the browser; it has other targets too."""
        return [target for target in self._call("Target.getTargets")["targetInfos"] if target["type"] == "page"]

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def open(self, page: Path, script: bool = True) -> None:
        """Shows a file, and waits until its script has run."""
        self._call("Emulation.setScriptExecutionDisabled", value=not script)
        self._call("Page.navigate", url=page.resolve().as_uri())
        self._until(lambda: self.evaluate("document.readyState") == "complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; promises are waited for."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Until the expression is true."""
        self._until(lambda: self.evaluate(expression))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Moves the mouse from one place of the window to another with its button down."""
        button = {"button": "left", "clickCount": 1}
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def picture(self, whole: bool = True) -> bytes:
        """A PNG of the page."""
        return base64.b64decode(self._call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self._call("Page.printToPDF", printBackground=True)["data"])

    def _until(self, holds: Any, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"not within {seconds} s; {self.problems}"
            time.sleep(0.05)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._read, 65536)
            assert more, "chromium has ended"
            self._rest += more
        text, _, self._rest = self._rest.partition(b"\0")
        return json.loads(text)

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.fetched.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
