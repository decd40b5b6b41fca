"""Certificates as they should be and as they should not: expired, early, for another host, of another authority …

Made with `openssl ca`, which alone takes both dates.
"""

import pathlib
import shutil
import ssl
import subprocess
import tempfile

PAST, NOW, SOON, FUTURE = "20200101000000Z", "20250101000000Z", "20490101000000Z", "20480101000000Z"
_CONFIGURATION = """
[ca]
default_ca = this
[this]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
x509_extensions = wanted
[any]
commonName = supplied
[wanted]
{extensions}
"""


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr}")


class certificate_kinds:
    """`pair(kind)` -> (certificate file, key file), made at the first wish. `ca` is the authority that peers are told of.
    `names` are the alternative names of those that name the right host."""

    def __init__(self, names="IP:127.0.0.1,IP:127.0.0.2,DNS:localhost"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-kinds-"))
        (self.folder / "index.txt").touch()
        self.names = names
        self._made = {}
        self.ca = self._authority("authority")
        self._authority("stranger")

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, name, end):
        return self.folder / f"{name}.{end}"

    def _key(self, name, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        _openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", self._file(name, "key"),
                 "-out", self._file(name, "csr"))
        self._file(name, "key").chmod(0o600)

    def _authority(self, name):
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                 f"/CN={name}", "-keyout", self._file(name, "key"), "-out", self._file(name, "crt"))
        return self._file(name, "crt")

    def _sign(self, name, by="authority", names=None, start=NOW, end=SOON, more=(), digest="sha256"):
        extensions = [f"subjectAltName = {self.names if names is None else names}", *more]
        configuration = self._file(name, "cnf")
        configuration.write_text(_CONFIGURATION.format(folder=self.folder, extensions="\n".join(extensions)))
        _openssl("ca", "-batch", "-notext", "-config", configuration, "-cert", self._file(by, "crt"), "-keyfile",
                 self._file(by, "key"), "-in", self._file(name, "csr"), "-out", self._file(name, "crt"), "-startdate", start,
                 "-enddate", end, "-md", digest)

    def pair(self, kind):
        if kind not in self._made:
            getattr(self, "_make_" + kind)(kind)
            self._made[kind] = (self._file(kind, "crt"), self._file(kind, "key"))
        return self._made[kind]

    def again(self, kind):
        """The same kind with a new key and number."""
        self._made.pop(kind, None)
        return self.pair(kind)

    def server_context(self, kind):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")  # this side shows whatever it is told to
        context.load_cert_chain(*self.pair(kind))
        return context

    def client_context(self, kind=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_verify_locations(self.ca)
        if kind is not None:
            context.load_cert_chain(*self.pair(kind))
        return context

    # --- the kinds

    def _make_right(self, name):
        self._key(name)
        self._sign(name)

    def _make_right_with_rsa(self, name):
        self._key(name, ("rsa:2048",))
        self._sign(name)

    def _make_right_with_its_chain(self, name):
        self._chain(name, "CA:TRUE")

    def _make_chainless(self, name):
        self._intermediate(name, "CA:TRUE")

    def _make_signed_by_a_leaf(self, name):
        self._chain(name, "CA:FALSE")

    def _make_with_a_chain_that_ends_first(self, name):
        self._chain(name, "CA:TRUE", FUTURE)

    def _chain(self, name, authority, end=SOON):
        self._intermediate(name, authority, end)
        chain = self._file(name, "crt")
        chain.write_text(chain.read_text() + self._file(f"{name}-authority", "crt").read_text())

    def _intermediate(self, name, authority, end=SOON):
        self._key(f"{name}-authority")
        self._sign(f"{name}-authority", end=end,
                   more=[f"basicConstraints = critical,{authority}"])
        self._key(name)
        self._sign(name, by=f"{name}-authority")

    def _make_expired(self, name):
        self._key(name)
        self._sign(name, start=PAST, end=NOW)

    def _make_not_yet_valid(self, name):
        self._key(name)
        self._sign(name, start=FUTURE, end=SOON)

    def _make_of_another_host(self, name):
        self._key(name)
        self._sign(name, names="DNS:elsewhere.example,IP:127.0.0.9")

    def _make_of_another_authority(self, name):
        self._key(name)
        self._sign(name, by="stranger")

    def _make_self_signed(self, name):
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                 f"/CN={name}", "-addext", f"subjectAltName={self.names}", "-keyout", self._file(name, "key"),
                 "-out", self._file(name, "crt"))
        self._file(name, "key").chmod(0o600)

    def _make_with_a_weak_key(self, name):
        self._key(name, ("rsa:1024",))
        self._sign(name)

    def _make_with_a_weak_signature(self, name):
        self._key(name)
        self._sign(name, digest="sha1")

    def _make_for_clients_alone(self, name):
        self._key(name)
        self._sign(name, more=["extendedKeyUsage = clientAuth"])

    def _make_for_servers_alone(self, name):
        self._key(name)
        self._sign(name, more=["extendedKeyUsage = serverAuth"])
