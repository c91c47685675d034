"""Stands for a service that resizes pictures: a task's payload in, its result out."""

import base64
import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["TASK_SECRET_RESIZE"].removeprefix("whsec_"))


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        parts = [self.headers["webhook-id"], self.headers["webhook-timestamp"], body.decode()]
        digest = hmac.digest(KEY, ".".join(parts).encode(), hashlib.sha256)
        signature = "v1," + base64.b64encode(digest).decode()
        if not hmac.compare_digest(signature, self.headers["webhook-signature"]):
            return self.answer(401, None)
        payload = json.loads(body)["payload"]
        self.answer(200, {"width": payload["width"] // 10, "height": payload["height"] // 10})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
