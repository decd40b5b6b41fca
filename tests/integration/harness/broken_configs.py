"""Some two hundred configurations that are wrong, each in one way, made from the shipped example: every key with every kind
of breakage that its kind allows, files that are not what they should be, and text that is no YAML.
"""

import copy

_NOT_A_SCALAR = {"a list": ["x"], "a mapping": {"x": 1}}
_NUMBER = {"a word": "many", "a negative one": -1, "a fraction": 1.5, "too large": 10 ** 30, "nothing": None, **_NOT_A_SCALAR}
_DURATION = {"no unit": 5, "negative": "-1s", "two units": "1h30m", "too long": "99999999999999999999s", "a word": "soon",
             **_NOT_A_SCALAR}
_SIZE = {"no unit": 5, "negative": "-1MiB", "too large": "99999999999999999999GiB", "another unit": "5MIB", **_NOT_A_SCALAR}
_RATE = {"no time": 5, "negative": "-1/s", "none": "0/s", "another time": "5/fortnight", **_NOT_A_SCALAR}
_SHARE = {"above all": "101%", "negative": "-1%", "a word": "half", **_NOT_A_SCALAR}
_SWITCH = {"a word": "perhaps", "a number": 2, **_NOT_A_SCALAR}
_CHOICE = {"none of them": "whatever", "nothing": None, **_NOT_A_SCALAR}
_TEXT = {"nothing": None, **_NOT_A_SCALAR}
_LIST = {"a word": "x", "a mapping": {"x": 1}}
_MAPPING = {"a word": "x", "a list": ["x"]}
_ADDRESS = {"no port": "127.0.0.1", "a name": "localhost:1", "a port too large": "127.0.0.1:65536", "a word": "here", **_TEXT}
_FILE = {"one that is not there": "/nowhere/at/all", "a folder": "/tmp", **_NOT_A_SCALAR}
_SECRET = {"an unset variable": "${TIDEGATE_NO_SUCH_VARIABLE}", "empty": "", "a file that is not there": "file:/nowhere",
           **_TEXT}

# Key of the example -> what may stand there wrongly.
_KINDS = {
    "instance": {**_TEXT, "other characters": "a b"}, "workers": {**_NUMBER, "none": 0, "hundreds": 1000},
    "drain": _DURATION, "listen": {**_LIST, "none": []},
    "listen.0.address": _ADDRESS, "listen.0.tls": _MAPPING, "listen.0.tls.certificate": _FILE, "listen.0.tls.key": _FILE,
    "listen.0.tls.client_ca": _FILE, "listen.0.tls.client_auth": _CHOICE,
    "upstream": _MAPPING, "upstream.url": {**_TEXT, "another scheme": "http://x", "no scheme": "x:6379",
                                           "a password in it": "redis://:secret@x:6379"},
    "upstream.auth": {"a word": "x", "a list": ["x"], "half of it": {"username": "x"}},
    "upstream.auth.password": _SECRET, "upstream.control.password": _SECRET,
    "upstream.pooling": _CHOICE, "upstream.lanes": {**_NUMBER, "none": 0}, "upstream.idle_dedicated": _NUMBER,
    "upstream.connect_timeout": _DURATION, "upstream.queue_timeout": _DURATION, "upstream.silence": _DURATION,
    "upstream.maxmemory": _SIZE,
    "users": _LIST, "users.0.name": _TEXT, "users.0.password": _SECRET,
    "memory": _MAPPING, "memory.session": {**_SIZE, "more than the total": "2GiB"}, "memory.total": _SIZE,
    "admin": _MAPPING, "admin.address": {**_ADDRESS}, "admin.token": _SECRET,
    "attribution": _MAPPING, "attribution.identify_by": {**_LIST, "another": ["smell"]},
    "attribution.names": _LIST, "attribution.names.0.match": _TEXT, "attribution.names.0.as": _TEXT,
    "attribution.sources.0.cidr": {**_TEXT, "a word": "here", "too many bits": "10.0.0.0/33"},
    "attribution.patterns": {**_LIST, "one twice": ["a:*", "a:*"]},
    "limits": _LIST, "limits.0.name": _TEXT, "limits.0.match": _MAPPING,
    "limits.0.match.command": {"a mapping": {"x": 1}},
    "limits.0.per": _CHOICE, "limits.0.rate": _RATE, "limits.0.burst": {**_NUMBER, "none": 0}, "limits.0.cost": _CHOICE,
    "limits.0.action": _CHOICE, "limits.0.max_delay": _DURATION, "limits.0.memory.from": {**_SHARE, "above to": "99%"},
    "limits.0.memory.floor": _SHARE, "limits.0.until": {"a word": "soon", "no such day": "2099-02-30", **_NOT_A_SCALAR},
    "ttl": _LIST, "ttl.0.pattern": _TEXT, "ttl.0.default": _DURATION, "ttl.0.jitter": _SHARE, "ttl.0.mode": _CHOICE,
    "ttl.1.max": _DURATION, "ttl.2.require": _SWITCH,
    "ledger.bucket": {**_DURATION, "half a second": "500ms"}, "ledger.keep": _DURATION, "ledger.max_size": _SIZE,
    "capture.sample": _SHARE, "capture.values": _SWITCH, "capture.rotate": {**_SIZE, "more than all": "2GiB"},
    "capture.keep": _DURATION, "log.level": _CHOICE, "log.format": _CHOICE,
}


