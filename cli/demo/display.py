"""The status line: redrawn on a terminal, a line every few seconds elsewhere."""

import sys
import time

_BAR = 20
_REDRAWN_EVERY = 0.25
_PRINTED_EVERY = 5.0


def line(done, phase, memory, rates):
    filled = min(_BAR, int(done * _BAR))
    return (f"[{'#' * filled}{'.' * (_BAR - filled)}] {min(done, 1.0):4.0%}  {phase:<14}  "
            f"memory {memory[0]:5.1%} | {memory[1]:5.1%}   commands/s {rates[0]:6,.0f} | {rates[1]:6,.0f}")


class status_line:
    """Without | with, as the line says of its figures."""

    def __init__(self, out=sys.stdout):
        self._out = out
        self._redraws = out.isatty()
        self._drawn = 0.0
        self._phase = None
        self._open = False

    def show(self, done, phase, memory, rates):
        now = time.monotonic()
        every = _REDRAWN_EVERY if self._redraws else _PRINTED_EVERY
        if now - self._drawn < every and phase == self._phase:
            return
        self._drawn, self._phase = now, phase
        text = line(done, phase, memory, rates)
        if self._redraws:
            self._out.write("\r\x1b[K" + text)
            self._open = True
        else:
            self._out.write(text + "\n")
        self._out.flush()

    def say(self, text):
        self.clear()
        print(text, file=self._out, flush=True)

    def clear(self):
        if self._open:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._open = False
