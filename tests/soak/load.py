"""What the soak's clients do: each function is one worker's turn, again and again until the time is over."""

import hashlib
import http.client
import re
import socket
import subprocess
import time
import urllib.parse

from client import LONGEST_WAIT, MIB, Client, compare, read, reset

STATIC = [0, 1, 100, 4096, 64 * 1024, 64 * 1024 + 1, MIB, 5 * MIB + 3, 32 * MIB]
OWN_KEYS = 6


def equal(found, expected, what):
    assert found == expected, f"{what}: {found!r}, and not {expected!r}"


def ok(answer, what, status=200):
    assert answer.status == status, f"{what}: status {answer.status} and not {status}: {answer.body[:400]!r}"
    return answer


def refused(answer, code, what):
    found = re.search(rb"<Code>(\w+)</Code>", answer.body)
    equal((answer.status, found and found.group(1).decode()), (403, code), what)


def slept(soak, seconds):
    """Waits, and says whether the load goes on."""
    soak.over.wait(seconds)
    return not soak.over.is_set()


class Reader:
    """Whole objects, ranges and heads of what never changes and of what is overwritten meanwhile."""

    def __init__(self, soak, random, schemes):
        self.soak, self.random, self.schemes, self.client = soak, random, schemes, Client(soak)

    def turn(self):
        random, soak = self.random, self.soak
        scheme = random.choice(self.schemes)
        host = soak.host(scheme)
        key = random.choice(soak.written if random.random() < 0.6 else soak.static)
        version = key.now()
        size = version.size if version else 0
        if size > 8 * MIB and random.random() < 0.8:
            return
        fresh = random.random() < 0.1
        what = random.random()
        if what < 0.15:
            soak.pacer.pay()
            since = time.monotonic()
            answer = self.client.ask("HEAD", scheme, "HEAD", soak.app.link(host, "HEAD", key.name), fresh=fresh)
            sizes = {(200, str(v.size)) if v else (404, None) for v in key.candidates(since)}
            told = answer.headers.get("content-length") if answer.status == 200 else None
            assert (answer.status, told) in sizes, f"HEAD of {key.name}: {answer.status} {told}, and none of {sizes}"
        elif what < 0.45 and size > 1:
            start = random.randrange(size)
            end = min(size, start + random.choice([1, 1000, 64 * 1024, 700_000]))
            soak.pacer.pay(end - start)
            since = time.monotonic()
            link = soak.app.link(host, "GET", key.name)
            answer = self.client.ask("GET of a range", scheme, "GET", link, {"Range": f"bytes={start}-{end - 1}"}, fresh=fresh)
            compare(key, since, answer, start, end)
        else:
            soak.pacer.pay(size)
            since = time.monotonic()
            answer = self.client.ask("GET", scheme, "GET", soak.app.link(host, "GET", key.name), fresh=fresh)
            compare(key, since, answer)


