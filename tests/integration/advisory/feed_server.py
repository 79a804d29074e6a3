"""An HTTP server on loopback that behaves as its paths say. Prints its port, then serves until its input closes."""
import http.server
import sys
import threading

ETAG = '"v1"'
CONTENT = b'{"vulnerabilities":[]}\n'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *words):
        with open(sys.argv[1], "a", encoding="utf-8") as log:
            log.write(f"{self.path} {self.headers.get('If-None-Match', '-')} {self.headers.get('If-Modified-Since', '-')}\n")

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None and length != len(body):
            self.close_connection = True

    def do_GET(self):
        known = self.headers.get("If-None-Match") == ETAG
        if self.path == "/feed":
            stamps = [("ETag", ETAG), ("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")]
            self.answer(304 if known else 200, b"" if known else CONTENT, stamps)
        elif self.path == "/truncated":
            self.answer(200, CONTENT, length=len(CONTENT) + 1000)
        elif self.path == "/changed-but-truncated":
            self.answer(200, b"{" if known else CONTENT, [("ETag", ETAG)], length=500 if known else None)
        elif self.path == "/redirect-to-http":
            self.answer(302, headers=[("Location", f"http://127.0.0.1:{self.server.server_port}/feed")])
        elif self.path == "/huge":
            self.answer(200, CONTENT, length=1 << 40)
        elif self.path == "/always-unchanged":
            self.answer(304)
        else:
            self.answer(404, b"nothing here")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
