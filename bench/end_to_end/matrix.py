"""What is measured: the rows, who takes part in each, and what tidegate must reach beside haproxy of the same row."""

import dataclasses

HAPROXY, NUTCRACKER, STUNNEL, DIRECT = "haproxy", "nutcracker", "stunnel", "redis itself"
ON, OFF = "tidegate", "tidegate, policy off"
LEDGER, EVIDENCE = "tidegate, and ledger", "tidegate, ledger and capture"
PROXIES = {HAPROXY, NUTCRACKER, STUNNEL, ON, OFF, LEDGER, EVIDENCE}
# A peer that costs several times as much gets fewer commands, or the run is spent on waiting for it.
SHARE_OF_COMMANDS = {STUNNEL: 0.25}


@dataclasses.dataclass(frozen=True)
class rate_row:
    """CPU a command, in microseconds, and its ratio to the reference's of the same round; `ours` is held to the bounds."""
    name: str
    title: str
    peers: tuple
    must: float
    aim: float | None
    commands: int  # a round; about two seconds
    client_tls: bool = False
    upstream_tls: bool = False
    pipeline: int = 1
    value: int = 64
    keys: int = 3000
    rate: int | None = None  # commands a second, open loop; None: closed loop
    reference: str = HAPROXY
    ours: str = ON


@dataclasses.dataclass(frozen=True)
class count_row:
    """Something that is counted, once a peer."""
    name: str
    title: str
    kind: str  # upstream | idle | syscalls | allocations | locks
    peers: tuple
    must: float | None
    aim: float | None
    connections: int
    client_tls: bool = False


PLAIN = (HAPROXY, NUTCRACKER, ON, OFF, LEDGER, DIRECT)
TLS_CLIENT = (HAPROXY, STUNNEL, ON, OFF, LEDGER, DIRECT)
TLS_BOTH = (HAPROXY, ON, OFF, LEDGER)

RATE_ROWS = (
    rate_row("plain-1", "pipeline 1, 64 B", PLAIN, 0.64, 0.60, 160_000),
    rate_row("plain-16", "pipeline 16, 64 B", PLAIN, 1.00, 0.80, 1_600_000, pipeline=16),
    rate_row("plain-16k", "pipeline 1, 16 KiB", PLAIN, 0.73, 0.66, 100_000, value=16384, keys=300),
    rate_row("tls-1", "TLS client, pipeline 1", TLS_CLIENT, 0.70, 0.62, 120_000, client_tls=True),
    rate_row("tls-16", "TLS client, pipeline 16", TLS_CLIENT, 1.00, 0.85, 1_200_000, client_tls=True, pipeline=16),
    rate_row("both-1", "TLS both sides, pipeline 1", TLS_BOTH, 0.60, 0.50, 100_000, client_tls=True, upstream_tls=True),
    rate_row("both-16", "TLS both sides, pipeline 16", TLS_BOTH, 0.90, 0.75, 800_000, client_tls=True, upstream_tls=True,
             pipeline=16),
    rate_row("open", "open loop, 10,000/s, pipeline 1", PLAIN, 0.98, 0.92, 20_000, rate=10_000),
    # Both with the policy on. The reference is tidegate without evidence, so that the ratio is the evidence's price.
    rate_row("evidence-1", "ledger and capture on, against off, pipeline 1", (ON, EVIDENCE), 1.05, None, 160_000,
             reference=ON, ours=EVIDENCE),
    rate_row("evidence-16", "ledger and capture on, against off, pipeline 16", (ON, EVIDENCE), 1.05, None, 1_600_000,
             pipeline=16, reference=ON, ours=EVIDENCE),
)

COUNT_ROWS = (
    count_row("upstream-1000", "upstream connections at 1,000 clients", "upstream",
              (HAPROXY, NUTCRACKER, STUNNEL, ON), 8, None, 1000),
    count_row("idle-plain", "KB a connection, 10,000 idle, plain", "idle", (HAPROXY, NUTCRACKER, ON, LEDGER), 1.0, 0.5, 10_000),
    count_row("idle-tls", "KB a connection, 1,000 idle, TLS client", "idle", (HAPROXY, STUNNEL, ON, LEDGER), 16, 12, 1000,
              client_tls=True),
    count_row("syscalls-1", "syscalls a command, pipeline 1", "syscalls", (HAPROXY, NUTCRACKER, ON), 2.4, None, 50),
    count_row("allocations", "allocations a command, plain", "allocations", (ON, LEDGER), 0, None, 50),
    count_row("allocations-tls", "allocations a command, TLS client", "allocations", (ON, LEDGER), 0, None, 50, client_tls=True),
    count_row("locks", "mutex locks a command, plain", "locks", (ON, LEDGER), 0, None, 50),
)

# Of the row of this name: what the policy costs beside none, and the ledger beside a policy without one.
PRICE_ROW, POLICY_PRICE_MAX, LEDGER_PRICE_MAX = "plain-16", 1.10, 1.05


def rows_named(patterns):
    """All rows, or those whose name contains one of the words."""
    def wanted(row):
        return not patterns or any(pattern in row.name for pattern in patterns)
    return [row for row in RATE_ROWS if wanted(row)], [row for row in COUNT_ROWS if wanted(row)]
