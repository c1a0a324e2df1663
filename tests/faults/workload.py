"""Clients that change a few keys at once, and record what they ask and what they are answered."""

import http.client
import random
import threading
import time

import s3
from linearize import Value
from recording import Violation
from support import MIB

# Some are folders of others, so that folders come and go.
KEYS = ["a", "a/b", "a/b/c", "k", "deep/er/x", "m"]
SIZES = [200, 200, 2_000, 100 * 1024, MIB + 300_000]
FIRST_PART = 5 * MIB


class Upload:
    """A multipart upload that can be completed: any client may, more than once."""

    def __init__(self, key, identifier, value, etags):
        self.key, self.identifier, self.value, self.etags = key, identifier, value, etags


class Shared:
    """What the clients of a run have in common, over all starts of the gateway."""

    def __init__(self, history):
        self.history, self.lock = history, threading.Lock()
        self.count, self.uploads, self.etags = 0, [], {}
        self.problems = []

    def word(self):
        with self.lock:
            self.count += 1
            return f"w{self.count}"

    def problem(self, text):
        with self.lock:
            self.problems.append(text)


class Client:
    """One client: a connection, and a source of chance."""

    def __init__(self, shared, bucket, seed):
        self.shared, self.bucket = shared, bucket
        self.history, self.random = shared.history, random.Random(seed)
        self.epoch = len(self.history.epochs[KEYS[0]])
        self.begun = 0

    def run(self, stop):
        """Asks until it is told to stop, or nobody answers any more."""
        ways = [(self.put, 24), (self.get, 16), (self.head, 8), (self.delete, 10), (self.copy, 8),
                (self.tag, 8), (self.get_tags, 6), (self.delete_many, 3), (self.list, 4),
                (self.multipart, 6), (self.complete, 8), (self.abort, 2)]
        acts, weights = zip(*ways)
        try:
            while not stop.is_set():
                self.random.choices(acts, weights)[0]()
        except (OSError, http.client.HTTPException):
            # The gateway was killed. What was on its way is recorded as unknown.
            pass
        except Violation as violation:
            self.shared.problem(str(violation))
        except Exception as error:  # noqa: BLE001: a client that stops early must be seen
            self.shared.problem(f"a client ended with {type(error).__name__}: {error}")

    def key(self):
        return self.random.choice(KEYS)

    def ask(self, method, key=None, body=None, query=(), headers=()):
        self.begun = time.monotonic()
        return self.bucket.ask(method, key, body, query, headers)

    def changing(self, records, method, key, body=None, query=(), headers=(), refusals=()):
        """Asks for a change, and records it for each of `records`: key, name and fields.

        Returns the outcome; None if it is unknown.
        """
        self.begun, outcome, answer = time.monotonic(), None, None
        try:
            answer = self.bucket.ask(method, key, body, query, headers)
            if answer.broken or answer.status >= 500 or b"<Error>" in answer.body:
                outcome = None if answer.status >= 500 or answer.broken else answer.code
            elif answer.status < 300:
                outcome = "ok"
            if answer.status >= 300 and answer.status < 500:
                outcome = answer.code or {404: "NoSuchKey", 412: "PreconditionFailed"}.get(
                    answer.status, answer.said)
            if outcome not in (None, "ok", *refusals):
                raise Violation(f"{method} {key} {query} is answered with {answer.said}")
        finally:
            for at, name, more in records:
                self.history.add(at, name, self.begun, outcome, **more)
        return outcome, answer

    def value(self, name, etag):
        """Returns a fresh value, and the headers that bring it."""
        word, headers = self.shared.word(), {}
        if self.random.random() < 0.35:
            headers.update(s3.SPILLS)
        tags = "none"
        if self.random.random() < 0.4:
            tags = word
            headers["x-amz-tagging"] = f"v={word}"
        headers |= {"content-type": f"test/{word}", "x-amz-meta-by": word}
        return Value(name, etag, word, tags), headers

    def condition(self, key, headers, likely=0.25):
        """Chooses a write's condition, mostly none."""
        if self.random.random() >= likely:
            return None
        if self.random.random() < 0.5:
            headers["if-none-match"] = "*"
            return "absent"
        etag = self.shared.etags.get(key)
        if etag is None:
            return None
        headers["if-match"] = etag
        return etag

    REFUSED = ("PreconditionFailed", "NoSuchKey")

    def put(self):
        key = self.key()
        name, [body], etag = self.history.contents.new(self.random.choice(SIZES))
        value, headers = self.value(name, etag)
        condition = self.condition(key, headers)
        outcome, _ = self.changing([(key, "put", {"value": value, "condition": condition})], "PUT",
                                   key, body, headers=headers, refusals=self.REFUSED)
        if outcome == "ok":
            self.shared.etags[key] = etag

    def get(self, key=None):
        key = key or self.key()
        answer = self.ask("GET", key)
        self.read(key, answer, lambda etag: {
            "content": self.history.contents.recognised(answer.body, etag)})

    def head(self):
        key = self.key()
        answer = self.ask("HEAD", key)
        self.read(key, answer, lambda etag: {})

    def read(self, key, answer, more):
        """Records what GET or HEAD saw."""
        if answer.broken:
            raise ConnectionError("killed within the body")
        if answer.status == 404:
            self.history.add(key, "read", self.begun, "absent")
        elif answer.status == 200:
            told = answer.headers
            etag, said = told["etag"], told.get("x-amz-meta-by", "?")
            size = self.history.contents.sizes[self.history.contents.name(etag)]
            if told["content-type"] != f"test/{said}" or int(told["content-length"]) != size:
                raise Violation(f"{key} has {told['content-length']} bytes of "
                                f"{told['content-type']}, the ETag of {size} bytes, and {said}")
            self.shared.etags[key] = etag
            saw = {"etag": etag, "said": said, **more(etag)}
            self.history.add(key, "read", self.begun, "there", saw=saw)
        elif answer.status < 500:
            raise Violation(f"a read of {key} is answered with {answer.said}")

    def delete(self):
        key, headers = self.key(), {}
        condition = self.condition(key, {}, 0.2)
        if condition == "absent":
            condition = None
        if condition:
            headers["if-match"] = condition
        self.changing([(key, "delete", {"condition": condition})], "DELETE", key, headers=headers,
                      refusals=self.REFUSED)

    def delete_many(self):
        keys = self.random.sample(KEYS, 3)
        body = s3.deletion(keys)
        self.changing([(key, "delete", {}) for key in keys], "POST", None, body,
                      {"delete": ""}, s3.md5(body))

    def copy(self):
        source, key = self.key(), self.key()
        if self.random.random() < 0.4:
            key = source
        value, headers = self.value("?", "?")
        headers |= {"x-amz-metadata-directive": "REPLACE", "x-amz-tagging-directive": "REPLACE",
                    "x-amz-copy-source": f"/{self.bucket.name}/{source}"}
        self.begun, answer = time.monotonic(), None
        begun = self.begun
        try:
            answer = self.bucket.ask("PUT", key, headers=headers)
        finally:
            known = answer is not None and answer.status < 500 and not answer.broken
            if not known:
                self.history.add(key, "put", begun, None, value=value)
        if not known:
            return
        if answer.said == "404 NoSuchKey":
            self.history.add(source, "read", begun, "absent")
            return
        etag = (answer.element("ETag") or "").replace("&quot;", '"')
        if answer.status != 200 or not etag:
            raise Violation(f"a copy is answered with {answer.said}")
        name = self.history.contents.name(etag)
        self.history.add(source, "read", begun, "there", saw={"content": name})
        self.history.add(key, "put", begun, "ok",
                         value=Value(name, etag, value.said, value.tags))

    def tag(self):
        key, word = self.key(), self.shared.word()
        if self.random.random() < 0.3:
            self.changing([(key, "tag", {"value": Value("", "", "", "none")})], "DELETE", key,
                          query={"tagging": ""}, refusals=("NoSuchKey",))
            return
        tags = {"v": word}
        if self.random.random() < 0.3:
            tags |= {f"tag-{at}": "v" * 250 for at in range(9)}
        self.changing([(key, "tag", {"value": Value("", "", "", word)})], "PUT", key,
                      s3.tagging(tags), {"tagging": ""}, refusals=("NoSuchKey",))

    def get_tags(self, key=None):
        key = key or self.key()
        answer = self.ask("GET", key, query={"tagging": ""})
        if answer.status == 404:
            self.history.add(key, "read", self.begun, "absent")
        elif answer.status == 200:
            tags = "none"
            if b"<Tag>" in answer.body:
                tags = answer.body.split(b"<Key>v</Key><Value>")[1].split(b"<")[0].decode()
            self.history.add(key, "read", self.begun, "there", saw={"tags": tags})
        elif answer.status < 500:
            raise Violation(f"the tags of {key} are answered with {answer.said}")

    def list(self):
        """A listing is no snapshot: each key is read at a moment of its own."""
        self.begun = time.monotonic()
        begun, listed = self.begun, self.bucket.listed()
        for key in KEYS:
            if key not in listed:
                self.history.add(key, "read", begun, "absent")
                continue
            etag, size = listed[key]
            name = self.history.contents.name(etag)
            if size != self.history.contents.sizes[name]:
                raise Violation(f"the listing has {key} with {size} bytes and the ETag {etag}")
            self.history.add(key, "read", begun, "there", saw={"etag": etag})
        if odd := listed.keys() - set(KEYS):
            raise Violation(f"the listing has {odd}, which nobody wrote")

    def multipart(self):
        """Begins an upload and sends its parts; who completes it is left to chance."""
        key = self.key()
        several = self.random.random() < 0.25
        size = FIRST_PART + 5_000 if several else self.random.choice(SIZES)
        name, parts, etag = self.history.contents.new(size, FIRST_PART if several else 0)
        value, headers = self.value(name, etag)
        identifier = self.bucket.begin(key, headers)
        # The parts may come in any order, and one may come twice.
        numbers = [*range(len(parts))]
        self.random.shuffle(numbers)
        if self.random.random() < 0.2:
            numbers.append(numbers[0])
        etags = {at: self.bucket.part(key, identifier, at + 1, parts[at]) for at in numbers}
        upload = Upload(key, identifier, value, [etags[at] for at in sorted(etags)])
        with self.shared.lock:
            self.shared.uploads.append(upload)
        if self.random.random() < 0.5:
            self.complete(upload)

    def upload(self):
        with self.shared.lock:
            # Mostly a fresh one; those that have ended are asked for again as well.
            some = self.shared.uploads[-6:]
        return self.random.choice(some) if some else None

    def complete(self, upload=None):
        upload = upload or self.upload()
        if upload is None:
            return
        headers = {}
        condition = self.condition(upload.key, headers, 0.3)
        fields = {"value": upload.value, "condition": condition, "upload": upload.identifier}
        self.changing([(upload.key, "complete", fields)], "POST", upload.key,
                      s3.completion(upload.etags), {"uploadId": upload.identifier}, headers,
                      refusals=(*self.REFUSED, "NoSuchUpload"))

    def abort(self):
        upload = self.upload()
        if upload is None:
            return
        self.changing([(upload.key, "abort", {"upload": upload.identifier})], "DELETE", upload.key,
                      query={"uploadId": upload.identifier}, refusals=("NoSuchUpload",))