class Writer:
    """The only writer of its keys: it knows what must be there."""

    def __init__(self, soak, random, keys):
        self.soak, self.random, self.keys, self.client = soak, random, keys, Client(soak)
        self.prefix = keys[0].name.split("/")[0] + "/"

    def size(self):
        random = self.random
        return random.choice([random.randrange(2000), random.randrange(200_000), random.randrange(200_000), random.randrange(2 * MIB)])

    def turn(self):
        random = self.random
        key, scheme = random.choice(self.keys), random.choice(["http", "http", "https"])
        turns = [self.put, self.put_by_headers, self.copy, self.remove, self.list, self.parts, self.abort]
        random.choices(turns, [40, 10, 12, 12, 18, 4, 4])[0](key, scheme)

    def ask(self, kind, scheme, method, key, body=None, headers=(), **query):
        self.soak.pacer.pay(len(body or b""))
        link = self.soak.app.link(self.soak.host(scheme), method, key, headers=headers, **query)
        return self.client.ask(kind, scheme, method, link, headers, body)

    def put(self, key, scheme):
        version = key.next(self.size())
        body = version.content()
        written = key.writing(version)
        answer = ok(self.ask("PUT", scheme, "PUT", key.name, body), f"PUT of {key.name}")
        written.done()
        equal(answer.headers["etag"], f'"{hashlib.md5(body).hexdigest()}"', "the ETag")

    def put_by_headers(self, key, scheme):
        version = key.next(self.size())
        body = version.content()
        self.soak.pacer.pay(len(body))
        path, headers = self.soak.app.headers(self.soak.host(scheme), "PUT", key.name, body)
        written = key.writing(version)
        ok(self.client.ask("PUT, signed in headers", scheme, "PUT", path, headers, body), f"PUT of {key.name}")
        written.done()

    def copy(self, key, scheme):
        source = self.random.choice([key for key in self.soak.static if key.now().size <= MIB])
        copied = source.now()
        written = key.writing(copied)
        answer = self.ask("CopyObject", scheme, "PUT", key.name, headers={"x-amz-copy-source": f"/films/{urllib.parse.quote(source.name)}"})
        ok(answer, f"a copy to {key.name}")
        assert b"<CopyObjectResult" in answer.body, f"a copy: {answer.body!r}"
        written.done()

    def remove(self, key, scheme):
        written = key.writing(None)
        ok(self.ask("DELETE", scheme, "DELETE", key.name), f"DELETE of {key.name}", 204)
        written.done()

    def list(self, _, scheme):
        """Nobody else writes here, so the listing is exactly what is known, on one page or on several."""
        wanted = sorted((key.name, key.now().size) for key in self.keys if key.now())
        found, query = [], {"list-type": 2, "prefix": self.prefix}
        if self.random.random() < 0.5:
            query["max-keys"] = 2
        while True:
            answer = ok(self.ask("ListObjectsV2", scheme, "GET", "", **query), "a listing")
            found += [(name, int(size)) for name, size in re.findall(r"<Key>([^<]+)</Key>.*?<Size>(\d+)</Size>", answer.body.decode(), re.S)]
            token = re.search(r"<NextContinuationToken>([^<]+)<", answer.body.decode())
            if not token:
                break
            query["continuation-token"] = token.group(1)
        equal(found, wanted, f"the listing of {self.prefix}")

    def begin(self, key, scheme):
        begun = ok(self.ask("CreateMultipartUpload", scheme, "POST", key.name, uploads=""), "the begin of an upload")
        return re.search(rb"<UploadId>([^<]+)</UploadId>", begun.body).group(1).decode()

    def part(self, key, scheme, upload, number, body):
        answer = self.ask("UploadPart", scheme, "PUT", key.name, body, partNumber=number, uploadId=upload)
        return ok(answer, f"part {number}").headers["etag"]

    def parts(self, key, scheme):
        version = key.next(5 * MIB + 1 + self.random.randrange(300_000))
        upload = self.begin(key, scheme)
        pieces = [version.slice(0, 5 * MIB), version.slice(5 * MIB, version.size)]
        tags = [self.part(key, scheme, upload, number, piece) for number, piece in enumerate(pieces, 1)]
        lines = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in enumerate(tags, 1))
        document = f"<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>".encode()
        written = key.writing(version)
        answer = ok(self.ask("CompleteMultipartUpload", scheme, "POST", key.name, document, uploadId=upload), "the end of an upload")
        assert b"<CompleteMultipartUploadResult" in answer.body, f"the end of an upload: {answer.body!r}"
        written.done()

    def abort(self, key, scheme):
        upload = self.begin(key, scheme)
        self.part(key, scheme, upload, 1, key.next(self.random.randrange(200_000)).content())
        ok(self.ask("AbortMultipartUpload", scheme, "DELETE", key.name, uploadId=upload), "an abort", 204)


