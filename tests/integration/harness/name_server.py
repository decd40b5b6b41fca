"""A name server that a test can change its mind of: addresses and aliases, over UDP on loopback."""

import pathlib
import socket
import struct
import subprocess
import threading

A, CNAME, INTERNET = 1, 5, 1
NO_SUCH_NAME, SERVER_FAILED = 3, 2


def _encoded(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


class name_server:
    """`aliases`: name -> name, `addresses`: name -> IPv4 address. Changed at any time; each change holds from the next
    question. While `failing`, every answer is that the server has failed."""

    def __init__(self, aliases=None, addresses=None):
        self.aliases = dict(aliases or {})
        self.addresses = dict(addresses or {})
        self.failing = False
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def environment(self, folder):
        """What a process needs to ask here. The folder keeps what is compiled for it."""
        source = pathlib.Path(__file__).with_name("own_name_server.c")
        library = pathlib.Path(folder) / "own_name_server.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl", "-lresolv"], check=True)
        return {"LD_PRELOAD": str(library), "TEST_NAME_SERVER": str(self.port)}

    def _serve(self):
        while True:
            question, whom = self._socket.recvfrom(1500)
            if not question:
                return
            self._socket.sendto(self._answer(question), whom)

    def _answer(self, question):
        parts, at = [], 12
        while question[at]:
            parts.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(parts).lower()
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        if kind == A:
            self.asked += 1
        records = []
        known = name in self.aliases or name in self.addresses
        for _ in range(8):  # RFC 1034 section 3.6.2: aliases lead on, and must not lead for ever
            if name not in self.aliases:
                break
            target = _encoded(self.aliases[name])
            records.append(_encoded(name) + struct.pack(">HHIH", CNAME, INTERNET, 1, len(target)) + target)
            name = self.aliases[name]
        if kind == A and name in self.addresses:
            records.append(_encoded(name) + struct.pack(">HHIH", A, INTERNET, 1, 4) + socket.inet_aton(self.addresses[name]))
        code = SERVER_FAILED if self.failing else 0 if known else NO_SUCH_NAME
        if code:
            records = []
        return (question[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(records), 0, 0) + question[12:at + 5] +
                b"".join(records))
