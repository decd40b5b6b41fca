"""A raw RESP client: bytes out, values or bytes in. For what client libraries hide."""

import contextlib
import socket


class error_reply(str):
    """A Redis error, as a value: most tests compare it rather than catch it."""


class push(list):
    """A RESP3 push."""


class wire:
    """One connection. `source` is anything with connect()."""

    def __init__(self, source, timeout=30.0, **how):
        self.socket = source.connect(timeout, **how)
        self._buffer = b""

    # --- out

    @staticmethod
    def encode(*arguments):
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            data = argument if isinstance(argument, bytes) else str(argument).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        return b"".join(parts)

    def send(self, *arguments):
        self.socket.sendall(self.encode(*arguments))

    def send_raw(self, data):
        self.socket.sendall(data)

    def call(self, *arguments):
        self.send(*arguments)
        return self.read()

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    # --- in

    def _more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise EOFError("the connection was closed")
        self._buffer += data

    def _line(self):
        while True:
            end = self._buffer.find(b"\r\n")
            if end >= 0:
                line, self._buffer = self._buffer[:end], self._buffer[end + 2:]
                return line
            self._more()

    def _exactly(self, count):
        if len(self._buffer) < count:
            pieces = [self._buffer]
            have = len(self._buffer)
            while have < count:
                data = self.socket.recv(1 << 18)
                if not data:
                    raise EOFError("the connection was closed")
                pieces.append(data)
                have += len(data)
            self._buffer = b"".join(pieces)
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def read(self):
        """The next value: str for simple strings, bytes for bulk ones, error_reply, int, float, list, dict, push."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return error_reply(rest.decode(errors="replace"))
        if kind in (b":", b"("):
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"_":
            return None
        if kind in (b"$", b"=", b"!"):
            if rest == b"-1":
                return None
            data = self._exactly(int(rest) + 2)[:-2]
            return error_reply(data.decode(errors="replace")) if kind == b"!" else data
        if kind in (b"*", b"~", b">"):
            if rest == b"-1":
                return None
            values = [self.read() for _ in range(int(rest))]
            return push(values) if kind == b">" else values
        if kind == b"%":
            return {self._key(self.read()): self.read() for _ in range(int(rest))}
        if kind == b"|":
            for _ in range(2 * int(rest)):
                self.read()
            return self.read()
        raise AssertionError(f"not RESP: {line[:80]!r}")

    @staticmethod
    def _key(value):
        return value if isinstance(value, (bytes, int, str)) else repr(value)

    def read_until(self, marker):
        """Throws away everything up to and including `marker`; returns how many bytes that was."""
        seen = 0
        while True:
            end = self._buffer.find(marker)
            if end >= 0:
                self._buffer = self._buffer[end + len(marker):]
                return seen + end + len(marker)
            keep = len(marker) - 1
            seen += max(0, len(self._buffer) - keep)
            self._buffer = self._buffer[-keep:] if keep else b""
            self._more()

    def read_to_end(self):
        """Every byte until the peer closes."""
        pieces = [self._buffer]
        self._buffer = b""
        with contextlib.suppress(ConnectionResetError):
            while True:
                data = self.socket.recv(1 << 18)
                if not data:
                    break
                pieces.append(data)
        return b"".join(pieces)

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends with RST, as a crashed client's kernel does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
