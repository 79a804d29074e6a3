"""Serves the files of a folder on loopback, as the first part of a path says: file_server.py LOG FOLDER [PEM [CLIENTS]].
A line of LOG: number of the connection, path, Range, If-Range, If-None-Match."""
import email.utils
import itertools
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
import loopback_http

connections = itertools.count(1)


class Handler(loopback_http.Answering):
    def setup(self):
        super().setup()
        self.number = next(connections)

    def log_message(self, form, *words):
        pass

    def start(self, status, length, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def stamps(self, file):
        stat = file.stat()
        return [("ETag", f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'), ("Last-Modified", email.utils.formatdate(stat.st_mtime, usegmt=True))]

    def wanted(self, stamps):
        """The first byte that is asked for, or None without a range that holds."""
        value = self.headers.get("Range")
        condition = self.headers.get("If-Range")
        if value is None or (condition is not None and condition not in (text for _, text in stamps)):
            return None
        return int(value.removeprefix("bytes=").removesuffix("-"))

    def do_GET(self):
        _, way, name = self.path.split("/", 2)
        name = name.split("?")[0]
        self.note(" ".join([str(self.number), self.path] + [self.headers.get(h, "-").replace(" ", "_") for h in ("Range", "If-Range", "If-None-Match")]))
        file = Path(sys.argv[2]) / name
        if way == "redirect":
            self.answer(302, b"elsewhere", [("Location", "/files/" + name)])
        elif not file.is_file():
            self.answer(404, b"nothing here")
        else:
            getattr(self, "way_" + way)(file.read_bytes(), self.stamps(file))

    def way_files(self, content, stamps):
        first = self.wanted(stamps)
        if self.headers.get("If-None-Match") == stamps[0][1]:
            self.answer(304)
        elif first is None:
            self.answer(200, content, stamps)
        elif first >= len(content):
            self.answer(416, b"no such part", [("Content-Range", f"bytes */{len(content)}")])
        else:
            self.answer(206, content[first:], stamps + [("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")])

    def way_whole(self, content, stamps):
        self.answer(200, content, stamps)

    def way_416(self, content, stamps):
        self.answer(416 if "Range" in self.headers else 200, b"" if "Range" in self.headers else content)

    def way_shifted(self, content, stamps):
        """Another part than the one that is asked for, and says so."""
        first = self.wanted(stamps)
        if first is None:
            self.answer(200, content)
        else:
            self.answer(206, content[first + 1:], [("Content-Range", f"bytes {first + 1}-{len(content) - 1}/{len(content)}")])

    def way_unsaid(self, content, stamps):
        """A part that does not say which."""
        first = self.wanted(stamps)
        self.answer(200 if first is None else 206, content if first is None else content[first:])

    def way_short(self, content, stamps):
        """The first byte of the part only, and says so."""
        first = self.wanted(stamps)
        if first is None:
            self.answer(200, content)
        else:
            self.answer(206, content[first:first + 1], [("Content-Range", f"bytes {first}-{first}/{len(content)}")])

    def way_cut(self, content, stamps):
        """Half of what is asked for, then the connection ends."""
        first = self.wanted(stamps)
        rest = content[first or 0:]
        self.start(200 if first is None else 206, len(rest), [] if first is None else [("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")])
        self.wfile.write(rest[:(len(rest) + 1) // 2])
        self.close_connection = True

    def way_cut_whole(self, content, stamps):
        """The same, and knows no ranges."""
        self.start(200, len(content))
        self.wfile.write(content[:len(content) // 2])
        self.close_connection = True

    def way_halting(self, content, stamps):
        """Half of the content, and the rest once the file LOG.go is there; ranges are served at once."""
        if "Range" in self.headers:
            return self.way_files(content, stamps)
        self.start(200, len(content), stamps)
        self.wfile.write(content[:len(content) // 2])
        self.wfile.flush()
        while not Path(sys.argv[1] + ".go").exists():
            time.sleep(0.02)
        self.wfile.write(content[len(content) // 2:])

    def way_short_content(self, content, stamps):
        self.answer(200, content[:-1])

    def way_longer(self, content, stamps):
        self.answer(200, content + b"x")

    def way_endless(self, content, stamps):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def way_drip(self, content, stamps):
        self.start(200, 1 << 30)
        while True:
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)


if __name__ == "__main__":
    loopback_http.serve(Handler, *sys.argv[3:])