class Slow:
    """Clients that take their time, or vanish."""

    def __init__(self, soak, random, key):
        self.soak, self.random, self.key, self.client = soak, random, key, Client(soak)
        self.turns = [self.read_slowly, self.upload_slowly, self.vanish, self.vanish_uploading, self.stay_idle, self.stop_for_ever]
        random.shuffle(self.turns)

    def turn(self):
        self.turns.append(self.turns.pop(0))
        self.turns[-1](self.random.choice(["http", "https"]))
        slept(self.soak, 0.3)

    def open(self, kind, scheme, key, small=True):
        self.soak.pacer.pay()
        connection = self.client.connect(scheme, small)
        self.soak.tally.begin(kind)
        # Without «Connection: close», or http.client lets go of the socket when it has the answer's head.
        connection.request("GET", self.soak.app.link(self.soak.host(scheme), "GET", key.name))
        return connection

    def dawdle(self):
        """Between two pieces; now and then a longer stop. Once the load is over, no more."""
        stops = 1.5 if self.random.random() < 0.02 else 0
        self.soak.pacer.pay(64 * 1024)
        slept(self.soak, stops or self.random.uniform(0.0, 0.06))

    def read_slowly(self, scheme):
        key = self.random.choice([k for k in self.soak.static if MIB <= k.now().size <= 8 * MIB] + self.soak.written)
        since = time.monotonic()
        connection = self.open("slow GET", scheme, key)
        try:
            compare(key, since, read(connection.getresponse(), self.soak.tally, pause=self.dawdle))
        except (OSError, http.client.HTTPException) as error:
            self.soak.tally.broke()
            raise AssertionError(f"a slow download of {key.name} over {scheme} broke off: {error!r}") from error
        finally:
            connection.close()

    def vanish(self, scheme):
        """Takes a part, and vanishes with a reset or with an end."""
        connection = self.open("GET, vanished", scheme, self.soak.largest)
        try:
            response = connection.getresponse()
            for _ in range(self.random.randrange(1, 40)):
                response.read(64 * 1024)
        finally:
            self.soak.tally.broke()
            reset(connection) if self.random.random() < 0.7 else connection.close()

    def stop_for_ever(self, scheme):
        """Does not read: it is the server that ends this. The first window has what the kernel takes for the reader, and now and then it takes a little in the next."""
        connection = self.open("GET, never read", scheme, self.soak.largest)
        try:
            connection.getresponse()
            begun, longest = time.monotonic(), 5 * self.soak.lowest_rate_over
            while not connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                assert time.monotonic() - begun < longest, f"a download over {scheme} that nobody read for {longest} s was not broken off"
                if not slept(self.soak, 0.2):
                    return
            self.soak.tally.took("the last byte that was read", time.monotonic() - begun)
        finally:
            self.soak.tally.broke()
            connection.close()

    def begin_upload(self, kind, scheme, version):
        self.soak.pacer.pay(version.size)
        connection = self.client.connect(scheme)
        self.soak.tally.begin(kind)
        connection.putrequest("PUT", self.soak.app.link(self.soak.host(scheme), "PUT", self.key.name))
        connection.putheader("Content-Length", str(version.size))
        connection.putheader("Connection", "close")
        connection.endheaders()
        return connection

    def upload_slowly(self, scheme):
        version = self.key.next(self.random.randrange(100_000, 500_000))
        body, written = version.content(), self.key.writing(version)
        connection = self.begin_upload("slow PUT", scheme, version)
        try:
            for at in range(0, version.size, 16 * 1024):
                connection.send(body[at : at + 16 * 1024])
                slept(self.soak, self.random.uniform(0.02, 0.2))
            ok(read(connection.getresponse(), self.soak.tally, version.size), "a slow upload")
            written.done()
        finally:
            connection.close()

    def vanish_uploading(self, scheme):
        """Half an upload is none: the key's readers go on to find what was there before."""
        version = self.key.next(300_000)
        connection = self.begin_upload("PUT, vanished", scheme, version)
        try:
            connection.send(version.slice(0, self.random.randrange(1, 250_000)))
            slept(self.soak, self.random.uniform(0, 0.3))
        finally:
            self.soak.tally.broke()
            reset(connection) if self.random.random() < 0.7 else connection.close()

    def stay_idle(self, scheme):
        """Asks once and then no more, until the server closes."""
        connection, key = self.client.connect(scheme), self.soak.static[2]
        try:
            self.soak.tally.begin("GET, then idle")
            since = time.monotonic()
            connection.request("GET", self.soak.app.link(self.soak.host(scheme), "GET", key.name))
            compare(key, since, read(connection.getresponse(), self.soak.tally))
            connection.sock.settimeout(0.2)
            while slept(self.soak, 0):
                try:
                    equal(connection.sock.recv(100), b"", "what came on an idle connection")
                    return
                except TimeoutError:
                    assert time.monotonic() - since < self.soak.idle + 15, "an idle connection was not closed"
        finally:
            connection.close()


