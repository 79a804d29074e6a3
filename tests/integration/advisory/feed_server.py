"""An HTTP server on loopback that behaves as its paths say: feed_server.py LOG [PEM]. With PEM, a certificate and its key, it
speaks TLS."""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
import loopback_http

ETAG = '"v1"'
CONTENT = b'{"vulnerabilities":[]}\n'


def redirect(target):
    return b"HTTP/1.1 302 Found\r\nLocation: " + target + b"\r\nContent-Length: 0\r\n\r\n"


# Whole answers that try to reach the terminal, or to end a line.
HOSTILE = {
    "location-escape": redirect(b"https://evil\x1b[31m.invalid/"),
    "location-newline": redirect(b"https://evil.invalid/\r\n error usage forged\n\x1b[2J"),
    "location-c1": redirect(b"https://evil\x9b31m.invalid/"),
    "location-bidi": redirect("https://\u202eevil.invalid/".encode()),
    "location-percent": redirect(b"https://evil%1b%0aerror%20usage%20forged.invalid/"),
    "location-port": redirect(b"https://127.0.0.1:\x1b99/"),
    "location-scheme": redirect(b"ev\x1bil://evil.invalid/"),
    "status": b"HTTP/1.1 500 \x1b[31mred\nerror usage forged\r\nContent-Length: 0\r\n\r\n",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: \x1b[31m\r\n\r\n",
    "version": b"HTTP/9.\x1b[31m 200 OK\r\n\r\n",
    "nul": b"HTTP/1.1 200 OK\r\nE\0\x1b[31mTag: x\r\n\r\n",
    "garbage": b"\x1b[2J\x07\nerror usage forged\r\n\r\n",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[31m\r\n",
}
STAMPS = {"escape": '"\x1b[31m"', "return": '"a\rX-Injected: yes"'}


class Handler(loopback_http.Answering):
    def log_message(self, form, *words):
        injected = " injected" if "X-Injected" in self.headers else ""
        self.note(f"{self.path} {self.headers.get('If-None-Match', '-')} {self.headers.get('If-Modified-Since', '-')}{injected}")

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
        elif self.path.startswith("/hostile/"):
            self.log_message("")
            self.wfile.write(HOSTILE[self.path.removeprefix("/hostile/")])
            self.close_connection = True
        elif self.path.startswith("/stamps/"):
            self.answer(200, CONTENT, [("ETag", STAMPS[self.path.removeprefix("/stamps/")])])
        elif self.path == "/halting":
            self.answer(200, CONTENT[:5], length=len(CONTENT))
            self.wfile.flush()
            while not os.path.exists(sys.argv[1] + ".go"):
                time.sleep(0.02)
            self.wfile.write(CONTENT[5:])
        else:
            self.answer(404, b"nothing here")


loopback_http.serve(Handler, *sys.argv[2:])
