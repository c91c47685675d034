#!/usr/bin/python3
"""Has a browser parse and link each module of a folder: a slip of syntax, or an import of a name
that is not exported, is found without a worker. Exits with 1 and names them.
"""

import http.server
import json
import pathlib
import sys
import threading

from chromium import Chromium

folder = pathlib.Path(sys.argv[1])
scripts = sorted(path.name for path in folder.glob("*.js"))


class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        body = (folder / name).read_bytes() if name in scripts else b""
        self.send_response(200 if body or not name else 404)
        self.send_header("Content-Type", "text/javascript" if name else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
threading.Thread(target=server.serve_forever, daemon=True).start()
page = Chromium()
failed = not scripts
try:
    for name in scripts:
        page.open(f"http://127.0.0.1:{server.server_port}/")
        # Without the page's elements a module may well fail when it runs; that is no matter here.
        error = page.run(f"import({json.dumps('/' + name)}).then(() => '', (error) => "
                         "error instanceof SyntaxError || error.message.includes('fetch') "
                         "? String(error) : '')")
        if error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
finally:
    page.close()
sys.exit(failed)
