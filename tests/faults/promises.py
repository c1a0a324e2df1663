"""A workload of many kinds of requests, and the record of what clients were told.

Each key, multipart upload and bucket belongs to one worker, so its history is a sequence of steps.
A step has the time at which its request began, the time of its first answer that reported success,
and the state that it leads to. After a crash at some time, the state is that of the last step that
was answered before, or of the one that had begun: see `History.possible`.
"""

import base64
import collections
import dataclasses
import hashlib
import http.client
import random
import re
import threading
import time
from xml.sax.saxutils import escape

from support import expect

PART = 5 * 1024 * 1024
BUCKET = "abc"
# The keys of each worker: neighbours in the same folders, and objects named like folders.
KEYS = [
    ["a", "n/1/x", "s0", "deep/er/0", "m0", "late/0"],
    ["a/b", "n/1/y", "s1", "deep/er/and/deeper", "m1", "late/1"],
    ["a/b/c", "n/1", "s2", "deep", "m2", "late/2"],
    ["a/b/d", "n", "s3", "deep/er", "m3", "late/3"],
]


@dataclasses.dataclass(frozen=True)
class Object:
    """What is promised of an object. `etag` is None where no answer has told it."""

    digest: str
    size: int
    type: str
    metadata: tuple
    tags: tuple
    etag: str = None

    def same(self, found):
        fields = ["digest", "size", "type", "metadata", "tags"]
        if any(getattr(self, field) != getattr(found, field) for field in fields):
            return False
        return self.etag is None or self.etag == found.etag

    def __str__(self):
        said = f"{self.size} bytes {self.digest[:8]} {self.type} {self.etag}"
        return f"{said} {dict(self.metadata)} {len(self.tags)} tags {hash(self.tags) % 9973}"


@dataclasses.dataclass
class Step:
    begun: int
    state: object
    what: str
    answered: int = None


class History:
    """The steps of each subject: ("object", key), ("upload", id) or ("bucket", name)."""

    def __init__(self):
        self.steps = collections.defaultdict(list)
        # Multipart uploads that began: key and step, the state of which is the ID.
        self.began = []
        # Completions: upload ID, key, step.
        self.completed = []
        self.requests = self.refused = 0
        self.lock = threading.Lock()

    def answers(self):
        """Returns the times of the answers that reported success, by kind of request."""
        steps = [step for steps in self.steps.values() for step in steps]
        steps += [step for _, step in self.began]
        times = collections.defaultdict(set)
        for step in steps:
            if step.answered:
                times[step.what.split()[0]].add(step.answered)
        return {kind: sorted(times[kind]) for kind in sorted(times)}

    def possible(self, subject, moment):
        """Returns the states in which a crash before this moment may leave a subject."""
        states, last = [None], "before everything"
        whats = [last]
        for step in self.steps[subject]:
            if step.begun >= moment:
                break
            if step.answered is not None and step.answered < moment:
                states, whats = [], []
            states.append(step.state)
            whats.append(step.what)
        return list(zip(states, whats))

    def latest(self, subject):
        steps = self.steps[subject]
        return steps[-1].state if steps else None


def tagging(tags):
    pairs = "".join(
        f"<Tag><Key>{escape(key)}</Key><Value>{escape(value)}</Value></Tag>" for key, value in tags)
    return f"<Tagging><TagSet>{pairs}</TagSet></Tagging>".encode()


def md5_header(body):
    return {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}


