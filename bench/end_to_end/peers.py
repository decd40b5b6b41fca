"""The proxies that are compared, each in its best fair configuration, and how each is started.

A configuration is text made by a pure function of the ports and files; bench/README.md says why each is as it is.
"""

import json
import re

from processes import free_port, process

CLIENTS_MAX = 9900  # haproxy wants two descriptors a client, and 20,000 is a common hard limit
PATTERNS = 30
NAMES = 50
LEDGER_ON = {"ledger": {"path": "ledger.db"}}
EVIDENCE_ON = LEDGER_ON | {"capture": {"directory": "captures"}}
TTL_PATTERNS = 3  # of 30 families: a tenth of the SETs
CIPHER = "TLS_AES_256_GCM_SHA384"


def haproxy_config(port, upstream_port, tls, client_tls, upstream_tls):
    bind = f"bind 127.0.0.1:{port}"
    if client_tls:
        bind += f" ssl crt {tls.both} ssl-min-ver TLSv1.3 ciphersuites {CIPHER}"
    server = f"server redis 127.0.0.1:{upstream_port}"
    if upstream_tls:
        server += f" ssl verify required ca-file {tls.ca} ssl-min-ver TLSv1.3 ciphersuites {CIPHER}"
    return f"""global
    nbthread 1
    maxconn {CLIENTS_MAX}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend clients
    {bind}
    default_backend redis
backend redis
    {server}
"""


def nutcracker_config(port, upstream_port):
    return f"""bench:
  listen: 127.0.0.1:{port}
  redis: true
  hash: fnv1a_64
  distribution: modula
  preconnect: true
  backlog: 4096
  server_connections: 1
  servers:
   - 127.0.0.1:{upstream_port}:1
"""


def stunnel_config(port, upstream_port, tls):
    return f"""foreground = yes
pid =
syslog = no
debug = err
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[redis]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{upstream_port}
cert = {tls.certificate}
key = {tls.key}
sslVersionMin = TLSv1.3
ciphersuites = {CIPHER}
TIMEOUTidle = 86400
"""


def tidegate_config(upstream_port, tls, client_tls, upstream_tls, policy, *, workers=1, more=None):
    """`policy`: 30 patterns and 50 names, five limit rules that match and admit, three TTL rules that rewrite a tenth of
    the SETs; no ledger. `more` is laid over it. JSON is YAML."""
    listener = {"address": "127.0.0.1:0"}
    if client_tls:
        listener["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    url = f"redis://127.0.0.1:{upstream_port}"
    if upstream_tls:
        url = f"rediss://127.0.0.1:{upstream_port}?ca={tls.ca}"
    config = {"instance": "bench", "workers": workers, "listen": [listener], "upstream": {"url": url},
              "admin": {"address": "127.0.0.1:0"}, "ledger": "off", "log": {"level": "warn"}}
    if policy:
        config |= policy_on(PATTERNS, NAMES, 5)
    return json.dumps(config | (more or {}), indent=1)


def policy_on(patterns, names, rules):
    """Rules differ in what they select and by what they count, as real ones do; each matches every write of the load."""
    kinds = [{"match": {"command": "write"}},
             {"match": {"command": "write", "key": "family*"}},
             {"match": {"client": "app*"}, "per": "connection"},
             {"match": {"command": ["SET", "SADD"]}, "cost": "byte"},
             {"match": {"key": "family*"}, "per": "rule", "cost": "element"}]
    limits = []
    for number in range(rules):
        kind = kinds[number % len(kinds)]
        unit = "1TiB" if kind.get("cost") == "byte" else "1000000000"
        limits.append({"name": f"admits-{number}", "rate": f"{unit}/s", "burst": unit if unit == "1TiB" else int(unit), **kind})
    ttl = [{"default": "1h"}, {"default": "2h", "jitter": "10%"}, {"max": "1d", "default": "3h"}]
    return {"attribution": {"patterns": [f"family{number:05}:*" for number in range(patterns)],
                            "names": [{"match": f"app{number}-*", "as": f"app{number}"} for number in range(names)]},
            "limits": limits,
            "ttl": [{"pattern": f"family{number:05}:*", **ttl[number % 3]} for number in range(min(TTL_PATTERNS, patterns))]}


class peer:
    """One proxy under measurement: `process` (None: there is none, the server itself), where it listens, what it can."""

    def __init__(self, name, child, port, *, takes_names=False, scrape_port=None):
        self.name = name
        self.process = child
        self.port = port
        self.takes_names = takes_names  # CLIENT SETNAME; nutcracker would close the connection
        self.scrape_port = scrape_port

    def evidence(self):
        """What it has written of ledger and capture; a build that serves neither writes nothing."""
        folder = self.process.folder
        return sorted(path.name for path in (*folder.glob("ledger.db"), *folder.glob("captures/*")))

    def stop(self):
        if self.process:
            self.process.stop()


def start_haproxy(name, core, server, tls, client_tls, upstream_tls):
    port = free_port()
    config = haproxy_config(port, server.tls_port if upstream_tls else server.port, tls, client_tls, upstream_tls)
    child = process("haproxy", ["haproxy", "-db", "-f", "{folder}/haproxy.cfg"], core, files={"haproxy.cfg": config},
                    ready_port=port)
    return peer(name, child, port)


def start_nutcracker(name, core, server, *_):
    port = free_port()
    child = process("nutcracker", ["nutcracker", "-c", "{folder}/nutcracker.yml", "-s", free_port(), "-a", "127.0.0.1"], core,
                    files={"nutcracker.yml": nutcracker_config(port, server.port)}, ready_port=port)
    return peer(name, child, port)


def start_stunnel(name, core, server, tls, *_):
    port = free_port()
    child = process("stunnel", ["stunnel", "{folder}/stunnel.conf"], core,
                    files={"stunnel.conf": stunnel_config(port, server.port, tls)}, ready_port=port)
    return peer(name, child, port)


def start_tidegate(name, core, server, tls, client_tls, upstream_tls, *, binary, policy=True, workers=1, more=None,
                   environment=None):
    config = tidegate_config(server.tls_port if upstream_tls else server.port, tls, client_tls, upstream_tls, policy,
                             workers=workers, more=more)
    child = process("tidegate", [binary, "serve", "-c", "{folder}/tidegate.yaml"], core, files={"tidegate.yaml": config},
                    environment=environment)
    line = child.wait_for(lambda: re.search(r"^listening .*\n", child.log, re.MULTILINE), "tidegate to listen").group()
    port, = re.findall(r"127\.0\.0\.1:(\d+) \((?:plain|tls)\)", line)
    admin = re.search(r"admin 127\.0\.0\.1:(\d+)", line).group(1)
    return peer(name, child, int(port), takes_names=True, scrape_port=int(admin) if policy else None)


class redis:
    """The server behind all of them, plain and TLS; its port can be asked directly, too."""

    def __init__(self, core, tls):
        self.port, self.tls_port = free_port(), free_port()
        self.process = process(
            "redis", ["redis-server", "--port", self.port, "--tls-port", self.tls_port, "--bind", "127.0.0.1", "--save", "",
                      "--appendonly", "no", "--maxclients", "12000", "--tls-cert-file", tls.certificate, "--tls-key-file",
                      tls.key, "--tls-ca-cert-file", tls.ca, "--tls-auth-clients", "no", "--dir", "{folder}"],
            core, ready_port=self.port)

    def stop(self):
        self.process.stop()
