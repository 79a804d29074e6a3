"""A proxy on loopback: proxy_server.py LOG. A line of LOG: method, target, Proxy-Authorization."""
import select
import socket
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
import loopback_http


class Proxy(loopback_http.Answering):
    def log_message(self, form, *words):
        pass

    def tell(self):
        self.note(" ".join([self.command, self.path, self.headers.get("Proxy-Authorization", "-").replace(" ", "_")]))

    def do_GET(self):
        self.tell()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.path) as reply:
            self.answer(200, reply.read())

    def do_CONNECT(self):
        self.tell()
        host, port = self.path.split(":")
        self.close_connection = True
        with socket.create_connection((host, int(port))) as server:
            self.wfile.write(b'HTTP/1.1 200 OK\r\nETag: "of the proxy"\r\n\r\n')
            ends = {self.connection: server, server: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)


loopback_http.serve(Proxy)
