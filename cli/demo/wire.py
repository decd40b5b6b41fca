"""RESP over TLS, as little of it as the demo needs: encoding, replies of flat commands, a blocking connection."""

import socket
import ssl


def encode(*arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class reply_error(Exception):
    pass


class replies:
    """Takes bytes, gives top-level replies that are not aggregates: enough for pipelines that are counted."""

    def __init__(self):
        self._held = b""

    def feed(self, data):
        """One byte a complete reply, its type: b"+$:" …"""
        held = self._held + data if self._held else data
        at = 0
        kinds = bytearray()
        while True:
            end = held.find(b"\r\n", at)
            if end < 0:
                break
            kind = held[at]
            after = end + 2
            if kind == 36:  # $
                length = int(held[at + 1:end])
                if length >= 0:
                    after += length + 2
                    if after > len(held):
                        break
            elif kind not in b"+-:":
                raise reply_error(f"a reply of type {chr(kind)} where none is expected")
            kinds.append(kind)
            at = after
        self._held = held[at:]
        return kinds


def context(ca):
    return ssl.create_default_context(cafile=str(ca))


class connection:
    """Blocking; one command at a time, or a pipeline."""

    def __init__(self, port, ca, user, password, timeout=30.0):
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context(ca).wrap_socket(plain, server_hostname="localhost")
        self._in = self._socket.makefile("rb")
        if user:
            self.call("AUTH", user, password)

    def close(self):
        self._in.close()
        self._socket.close()

    def call(self, *arguments):
        self._socket.sendall(encode(*arguments))
        answer = self._read()
        if isinstance(answer, reply_error):
            raise answer
        return answer

    def pipeline(self, commands):
        """The answers of many commands, errors among them as objects."""
        answers = []
        for start in range(0, len(commands), 2000):
            part = commands[start:start + 2000]
            self._socket.sendall(b"".join(encode(*each) for each in part))
            answers += [self._read() for _ in part]
        return answers

    def _read(self):
        line = self._in.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"-":
            return reply_error(rest.decode())
        length = int(rest)
        if kind == b"$":
            return None if length < 0 else self._in.read(length + 2)[:-2]
        return None if length < 0 else [self._read() for _ in range(length)]

    def load(self, encoded):
        """Commands that were encoded before; every answer must be good."""
        for start in range(0, len(encoded), 2000):
            part = encoded[start:start + 2000]
            self._socket.sendall(b"".join(part))
            for _ in part:
                answer = self._read()
                if isinstance(answer, reply_error):
                    raise answer

    def scan(self, match):
        cursor = b"0"
        while True:
            cursor, keys = self.call("SCAN", cursor, "MATCH", match, "COUNT", 5000)
            yield from keys
            if cursor == b"0":
                return