def _parent(document, path):
    steps = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps[:-1]:
        document = document[step]
    return document, steps[-1]


def key_in_messages(path):
    """`limits.0.rate` as the messages write it."""
    return "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split(".")).lstrip(".")


def broken_documents(good):
    """(name, document, key that a message must name) for `good`, which is the example with files that are there."""
    for path, ways in _KINDS.items():
        for way, value in ways.items():
            document = copy.deepcopy(good)
            parent, last = _parent(document, path)
            parent[last] = value
            yield f"{path}: {way}", document, key_in_messages(path.rpartition(".")[0] if isinstance(last, int) else path)
    for path in ("", "listen.0", "upstream", "users.0", "memory", "admin", "attribution", "limits.0", "ttl.0", "ledger",
                 "capture", "log"):
        document = copy.deepcopy(good)
        parent, last = _parent(document, f"{path}.wrokers" if path else "wrokers")
        parent[last] = 1
        yield f"{path}: a key that nobody knows", document, "wrokers"
    for path in ("listen", "upstream", "upstream.url", "listen.0.address", "limits.0.rate", "limits.0.name", "ttl.0.pattern",
                 "users.0.password"):
        document = copy.deepcopy(good)
        parent, last = _parent(document, path)
        del parent[last]
        yield f"{path}: not there", document, key_in_messages(path)
    for path in ("listen", "users", "limits", "ttl", "attribution.sources"):
        document = copy.deepcopy(good)
        parent, last = _parent(document, path)
        if path == "attribution.sources":
            continue
        parent[last].append(copy.deepcopy(parent[last][0]))
        yield f"{path}: one twice", document, key_in_messages(path)


def broken_files(good, certificates, folder):
    """The same for files that the configuration names and that are not what they should be."""
    garbage = folder / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
    garbage.chmod(0o600)
    cut = folder / "cut.crt"
    cut.write_text(certificates.server.read_text()[:200])
    open_key = folder / "open.key"
    open_key.write_text(certificates.server_key.read_text())
    open_key.chmod(0o644)
    _, other_key = certificates.issue("other", "DNS:other")
    for name, key, path in (("no certificate", "certificate", garbage), ("a certificate that is cut", "certificate", cut),
                            ("no key", "key", garbage), ("another's key", "key", other_key),
                            ("a key that others may read", "key", open_key), ("no authority", "client_ca", garbage)):
        document = copy.deepcopy(good)
        document["listen"][0]["tls"][key] = str(path)
        yield f"listen.0.tls.{key}: {name}", document, "listen[0].tls"
    document = copy.deepcopy(good)
    document["upstream"]["url"] += f"?ca={garbage}"
    yield "upstream.url: no authority", document, "upstream.url"


def broken_texts(text):
    """(name, text): what is no YAML, or says nothing."""
    yield "empty", ""
    yield "a comment alone", "# nothing\n"
    yield "a tab", "listen:\n\t- a\n"
    yield "a list", "- a\n- b\n"
    yield "a word", "tidegate\n"
    yield "bytes that are no text", text[:40] + "\x00\x01" + text[40:]
    yield "a second document", text + "\n---\n" + text
    yield "an alias without an anchor", text.rstrip().rstrip("}") + ', "log": *nowhere}'
    yield "a key twice", text.rstrip().rstrip("}") + ', "workers": 1, "workers": 1}'
    for share in (0.1, 0.35, 0.6, 0.85, 0.99):
        yield f"cut at {share:.0%}", text[:int(len(text) * share)]
