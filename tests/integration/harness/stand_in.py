"""An admin port that hands on to a real tidegate's, but answers some paths itself: for what the real one cannot be
brought to say on demand, a forecast for one."""

import http.server
import json
import threading
import urllib.error
import urllib.request


class stand_in:
    """`answers`: path -> document, or a function of (method, path, headers, body) -> (status, document)."""

    def __init__(self, proxy, answers):
        self.answers = answers
        self.changes = []  # (method, path, authorization, document) of what was not a GET
        outer = self
        base = f"http://127.0.0.1:{proxy.admin_port}"

        class handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.command != "GET":
                    outer.changes.append((self.command, self.path, self.headers.get("Authorization"),
                                          json.loads(body) if body else None))
                own = next((outer.answers[path] for path in outer.answers if self.path.startswith(path)), None)
                if own is None:
                    self._reply(*self._handed_on(body))
                else:
                    status, document = own(self.command, self.path, self.headers, body) if callable(own) else (200, own)
                    self._reply(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

            def _handed_on(self, body):
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                request = urllib.request.Request(base + self.path, data=body or None, method=self.command, headers=headers)
                try:
                    with urllib.request.urlopen(request, timeout=10) as answer:
                        return answer.status, dict(answer.headers), answer.read()
                except urllib.error.HTTPError as error:
                    return error.code, dict(error.headers), error.read()

            def _reply(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _handle

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
