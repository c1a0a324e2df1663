"""What the soak's clients have in common: what is stored and what a read may find, signing, HTTP, and the count of everything that was asked."""

import collections
import datetime
import hashlib
import hmac
import http.client
import socket
import struct
import threading
import time
import urllib.parse

BUCKET = "films"
MIB = 1024 * 1024
PIECE = 256 * 1024
# Of one key, how many versions a read may be compared with.
REMEMBERED = 200
LONGEST_WAIT = 60


class Version:
    """One content of a key: every MiB of it is a stream of its own, made from the key, the version's number and the place."""

    def __init__(self, key, number, size):
        self.key, self.number, self.size = key, number, size
        self._sha256 = None

    def slice(self, start, end):
        """Its bytes from start up to end."""
        pieces, at = [], start
        while at < end:
            block = at // MIB
            made = hashlib.shake_128(f"{self.key} {self.number} {block}".encode()).digest(min(MIB, self.size - block * MIB))
            pieces.append(made[at - block * MIB : end - block * MIB])
            at = (block + 1) * MIB
        return b"".join(pieces)

    def content(self):
        return self.slice(0, self.size)

    def sha256(self):
        if self._sha256 is None:
            self._sha256 = hashlib.sha256(self.content()).hexdigest()
        return self._sha256


class Key:
    """A key of one writer, and every version that it has had. None as a version is a key that is not there."""

    def __init__(self, name):
        self.name, self.number = name, 0
        absent = Written(None)
        absent.ended = 0.0
        self.history = collections.deque([absent], maxlen=REMEMBERED)

    def next(self, size):
        """The next version, which nobody has written yet."""
        self.number += 1
        return Version(self.name, self.number, size)

    def writing(self, version):
        """Tells that from now on a read may find this version."""
        written = Written(version)
        self.history.append(written)
        return written

    def now(self):
        """What its only writer wrote last."""
        return self.history[-1].version

    def candidates(self, since):
        """What a read that began then and has just ended may have found."""
        history = list(self.history)
        first = max((place for place, written in enumerate(history) if written.ended is not None and written.ended <= since), default=0)
        return [written.version for written in history[first:]]


class Written:
    """A version, and when its writer heard that it is there."""

    def __init__(self, version):
        self.version, self.ended = version, None

    def done(self):
        self.ended = time.monotonic()


class Signer:
    """Signs as AWS describes it (Signature Version 4), in the query or in headers."""

    def __init__(self, name, key, secret):
        self.name, self.key, self.secret = name, key, secret

    def _mac(self, stamp, text):
        scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
        mac = ("AWS4" + self.secret).encode()
        for part in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}"]:
            mac = hmac.new(mac, part.encode(), hashlib.sha256).digest()
        return mac.hex()

    def link(self, host, method, key, life=3600, headers=(), age=0, **query):
        """A presigned link as path and query. An empty key is the bucket."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age))
        headers = dict(sorted({"host": host, **dict(headers)}.items()))
        names = ";".join(headers)
        pairs = {
            **query,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.key}/{stamp[:8]}/us-east-1/s3/aws4_request",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": life,
            "X-Amz-SignedHeaders": names,
        }
        encoded = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(pairs.items()))
        path = f"/{BUCKET}/{urllib.parse.quote(key, safe='/-_.~')}".removesuffix("/")
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        signature = self._mac(stamp, f"{method}\n{path}\n{encoded}\n{lines}\n{names}\nUNSIGNED-PAYLOAD")
        return f"{path}?{encoded}&X-Amz-Signature={signature}"

    def headers(self, host, method, key, body):
        """Path and headers of a request that is signed in its headers, body included."""
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        path = f"/{BUCKET}/{urllib.parse.quote(key, safe='/-_.~')}"
        names = "host;x-amz-content-sha256;x-amz-date"
        text = f"{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{stamp}\n\n{names}\n{digest}"
        credential = f"{self.key}/{stamp[:8]}/us-east-1/s3/aws4_request"
        value = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={self._mac(stamp, text)}"
        return path, {"x-amz-content-sha256": digest, "x-amz-date": stamp, "Authorization": value}


def quote(text):
    return urllib.parse.quote(str(text), safe="-_.~")


class Tally:
    """Everything that was asked, and everything that was wrong."""

    def __init__(self, longest_told=40):
        self._lock, self._longest_told = threading.Lock(), longest_told
        self.begun = self.answered = self.down = self.up = 0
        self.kinds, self.statuses = collections.Counter(), collections.Counter()
        self.spans = collections.defaultdict(list)
        # By request id: what its record has to say.
        self.complete = {}
        # Requests that were broken off, or whose answer has no id: they may have a record.
        self.maybe = 0
        self.failures = []

    def begin(self, kind):
        with self._lock:
            self.begun += 1
            self.kinds[kind] += 1

    def end(self, status, request_id, received, sent):
        """An answer that was read to its end."""
        with self._lock:
            self.answered += 1
            self.statuses[status] += 1
            self.down += received
            self.up += sent
            if not request_id:
                self.maybe += 1
            elif request_id in self.complete:
                self._fail(f"two answers have the id {request_id}")
            else:
                self.complete[request_id] = (status, received)

    def broke(self, received=0):
        """A request that has no whole answer."""
        with self._lock:
            self.maybe += 1
            self.down += received

    def took(self, what, seconds):
        with self._lock:
            self.spans[what].append(seconds)

    def fail(self, text):
        with self._lock:
            self._fail(text)

    def _fail(self, text):
        self.failures.append(text)
        if len(self.failures) <= self._longest_told:
            print(f"not ok: {text}", flush=True)


class Pacer:
    """Bounds what all clients together may ask: requests, and bytes in both directions, each second."""

    def __init__(self, requests, bytes_a_second):
        self._lock, self._free = threading.Lock(), 0.0
        self._requests, self._bytes = requests, bytes_a_second

    def pay(self, size=0):
        """Waits for its turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._free)
            self._free = turn + max(1 / self._requests, size / self._bytes)
        if turn > now:
            time.sleep(turn - now)


