"""What the programs in tests/faults share: a gateway of their own, signed requests, and waiting.

    import support
    support.BINARY = support.build()
    with support.Gateway(folder) as gateway:
        support.expect(gateway.put("a", b"content").status, 200, "PUT")
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEYS = ("AKIAFAULTS0000000000", "faults-secret")
MIB = 1024 * 1024
PATIENCE = 20
# The program under test: `build` returns its path, the caller sets it.
BINARY = None
# The faults of tests/faults/run, by name.
FAULTS = {}


class Skip(Exception):
    """A test needs something that this machine does not have."""


def fault(function):
    """Makes a function one of the faults, by its name."""
    FAULTS[function.__name__] = function
    return function


def target():
    """Returns cargo's target folder."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def build():
    """Builds postern, or returns the binary that POSTERN names."""
    given = os.environ.get("POSTERN")
    if given:
        return str(pathlib.Path(given).resolve())
    subprocess.run(["cargo", "build", "--locked", "--bin", "postern"], cwd=ROOT, check=True)
    return str(target() / "debug" / "postern")


def until(what, holds, seconds=PATIENCE):
    """Waits until `holds` returns something true, and returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds}s still not: {what}")


def expect(found, wanted, what):
    assert found == wanted, f"{what}: {found!r}, and not {wanted!r}"


def content(size, seed=1):
    """Returns random bytes, the same for the same seed."""
    return random.Random(seed).randbytes(size)


class Answer:
    """An answer. `broken` means that the connection ended before the body did."""

    def __init__(self, status, body, broken=False, headers=()):
        self.status, self.body, self.broken = status, body, broken
        self.headers = {name.lower(): value for name, value in headers}
        code = re.search(rb"<Code>(\w+)</Code>", body[:2000])
        self.code = code[1].decode() if code and status >= 300 else None
        self.said = f"{status} {self.code}" if self.code else str(status)

    def element(self, name):
        """Returns the text of an XML element of the body, or None."""
        found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), self.body)
        return found[1].decode() if found else None


def presigned(method, host, path, query=(), headers=(), keys=KEYS):
    """Returns a presigned URL's path and query. `headers` are signed as well."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    signed = {"host": host, **{name.lower(): value for name, value in dict(headers).items()}}
    signed = dict(sorted(signed.items()))
    names = ";".join(signed)
    pairs = {
        **dict(query), "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{keys[0]}/{scope}", "X-Amz-Date": now, "X-Amz-Expires": 3600,
        "X-Amz-SignedHeaders": names}
    query = urllib.parse.urlencode(sorted(pairs.items()), quote_via=urllib.parse.quote, safe="")
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
    mac = ("AWS4" + keys[1]).encode()
    for part in [*scope.split("/"), text]:
        mac = hmac.new(mac, part.encode(), hashlib.sha256).digest()
    return f"{path}?{query}&X-Amz-Signature={mac.hex()}"


POLICY = f"""[[signer]]
name = 'faults'
access_key_id = '{KEYS[0]}'
secret_access_key = '{KEYS[1]}'
[[signer.statement]]
Effect = 'Allow'
Action = 's3:*'
Resource = '*'
"""