class Rude:
    """What must not work, and what is no request at all."""

    def __init__(self, soak, random):
        self.soak, self.random, self.client = soak, random, Client(soak)

    def turn(self):
        turns = [self.wrong_signature, self.stranger, self.expired, self.unsigned, self.missing, self.tampered, self.garbage, self.half_a_head, self.half_a_handshake]
        self.random.choices(turns, [4, 2, 2, 2, 2, 2, 3, 1, 1])[0](self.random.choice(["http", "https"]))
        slept(self.soak, 0.1)

    def ask(self, kind, scheme, link, **how):
        self.soak.pacer.pay()
        return self.client.ask(kind, scheme, "GET", link, **how)

    def link(self, scheme, signer=None, key=None, **how):
        return (signer or self.soak.app).link(self.soak.host(scheme), "GET", key or self.soak.static[3].name, **how)

    def wrong_signature(self, scheme):
        link = self.link(scheme)
        forged = link[:-1] + ("0" if link[-1] != "0" else "1")
        refused(self.ask("wrong signature", scheme, forged), "SignatureDoesNotMatch", "a forged link")

    def stranger(self, scheme):
        refused(self.ask("unknown key", scheme, self.link(scheme, self.soak.stranger)), "InvalidAccessKeyId", "a stranger's link")

    def expired(self, scheme):
        refused(self.ask("expired", scheme, self.link(scheme, life=5, age=60)), "AccessDenied", "an expired link")

    def unsigned(self, scheme):
        refused(self.ask("unsigned", scheme, f"/films/{urllib.parse.quote(self.soak.static[3].name)}"), "AccessDenied", "a request without signature")

    def missing(self, scheme):
        ok(self.ask("missing", scheme, self.link(scheme, key="static/no such key")), "a missing key", 404)

    def tampered(self, scheme):
        link = self.link(scheme).replace("static/3", "static/4")
        refused(self.ask("another key's link", scheme, link), "SignatureDoesNotMatch", "a link to another key")

    def raw(self, scheme, content, waits):
        """Sends bytes on a fresh connection, and waits until the server closes, or for a moment."""
        self.soak.pacer.pay()
        with socket.create_connection(("127.0.0.1", self.soak.ports[scheme]), LONGEST_WAIT) as plain:
            plain.sendall(content)
            begun, came = time.monotonic(), b""
            plain.settimeout(0.2)
            while slept(self.soak, 0) and (waits or time.monotonic() - begun < 0.3):
                try:
                    piece = plain.recv(10_000)
                except TimeoutError:
                    assert time.monotonic() - begun < self.soak.head_timeout + 15, f"{content[:40]!r} keeps a connection open"
                    continue
                except OSError:
                    return came
                came += piece
                if not piece:
                    return came
            return came

    def garbage(self, scheme):
        self.soak.tally.begin("garbage")
        self.soak.tally.broke()
        came = self.raw(scheme, self.random.randbytes(self.random.randrange(1, 3000)) + b"\r\n\r\n", waits=False)
        assert scheme == "https" or came == b"" or came.startswith(b"HTTP/1.1 400"), f"an answer to garbage: {came[:100]!r}"

    def half_a_head(self, _):
        self.soak.tally.begin("half a head")
        self.soak.tally.broke()
        came = self.raw("http", b"GET /films/x HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ", waits=self.random.random() < 0.5)
        assert came == b"" or came.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408")), f"an answer to half a head: {came[:100]!r}"

    def half_a_handshake(self, _):
        self.raw("https", b"\x16\x03\x01\x02\x00\x01\x00", waits=self.random.random() < 0.5)


class Curl:
    """HTTP/2, which Python does not have: two links at once over one connection."""

    def __init__(self, soak, random):
        self.soak, self.random, self.client = soak, random, Client(soak)

    def turn(self):
        keys = self.random.sample([k for k in self.soak.static if k.now().size <= 8 * MIB] + self.soak.written, 2)
        host, since, command = self.soak.host("https"), time.monotonic(), ["curl", "--parallel"]
        files = [(self.soak.scratch / f"{n}.head", self.soak.scratch / f"{n}.body") for n in range(2)]
        for key, (head, body) in zip(keys, files):
            self.soak.tally.begin("GET, HTTP/2")
            self.soak.pacer.pay(key.now().size if key.now() else 0)
            body.unlink(missing_ok=True)
            command += ["--next"] if "--http2" in command else []
            command += ["--silent", "--show-error", "--http2", "--max-time", str(LONGEST_WAIT), "--cacert", self.soak.folder / "tls/ca.pem", "--noproxy", "*"]
            command += ["--dump-header", head, "--output", body, f"https://{host}{self.soak.app.link(host, 'GET', key.name)}"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"curl: {done.returncode}: {done.stderr}"
        for key, (head, body) in zip(keys, files):
            first, *lines = head.read_text().splitlines()
            assert first.startswith("HTTP/2 "), first
            content = body.read_bytes() if body.exists() else b""
            response = Told(int(first.split()[1]), dict(line.split(": ", 1) for line in lines if ": " in line), content)
            compare(key, since, read(response, self.soak.tally))
        slept(self.soak, 1)


class Told:
    """What curl was told, as http.client would have it."""

    length = None

    def __init__(self, status, headers, content):
        self.status, self.headers, self._content = status, headers, content

    def getheader(self, name):
        return self.headers.get(name)

    def read(self, size):
        piece, self._content = self._content[:size], self._content[size:]
        return piece