class Answer:
    def __init__(self, status, headers, size, sha256, body):
        self.status, self.headers, self.size, self.sha256, self.body = status, headers, size, sha256, body


class Client:
    """One thread's connections: HTTP and HTTPS, kept alive, and fresh where it wants them so."""

    def __init__(self, soak):
        self.soak, self._kept = soak, {}

    def connect(self, scheme, small=False):
        """A fresh connection. A small one has little room for what was not read yet."""
        port = self.soak.ports[scheme]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_WAIT)
        plain = socket.socket()
        if small:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        plain.settimeout(LONGEST_WAIT)
        try:
            plain.connect(("127.0.0.1", port))
            connection.sock = self.soak.trust.wrap_socket(plain, server_hostname="127.0.0.1") if scheme == "https" else plain
        except OSError:
            plain.close()
            raise
        connection.auto_open = 0
        return connection

    def ask(self, kind, scheme, method, path, headers=(), body=None, fresh=False):
        """Sends a request and reads all of its answer; a break is an error."""
        tally = self.soak.tally
        connection, used = self._kept.pop(scheme, (None, 0))
        # Before the server may think of closing it.
        if connection and (fresh or time.monotonic() - used > self.soak.idle / 2):
            connection.close()
            connection = None
        connection = connection or self.connect(scheme)
        tally.begin(kind)
        try:
            connection.request(method, path, body=body, headers={"Connection": "close"} | dict(headers) if fresh else dict(headers))
            answer = read(connection.getresponse(), tally, len(body or b""))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            tally.broke()
            raise AssertionError(f"{kind} over {scheme}, {method} {path.split('?')[0]}: broken off ({error!r})") from error
        if fresh:
            connection.close()
        else:
            self._kept[scheme] = (connection, time.monotonic())
        return answer

    def close(self):
        for connection, _ in self._kept.values():
            connection.close()
        self._kept = {}


def read(response, tally, sent=0, pause=None):
    """Reads an answer to its end. What is short keeps its bytes; of the rest there is the hash."""
    digest, size, kept = hashlib.sha256(), 0, b""
    while piece := response.read(PIECE if pause is None else 64 * 1024):
        digest.update(piece)
        size += len(piece)
        kept += piece if size <= PIECE else b""
        if pause:
            pause()
    # http.client takes a body that is too short for a whole one where it is read in pieces.
    if response.length:
        raise http.client.IncompleteRead(kept, response.length)
    tally.end(response.status, response.getheader("x-amz-request-id"), size, sent)
    return Answer(response.status, response.headers, size, digest.hexdigest(), kept)


def reset(connection):
    """Vanishes: the other side sees a reset."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def compare(key, since, answer, start=None, end=None):
    """Is this exactly one version of the key, of those that it may be?"""
    versions = key.candidates(since)
    for version in versions:
        if version is None:
            if answer.status == 404:
                return
            continue
        if start is None and (answer.status, answer.sha256) == (200, version.sha256()):
            return
        if start is not None and start < version.size:
            last = min(end, version.size)
            wanted = hashlib.sha256(version.slice(start, last)).hexdigest()
            told = answer.headers.get("content-range")
            if (answer.status, answer.sha256, told) == (206, wanted, f"bytes {start}-{last - 1}/{version.size}"):
                return
        if start is not None and start >= version.size and answer.status == 416:
            return
    may_be = ", ".join(f"{version.number} of {version.size} bytes" if version else "none" for version in versions)
    piece = "" if start is None else f" from {start} to {end}"
    raise AssertionError(
        f"WRONG BYTES: {key.name}{piece}: status {answer.status}, {answer.size} bytes, SHA-256 {answer.sha256[:12]}, and is no version of: {may_be}"
        + (f" ({answer.body[:300]!r})" if answer.status >= 400 else "")
    )