class Worker(threading.Thread):
    """Sends requests about its own keys, one after another, until it is told to stop."""

    def __init__(self, gateway, history, number, seed, stop):
        super().__init__(daemon=True)
        self.gateway, self.history, self.number, self.stop = gateway, history, number, stop
        self.random = random.Random(f"{seed}/{number}")
        self.keys, self.uploads, self.count, self.error = KEYS[number], [], 0, None
        self.connection = gateway.connect()

    def run(self):
        ways = {
            self.put: 30, self.put_if_absent: 8, self.put_if_match: 6, self.delete: 12,
            self.delete_many: 4, self.copy: 7, self.tag: 8, self.begin_upload: 4, self.part: 8,
            self.complete: 4, self.abort: 1, self.bucket: 3}
        try:
            while not self.stop.is_set():
                self.random.choices(list(ways), list(ways.values()))[0]()
        except Exception as error:  # noqa: BLE001: the main thread raises it
            self.error = error

    def ask(self, *arguments, **more):
        try:
            return self.gateway.ask(*arguments, connection=self.connection, **more)
        except (http.client.HTTPException, ConnectionError):
            # An idle connection may have been closed.
            self.connection.close()
            return self.gateway.ask(*arguments, connection=self.connection, **more)

    def step(self, subjects, what, send, wanted=(200,), twice=False):
        """Sends a request (or the same one twice at once), and records what it was to lead to."""
        what = f"{what}, twice" if twice else what
        steps = [Step(time.monotonic_ns(), state, what) for _, state in subjects]
        for (subject, _), step in zip(subjects, steps):
            self.history.steps[subject].append(step)
        answers, times = [], []

        def once(**more):
            answer = send(**more)
            at = time.monotonic_ns()
            answers.append(answer)
            if answer.status in (200, 204):
                times.append(at)

        if twice:
            def again():
                connection = self.gateway.connect()
                once(connection=connection)
                connection.close()
            other = threading.Thread(target=again)
            other.start()
            once()
            other.join()
        else:
            once()
        for answer in answers:
            assert answer.status in wanted, f"{what}: {answer.said}"
        assert times, f"{what}: {answers[0].said}"
        for step in steps:
            step.answered = min(times)
        with self.history.lock:
            self.history.requests += len(answers)
        return next(answer for answer in answers if answer.status in (200, 204))

    def sender(self, *arguments, **more):
        def send(connection=None):
            if connection:
                return self.gateway.ask(*arguments, connection=connection, **more)
            return self.ask(*arguments, **more)
        return send

    def know(self, key, etag):
        """Records the ETag that an answer told."""
        step = self.history.steps["object", key][-1]
        if step.state is not None:
            step.state = dataclasses.replace(step.state, etag=etag)

    def key(self):
        return self.random.choice(self.keys)

    def state(self, key):
        return self.history.latest(("object", key))

    def fresh(self, long_record=None):
        """Makes an object that was never written: its bytes, its state and its headers."""
        self.count += 1
        size = self.random.choice([0, 1, 60, 900, 3000, 9000, 40_000, 120_000, 300_000])
        body = self.random.randbytes(size)
        kind = f"test/w{self.number}-{self.count}"
        metadata = (("n", f"{self.number}-{self.count}"),)
        if long_record is None:
            long_record = self.random.random() < 0.25
        tags = self.tags(10 if long_record else self.random.choice([0, 0, 2]))
        headers = {"content-type": kind, "x-amz-meta-n": metadata[0][1]}
        if tags:
            headers["x-amz-tagging"] = "&".join(f"{key}={value}" for key, value in tags)
        digest = hashlib.sha256(body).hexdigest()
        return body, Object(digest, size, kind, metadata, tags), headers

    def tags(self, count):
        """Ten tags of this length make a record that does not fit into an attribute."""
        def value():
            word = "".join(self.random.choices("abcdefgh", k=8))
            return word * 32 if count > 4 else word
        return tuple((f"tag{n:0124}" if count > 4 else f"tag{n}", value()) for n in range(count))

    def put(self, key=None, more=()):
        key = key or self.key()
        body, state, headers = self.fresh()
        send = self.sender("PUT", key, body, headers={**headers, **dict(more)})
        etag = hashlib.md5(body).hexdigest()
        answer = self.step([(("object", key), state)], f"PUT {key}", send)
        expect(answer.headers["etag"].strip('"'), etag, f"ETag of PUT {key}")
        self.know(key, etag)

    def refused(self, method, key, *arguments, wanted=412, **more):
        """Sends a request that is refused: it takes no effect, so it is no step."""
        answer = self.ask(method, key, *arguments, **more)
        expect(answer.status, wanted, f"a refused {method} {key}")
        with self.history.lock:
            self.history.refused += 1

    def put_if_absent(self):
        key = self.key()
        if self.state(key) is None:
            return self.put(key, {"if-none-match": "*"})
        body, _, headers = self.fresh()
        self.refused("PUT", key, body, headers={**headers, "if-none-match": "*"})

    def put_if_match(self):
        key = self.key()
        state = self.state(key)
        if state is None:
            return
        if state.etag and self.random.random() < 0.5:
            return self.put(key, {"if-match": f'"{state.etag}"'})
        body, _, headers = self.fresh()
        wrong = f'"{"0" * 32}"'
        self.refused("PUT", key, body, headers={**headers, "if-match": wrong})

    def delete(self):
        key = self.key()
        send = self.sender("DELETE", key)
        twice = self.random.random() < 0.4
        self.step([(("object", key), None)], f"DELETE {key}", send, (204,), twice)

    def delete_many(self):
        keys = self.random.sample(self.keys, 3)
        listed = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete>{listed}</Delete>".encode()
        send = self.sender("POST", None, body, query={"delete": ""}, headers=md5_header(body))
        subjects = [(("object", key), None) for key in keys]
        answer = self.step(subjects, f"DeleteObjects {keys}", send)
        assert b"<Error>" not in answer.body, answer.body

    def copy(self):
        source, key = self.key(), self.key()
        state = self.state(source)
        if state is None or source == key:
            return
        headers = {"x-amz-copy-source": f"/{BUCKET}/{source}"}
        copied = dataclasses.replace(state, etag=None)
        if self.random.random() < 0.5:
            _, other, more = self.fresh()
            more.pop("x-amz-tagging", None)
            headers |= {**more, "x-amz-metadata-directive": "REPLACE"}
            copied = dataclasses.replace(copied, type=other.type, metadata=other.metadata)
        send = self.sender("PUT", key, headers=headers)
        answer = self.step([(("object", key), copied)], f"copy {source} to {key}", send)
        assert b"<ETag>" in answer.body, f"copy {source} to {key}: {answer.body}"
        self.know(key, answer.element("ETag").replace("&quot;", "").strip('"'))

    def tag(self):
        key = self.key()
        state = self.state(key)
        if state is None:
            return
        tags = self.tags(self.random.choice([0, 1, 3, 10]))
        body = tagging(tags)
        query, more = {"tagging": ""}, {"headers": md5_header(body)}
        send = self.sender("PUT", key, body, query=query, **more)
        if not tags:
            send = self.sender("DELETE", key, query=query)
        self.step([(("object", key), dataclasses.replace(state, tags=tags))], f"tag {key}", send,
                  (200, 204))

    def begin_upload(self):
        if len(self.uploads) > 2:
            return
        key = self.key()
        _, state, headers = self.fresh()
        step = Step(time.monotonic_ns(), None, f"begin upload of {key}")
        self.history.began.append((key, step))
        answer = self.ask("POST", key, query={"uploads": ""}, headers=headers)
        step.answered, step.state = time.monotonic_ns(), answer.element("UploadId")
        expect(answer.status, 200, step.what)
        begun = Step(step.begun, (key, ()), step.what, step.answered)
        self.history.steps["upload", step.state].append(begun)
        self.uploads.append((step.state, key, state, {}))
        self.history.requests += 1

    def part(self):
        if not self.uploads:
            return
        id_, key, _, parts = self.random.choice(self.uploads)
        number = self.random.choice([1, 1, 1, 2])
        # Each part but the last has at least 5 MiB: the last one here is part 2.
        small = self.random.randrange(1, 50_000)
        body = self.random.randbytes(PART if number == 1 and 2 in parts else small)
        etag = hashlib.md5(body).hexdigest()
        changed = {**parts, number: (body, etag)}
        send = self.sender("PUT", key, body, query={"partNumber": number, "uploadId": id_})
        self.step([(("upload", id_), (key, described(changed)))], f"part {number} of {key}", send)
        parts[number] = (body, etag)

    def complete(self):
        ready = [upload for upload in self.uploads if is_ready(upload[3])]
        if not ready:
            return
        upload = self.random.choice(ready)
        id_, key, state, parts = upload
        listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                         for number, (_, etag) in sorted(parts.items()))
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        query = {"uploadId": id_}
        if self.state(key) is not None and self.random.random() < 0.5:
            return self.refused("POST", key, body, query=query, headers={"if-none-match": "*"})
        whole = b"".join(part for _, (part, _) in sorted(parts.items()))
        md5s = b"".join(bytes.fromhex(etag) for _, (_, etag) in sorted(parts.items()))
        etag = f"{hashlib.md5(md5s).hexdigest()}-{len(parts)}"
        state = dataclasses.replace(state, digest=hashlib.sha256(whole).hexdigest(),
                                    size=len(whole), etag=etag)
        self.uploads.remove(upload)
        subjects = [(("object", key), state), (("upload", id_), None)]
        twice = self.random.random() < 0.5
        wanted = (200, 404) if twice else (200,)
        send = self.sender("POST", key, body, query=query)
        self.step(subjects, f"complete {key}", send, wanted, twice)
        self.history.completed.append((id_, key, self.history.steps["object", key][-1]))

    def abort(self):
        if not self.uploads:
            return
        id_, key, _, _ = self.uploads.pop(self.random.randrange(len(self.uploads)))
        send = self.sender("DELETE", key, query={"uploadId": id_})
        self.step([(("upload", id_), None)], f"abort upload of {key}", send, (204,))

    def bucket(self):
        name = f"bucket-{self.number}-{self.random.randrange(2)}"
        there = self.history.latest(("bucket", name))
        state = None if there else True
        send = self.sender("DELETE" if there else "PUT", None, bucket=name)
        twice = not there and self.random.random() < 0.5
        self.step([(("bucket", name), state)], f"{'remove' if there else 'make'} {name}", send,
                  (204,) if there else (200,), twice)


def described(parts):
    return tuple((number, len(body), etag) for number, (body, etag) in sorted(parts.items()))


def is_ready(parts):
    sizes = [len(body) for _, (body, _) in sorted(parts.items())]
    return bool(sizes) and all(size >= PART for size in sizes[:-1])


def found_tags(answer):
    pairs = re.findall(rb"<Key>([^<]*)</Key><Value>([^<]*)</Value>", answer.body)
    return tuple(sorted((key.decode(), value.decode()) for key, value in pairs))


def work(gateway, seed, seconds=None, requests=None):
    """Runs the workload, and returns its history."""
    history, stop = History(), threading.Event()
    workers = [Worker(gateway, history, number, seed, stop) for number in range(len(KEYS))]
    for worker in workers:
        worker.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and all(worker.is_alive() for worker in workers):
        time.sleep(0.05)
    stop.set()
    for worker in workers:
        worker.join(60)
        if worker.error:
            raise worker.error
    return history