class Gateway:
    """A running postern with the bucket `abc` in `root`, which is `data` below `folder`.

    `policy` is appended to the policy that allows everything to KEYS. Further arguments are
    variables of the environment, such as POSTERN_STORAGE__DURABLE="false". `syncs` decides about
    the program's syncs (see syncs.py).
    """

    def __init__(self, folder, root=None, bucket="abc", policy="", syncs=None, **settings):
        self.folder = pathlib.Path(folder)
        self.root = pathlib.Path(root) if root else self.folder / "data"
        if bucket:
            (self.root / bucket).mkdir(parents=True, exist_ok=True)
        file = self.folder / "policy.toml"
        file.write_text(POLICY + policy)
        file.chmod(0o600)
        self.environment = {
            "PATH": os.environ["PATH"], "POSTERN_SERVER__LISTEN": "127.0.0.1:0",
            "POSTERN_ADMIN__LISTEN": "127.0.0.1:0", "POSTERN_STORAGE__PROBE_EVERY": "1s",
            "POSTERN_STORAGE__ROOT": str(self.root), **settings}
        self.syncs = syncs
        self.start()

    def start(self):
        self.log = open(self.folder / "log", "a")
        self.process = subprocess.Popen(
            [BINARY, "serve"], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
            stderr=self.log, text=True, preexec_fn=self.syncs.preexec if self.syncs else None)
        if self.syncs:
            self.syncs.start()
        lines = iter(self.process.stdout)

        def address(word):
            line = next((line for line in lines if line.startswith(f"{word} listens on ")), "//?")
            return line.split("//")[1].strip()

        self.host, self.admin = address("postern"), address("admin")
        assert self.admin != "?", self.logged()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """Ends the process as `kill -9` does."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        if self.syncs:
            self.syncs.close()

    def logged(self):
        return (self.folder / "log").read_text()

    def link(self, method, key, query=(), headers=(), bucket="abc", keys=KEYS):
        """Returns a presigned URL. `key` goes into the path as it is; None means the bucket."""
        path = "/" + "/".join(part for part in [bucket, key] if part is not None)
        return presigned(method, self.host, path, query, headers, keys)

    def connect(self, seconds=PATIENCE):
        return http.client.HTTPConnection(self.host, timeout=seconds)

    def ask(self, method, key, body=None, connection=None, seconds=PATIENCE, query=(), headers=(),
            bucket="abc", keys=KEYS):
        """Sends one request, and reads the answer to its end."""
        own = connection is None
        connection = connection or self.connect(seconds)
        try:
            link = self.link(method, key, query, headers, bucket, keys)
            connection.request(method, link, body=body, headers=dict(headers))
            response = connection.getresponse()
            try:
                return Answer(response.status, response.read(), headers=response.getheaders())
            except http.client.IncompleteRead as cut:
                return Answer(response.status, cut.partial, True, response.getheaders())
            except ConnectionError:
                return Answer(response.status, b"", True, response.getheaders())
        finally:
            if own:
                connection.close()

    def get(self, key, **more):
        return self.ask("GET", key, **more)

    def put(self, key, body, **more):
        return self.ask("PUT", key, body, **more)

    def operator(self, path):
        connection = http.client.HTTPConnection(self.admin, timeout=PATIENCE)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def command(self, *arguments):
        """Runs a command of postern with this gateway's configuration."""
        return subprocess.run(
            [BINARY, *arguments], cwd=self.folder, capture_output=True, text=True,
            env=self.environment | {"POSTERN_ADMIN__LISTEN": self.admin})

    def problem(self):
        """Returns what /readyz says of the storage: it is 503 exactly while there is a problem."""
        status, text = self.operator("/readyz")
        problem = json.loads(text)["storage_problem"]
        expect(status, 503 if problem else 200, f"/readyz with {problem!r}")
        return problem

    def measures(self, healthy):
        line = f"postern_storage_healthy {healthy}\n"
        until(line.strip(), lambda: line in self.operator("/metrics")[1])

    def turns(self, *words):
        """Waits until readiness has turned, and /readyz names the path."""
        problem = until("readiness turns", self.problem)
        for word in [str(self.root), *words]:
            assert word in problem, f"{word!r} is not in {problem!r}"
        self.measures(0)
        asked = self.command("health")
        named = asked.returncode == 1 and str(self.root) in asked.stderr
        assert named, f"postern health: {asked}"

    def is_back(self):
        until("ready again", lambda: not self.problem())
        self.measures(1)

    def litter(self):
        """Returns the temporary files: there are none while no request is running."""
        return sorted(str(path) for path in self.root.glob("abc/~!tmp/*"))

    def leaves_nothing(self):
        until("no temporary file is left", lambda: not self.litter())


@contextlib.contextmanager
def strace(gateway, calls, *more):
    """Injects faults while the block runs: into the calls of all threads of the program."""
    if not shutil.which("strace"):
        raise Skip("no strace here")
    note = gateway.folder / "strace"
    arguments = ["strace", "-f", "-o", str(note), "-p", str(gateway.process.pid), *map(str, more)]
    for call in calls:
        arguments += ["-e", f"inject={call}"]
    tracer = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    if "attached" not in said:
        tracer.wait()
        raise Skip(f"strace cannot attach here: {said.strip()}")
    try:
        yield note
    finally:
        tracer.send_signal(signal.SIGINT)
        try:
            tracer.wait(5)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()


def in_memory(needed=3 * 1024 * MIB):
    """Returns a folder in memory with so much room, or None: syncs are quick there."""
    folder = "/dev/shm"
    try:
        free = os.statvfs(folder)
    except OSError:
        return None
    available = re.search(r"MemAvailable: *(\d+)", pathlib.Path("/proc/meminfo").read_text())
    room = min(free.f_bavail * free.f_frsize, int(available[1]) * 1024)
    return folder if room > needed and os.access(folder, os.W_OK) else None


def mount(*arguments):
    """Mounts a file system in this program's own namespace; elsewhere the test is skipped."""
    if os.environ.get("FAULTS_NAMESPACE") != "own":
        raise Skip("no mount namespace here")
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise Skip(f"cannot mount here: {done.stderr.strip()}")


def unmount(path):
    subprocess.run(["umount", "-l", str(path)], check=True)


def in_namespace(file, arguments):
    """Runs this program again in a mount namespace of its own, with the binary built.

    Returns only in that process, with BINARY set. Where there are no namespaces it is the same
    without one, and `mount` raises Skip.
    """
    global BINARY
    BINARY = build()
    if os.environ.get("FAULTS_NAMESPACE") is None:
        environment = {**os.environ, "FAULTS_NAMESPACE": "none", "POSTERN": BINARY}
        way = ["unshare", "--mount"]
        if os.geteuid() != 0:
            way = ["unshare", "--user", "--map-root-user", "--mount"]
        works = shutil.which(way[0]) and subprocess.run([*way, "true"], capture_output=True)
        if works and works.returncode == 0:
            environment["FAULTS_NAMESPACE"] = "own"
        else:
            way = []
        command = [*way, "python3", str(file), *arguments]
        os.execvpe(command[0], command, environment)
