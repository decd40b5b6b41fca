"""Runs rows of the matrix: starts who takes part, gives each the same orders in turn, reads the books around them."""

import contextlib
import functools
import time

import accounting
import figures
import matrix
import peers
from load import load, scraper
from processes import certificates, cores, descriptors_max

WARM_UP_SHARE = 0.1
SETTLE_SECONDS = 1.0
SYSCALL_COMMANDS = 60_000
CALL_COMMANDS = 100_000
CALL_WINDOWS = 5
IDLE_RATE = 5_000


class bench:
    """What all rows share: the binaries, the cores, the certificates, the server."""

    def __init__(self, tidegate, generator):
        self.proxy_core, self.server_core = cores()
        self.tidegate = tidegate
        self.generator = generator
        self.open = contextlib.ExitStack()
        self.tls = certificates()
        self.open.callback(self.tls.remove)
        self.server = peers.redis(self.server_core, self.tls)
        self.open.callback(self.server.stop)
        start_tidegate = functools.partial(peers.start_tidegate, binary=tidegate)
        self.starters = {matrix.HAPROXY: peers.start_haproxy, matrix.NUTCRACKER: peers.start_nutcracker,
                         matrix.STUNNEL: peers.start_stunnel, matrix.ON: start_tidegate,
                         matrix.OFF: functools.partial(start_tidegate, policy=False),
                         matrix.LEDGER: functools.partial(start_tidegate, more=peers.LEDGER_ON),
                         matrix.EVIDENCE: functools.partial(start_tidegate, more=peers.EVIDENCE_ON)}

    def close(self):
        self.open.close()

    def start(self, name, client_tls=False, upstream_tls=False, **more):
        if name == matrix.DIRECT:
            return peers.peer(name, None, self.server.tls_port if client_tls else self.server.port, takes_names=True)
        return self.starters[name](name, self.proxy_core, self.server, self.tls, client_tls, upstream_tls, **more)

    def load_on(self, peer, *, client_tls=False, **shape):
        shape = {"names": peers.NAMES, **shape}
        if not peer.takes_names:
            shape["names"] = 0
        return load(self.generator, self.server_core, peer.port, ca=self.tls.ca if client_tls else None, **shape)

    # --- CPU a command ---------------------------------------------------------------------------------------------

    def run_rate_row(self, row, rounds, scale):
        with contextlib.ExitStack() as started:
            running = {}
            for name in row.peers:
                peer = self.start(name, row.client_tls, row.upstream_tls)
                started.callback(peer.stop)
                asked = self.load_on(peer, client_tls=row.client_tls, pipeline=row.pipeline, value=row.value, keys=row.keys)
                started.callback(asked.stop)
                asked.closed(self._commands(row, name, scale * WARM_UP_SHARE))
                running[name] = (peer, asked)
            samples = {name: [] for name in row.peers}
            for number in range(rounds):
                for name in figures.rotated(list(row.peers), number):
                    samples[name].append(self._window(*running[name], row, self._commands(row, name, scale)))
            result = self._rate_result(row, samples)
            for name in {matrix.LEDGER, matrix.EVIDENCE} & set(row.peers):
                result["peers"][name]["evidence"] = running[name][0].evidence()
        return figures.void_without_evidence(result) if row.ours == matrix.EVIDENCE else result

    @staticmethod
    def _commands(row, name, scale):
        return max(row.pipeline * 100, int(row.commands * scale * matrix.SHARE_OF_COMMANDS.get(name, 1)))

    def _window(self, peer, asked, row, commands):
        proxy = peer.process.pid if peer.process else None
        with scraper(peer.scrape_port) as metrics:
            server_before = accounting.cpu_seconds(self.server.process.pid)
            before = accounting.cpu_seconds(proxy) if proxy else 0.0
            told = asked.open(commands, row.rate) if row.rate else asked.closed(commands)
            spent = accounting.cpu_seconds(proxy) - before if proxy else 0.0
            server_spent = accounting.cpu_seconds(self.server.process.pid) - server_before
        return {"cpu_us": spent / told["commands"] * 1e6, "commands": told["commands"], "seconds": told["seconds"],
                "commands_per_second": told["commands"] / told["seconds"], "p50_us": told["p50_us"],
                "p999_us": told["p999_us"], "proxy_share": spent / told["seconds"],
                "server_share": server_spent / told["seconds"],
                "generator_share": told["own_cpu_seconds"] / told["seconds"], "scrapes": metrics.scrapes,
                "cipher": told["cipher"]}

    def _rate_result(self, row, samples):
        reference = [sample["cpu_us"] for sample in samples[row.reference]]
        result = {"name": row.name, "title": row.title, "kind": "cpu", "must": row.must, "aim": row.aim,
                  "reference": row.reference, "ours": row.ours, "peers": {}}
        for name, found in samples.items():
            one = {key: vars(figures.spread.of([sample[key] for sample in found]))
                   for key in ("commands_per_second", "p50_us", "p999_us", "proxy_share", "server_share", "generator_share")}
            one |= {"commands": sum(sample["commands"] for sample in found), "cipher": found[0]["cipher"],
                    "scrapes": sum(sample["scrapes"] for sample in found)}
            if name in matrix.PROXIES:
                costs = [sample["cpu_us"] for sample in found]
                one["cpu_us"] = vars(figures.spread.of(costs))
                one["ratio"] = vars(figures.spread.of(figures.ratios(costs, reference)))
            result["peers"][name] = one
        ours = result["peers"][row.ours]["ratio"]["median"]
        result["met"], result["aim_met"] = figures.verdict(ours, row.must), figures.verdict(ours, row.aim)
        if row.name == matrix.PRICE_ROW:
            result["policy_price"] = self._price(samples, matrix.ON, matrix.OFF, matrix.POLICY_PRICE_MAX)
            result["ledger_price"] = self._price(samples, matrix.LEDGER, matrix.ON, matrix.LEDGER_PRICE_MAX)
        return result

    @staticmethod
    def _price(samples, whose, beside, must):
        price = figures.spread.of(figures.ratios([sample["cpu_us"] for sample in samples[whose]],
                                                 [sample["cpu_us"] for sample in samples[beside]]))
        return vars(price) | {"must": must, "met": figures.verdict(price.median, must)}

    # --- what is counted -------------------------------------------------------------------------------------------

    def run_count_row(self, row):
        """One peer after the other, each fresh: what memory one leaves behind must not be another's."""
        connections = min(row.connections, peers.CLIENTS_MAX - 100, (descriptors_max() - 300) // 2)
        result = {"name": row.name, "title": row.title, "kind": row.kind, "must": row.must, "aim": row.aim, "ours": matrix.ON,
                  "connections": connections, "peers": {}}
        for name in row.peers:
            # stunnel has no plain side: where the row is plain for the others, its clients speak TLS all the same.
            client_tls = row.client_tls or name == matrix.STUNNEL
            with contextlib.ExitStack() as started:
                preloaded = {}
                if row.kind in ("allocations", "locks"):
                    calls = started.enter_context(contextlib.closing(accounting.counted_calls()))
                    preloaded = {"environment": calls.environment}
                peer = self.start(name, client_tls, **preloaded)
                started.callback(peer.stop)
                result["peers"][name] = (self._count_calls(peer, connections, client_tls, calls, row.kind) if preloaded else
                                         getattr(self, "_count_" + row.kind)(peer, connections, client_tls))
        ours = result["peers"][matrix.ON]["value"]
        result["met"], result["aim_met"] = figures.verdict(ours, row.must), figures.verdict(ours, row.aim)
        return result

    def _count_upstream(self, peer, connections, client_tls):
        with contextlib.closing(self._connected(peer, connections, client_tls)) as asked:
            asked.closed(connections * 10)
            return {"value": accounting.connections_to(peer.process.pid, self.server.port)}

    def _count_idle(self, peer, connections, client_tls):
        with contextlib.closing(self._connected(peer, 10, client_tls)) as asked:
            asked.closed(1000)  # what the first clients set up once is not the price of the next
            before = accounting.memory_bytes(peer.process.pid)
            with contextlib.closing(self._connected(peer, connections, client_tls)) as crowd:
                # Idle means that each has spoken, one after the other as in life, and is silent. All at once, and the row
                # would measure what each proxy keeps of the buffers of a stampede.
                crowd.open(connections * 2, IDLE_RATE)
                time.sleep(SETTLE_SECONDS)
                after = accounting.memory_bytes(peer.process.pid)
        return {"value": figures.idle_bytes(before, after, connections) / 1024}

    def _count_syscalls(self, peer, connections, client_tls):
        with contextlib.closing(self._connected(peer, connections, client_tls)) as asked:
            asked.closed(SYSCALL_COMMANDS // 10)
            with accounting.counted_system_calls(peer.process.pid) as counted:
                told = asked.closed(SYSCALL_COMMANDS)
        return {"value": counted.count / told["commands"] if counted.count is not None else None, "tool": counted.tool}

    def _count_calls(self, peer, connections, client_tls, calls, what):
        """Of the quietest window: until buffers have grown to the largest backlog there is, it is not the steady state."""
        with contextlib.closing(self._connected(peer, connections, client_tls, pipeline=16)) as asked:
            asked.closed(CALL_COMMANDS)
            values = []
            while len(values) < CALL_WINDOWS and 0 not in values:
                before = calls.read()[what]
                told = asked.closed(CALL_COMMANDS)
                values.append((calls.read()[what] - before) / told["commands"])
            return {"value": min(values), "windows": len(values), "ever": calls.read()[what]}

    def _connected(self, peer, connections, client_tls, **shape):
        asked = self.load_on(peer, client_tls=client_tls, connections=connections, **shape)
        asked.close = asked.stop
        return asked
