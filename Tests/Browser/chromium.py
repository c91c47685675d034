"""A headless Chromium, driven by its DevTools protocol over pipes: nothing else to install."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Failure(Exception):
    pass


class Chromium:
    """One browser with one page. What the page complains of is in `complaints`."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="amity-chromium-")
        ours, theirs = os.pipe(), os.pipe()
        self.process = subprocess.Popen(
            [
                "/bin/sh", "-c", f'exec "$0" "$@" 3<&{ours[0]} 4>&{theirs[1]}', "chromium",
                "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
                f"--user-data-dir={self.folder}", "about:blank",
            ],
            pass_fds=(ours[0], theirs[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self.writer, self.reader = ours[1], theirs[0]
        self.buffer, self.number, self.session = b"", 0, None
        self.complaints = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self.next_message(deadline, method)
            if answer.get("id") != self.number:
                self.note(answer)
            elif "error" in answer:
                raise Failure(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def next_message(self, deadline, what):
        while b"\0" not in self.buffer:
            rest = deadline - time.monotonic()
            if rest <= 0 or not select.select([self.reader], [], [], rest)[0]:
                raise Failure(f"the browser did not answer to {what}")
            part = os.read(self.reader, 1 << 16)
            if not part:
                raise Failure("the browser has gone")
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"])[:1000])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(parameters["args"])[:1000])

    # What a person does and sees.

    def run(self, script):
        """The value of an expression on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failure(f"{script}: {answer['exceptionDetails'].get('exception', {})}")
        return answer["result"].get("value")

    def until(self, script, what, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = self.run(script)
            except Failure:
                value = None  # Between two pages.
            if value:
                return value
            if time.monotonic() > deadline:
                said = self.run("[...document.querySelectorAll('[role=status], [role=alert]')]"
                                ".map((one) => one.innerText).join(' | ')")
                raise Failure(f"waited in vain until {what}; the page says: {said}; "
                              f"the browser complains: {self.complaints}")
            time.sleep(0.05)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", f"{url} is loaded")

    def click(self, selector):
        """With the mouse, where the element is."""
        place = self.run(
            f"""(async () => {{
              const element = document.querySelector({json.dumps(selector)});
              if (!element) return null;
              element.scrollIntoView({{ block: "center", behavior: "instant" }});
              // A user can press an element only once it has been drawn at its place.
              for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
              const box = element.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        if not place:
            raise Failure(f"there is no {selector}")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                      clickCount=1)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key):
        code = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "Tab": 9}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code, **(text if kind == "keyDown" else {}))

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)

    def prefer(self, scheme):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def unplug(self, is_out):
        self.call("Network.emulateNetworkConditions", offline=is_out, latency=0,
                  downloadThroughput=-1, uploadThroughput=-1)

    def names(self, *roles):
        """What a screen reader calls the elements of some roles."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [node.get("name", {}).get("value", "") for node in nodes
                if not node["ignored"] and node.get("role", {}).get("value") in roles]

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
