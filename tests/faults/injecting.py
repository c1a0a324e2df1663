"""One case of tests/faults/calls: a request of a write path in which one system call fails."""

import dataclasses
import errno
import http.client
import threading
import time

import paths as write_paths
from durability import Disk
from s3 import Bucket
from support import Answer
from tracer import KILL, Tracer, name_of

# What each kind of call may fail with. A call that is not named here fails with EIO.
FULL = [errno.ENOSPC, errno.EDQUOT, errno.EIO]
ERRORS = {
    **dict.fromkeys(["write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range",
                     "fallocate", "mkdirat", "linkat", "renameat", "renameat2", "symlinkat"], FULL),
    **dict.fromkeys(["openat", "openat2"], [errno.EMFILE, errno.EIO]),
    "create": [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE],
    **dict.fromkeys(["fsync", "fdatasync", "syncfs"], [errno.EIO, errno.ENOSPC]),
    "fsetxattr": [errno.EIO, errno.ENOSPC, errno.EDQUOT],
    "unlinkat": [errno.EIO, errno.EROFS],
    "fcntl": [errno.EMFILE],
}
F_DUPFD_CLOEXEC = 1030
# Before one of these the process is killed as well: what is on disk differs before and after.
CHANGES = {"fsetxattr", "renameat", "renameat2", "linkat", "unlinkat", "mkdirat", "symlinkat",
           "fsync", "fdatasync", "ftruncate"}


def errors(call):
    """Returns what a call may fail with; nothing for one that no disk makes fail."""
    if call.name == "fcntl" and call.args[1] != F_DUPFD_CLOEXEC:
        return []
    if call.name in ("lseek", "mmap"):
        return []
    if call.creates:
        return [*ERRORS["create"], KILL]
    return ERRORS.get(call.name, [errno.EIO]) + [KILL] * (call.name in CHANGES)


RETRY = "the retry: "


@dataclasses.dataclass
class Clean:
    """A write path where nothing fails: what was seen before and after, and its calls."""
    status: int
    before: dict
    after: dict
    calls: list
    problems: list
    # The syncs without which the answer would come too early, and all of them.
    needed: int
    syncs: int


@dataclasses.dataclass
class Expected:
    """What must be seen in a bucket from now on, and which case it was for."""
    seen: dict | None
    keys: tuple
    path: str
    what: str


class Broken(Exception):
    """A promise of the store was broken."""


def said_errors(answer):
    """Returns the code of an answer that is an error, or None. A late error comes with 200."""
    if answer.status >= 300:
        return answer.said
    return "200 with an error" if b"<Error>" in answer.body else None


def only_of(answer):
    """Returns the keys that DeleteObjects names as failed; None if all may have failed."""
    if b"<DeleteResult" not in answer.body:
        return None
    pieces = answer.body.split(b"<Error>")[1:]
    return {piece.split(b"<Key>")[1].split(b"</Key>")[0].decode() for piece in pieces}


class Bench:
    """A traced gateway on which cases run, each in a bucket of its own."""

    def __init__(self, gateway, tracer):
        self.gateway, self.tracer = gateway, tracer
        self.expected, self.count, self.seen_last = {}, 0, None

    def prepared(self, path):
        self.count += 1
        bucket = Bucket(self.gateway, f"case-{self.count:05}", self.gateway.connect())
        if not path.makes_bucket:
            bucket.good(bucket.ask("PUT"))
        if not path.fresh:
            write_paths.furnish(bucket)
        return bucket, path.prepare(bucket)

    def traced(self, bucket, request, plan=None, hold=None):
        self.tracer.record(bucket.path, plan, hold)
        try:
            answer = request.send()
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"no answer: {type(error).__name__} {error}") from error
        finally:
            calls = self.tracer.stop()
        return answer, calls

    def clean(self, path):
        """Runs a path where nothing fails."""
        bucket, request = self.prepared(path)
        before = bucket.seen(request.keys)
        answer, calls = self.traced(bucket, request)
        assert answer.status == request.status, f"{path.name}: {answer.said} {answer.body[:300]}"
        after = bucket.seen(request.keys)

        def problems(calls):
            disk = Disk(self.gateway.root, bucket.path)
            disk.take(calls, answer.status < 300)
            return disk.problems

        found = problems(calls)
        syncs = [call for call in calls if call.name in ("fsync", "fdatasync")]
        needed = sum(problems([other for other in calls if other is not sync]) != found
                     for sync in syncs)
        self.expected[bucket] = Expected(after, request.keys, path.name, "nothing fails")
        return Clean(answer.status, before, after, calls, found, needed, len(syncs))

    def case(self, path, clean, call, code):
        """Runs a path with one call failing. Returns what was broken, and whether it failed."""
        bucket, request = self.prepared(path)
        problems = []

        def look():
            self.seen_last = None
            try:
                self.seen_last = bucket.seen(request.keys)
            except AssertionError as error:
                problems.append(str(error))
            return self.seen_last

        try:
            if code == KILL:
                answer, calls = self.killed(bucket, request, call)
            else:
                answer, calls = self.traced(bucket, request, (call.plan, code))
        except Broken as error:
            return bucket, [str(error)], None
        failed = next((call for call in calls if call.injected), None)
        disk = Disk(self.gateway.root, bucket.path)
        disk.take(calls, said_errors(answer) is None)
        seen = look()
        if seen:
            problems += self.judged(answer, clean, seen)
        if not failed or said_errors(answer) is None and code != KILL:
            pass
        elif request.then:
            try:
                problems += request.then()
            except AssertionError as error:
                problems.append(f"after it: {error}")
            look()
        else:
            problems += self.retried(bucket, request, clean, disk, look)
        # What is wrong where nothing fails is reported once.
        problems += [problem for problem in disk.problems
                     if problem.removeprefix(RETRY) not in clean.problems]
        what = f"{failed or 'no such call'}, {'killed' if code == KILL else answer.said}"
        self.expected[bucket] = Expected(
            self.seen_last, request.keys, path.name, f"{call.at}:{name_of(code)}, {what}")
        return bucket, [f"{what}: {problem}" for problem in problems], failed

    def killed(self, bucket, request, call):
        """Kills the gateway at a call of the request, and starts it again."""
        tracer, answer = self.tracer, Answer(500, b"")
        tracer.record(bucket.path, (call.plan, KILL))
        try:
            answer = request.send()
        except (OSError, http.client.HTTPException):
            pass
        calls = tracer.stop()
        calls += self.restarted()
        bucket.connection = self.gateway.connect()
        return answer, calls

    def restarted(self):
        """Starts the gateway again, and returns the calls of its start."""
        self.tracer.kill()
        self.gateway.kill()
        before = self.gateway.process
        starting = threading.Thread(target=self.gateway.start)
        starting.start()
        while self.gateway.process is before:
            time.sleep(0.001)
        self.tracer = Tracer(self.gateway.process.pid, self.gateway.root)
        self.tracer.record(self.gateway.root)
        starting.join()
        return self.tracer.stop()

    def judged(self, answer, clean, seen):
        """Compares what is seen with what the answer says: nothing in between may be."""
        wrong = said_errors(answer)
        old_allowed, new_allowed = bool(wrong), True
        if answer.status == clean.status and clean.status >= 300:
            old_allowed, new_allowed = True, False
        elif 400 <= answer.status < 500:
            yield f"a fault of the disk is answered with {answer.said}"
            new_allowed = False
        named = only_of(answer)
        for what in sorted({*clean.before, *clean.after, *seen}):
            old, new = clean.before.get(what), clean.after.get(what)
            found = seen.get(what)
            old_here = old_allowed and (named is None or what.removeprefix("object ") in named)
            if not (old_here and found == old or new_allowed and found == new):
                yield f"{answer.said}, and {what} is {told(found)}; before {told(old)}, " \
                      f"after a success {told(new)}"

    def retried(self, bucket, request, clean, disk, look):
        """Sends the request again, without a fault: it succeeds, and all is synced by then."""
        try:
            answer, calls = self.traced(bucket, request)
        except Broken as error:
            yield f"{RETRY}{error}"
            return
        wrong = said_errors(answer)
        if answer.status not in (clean.status, *request.again):
            yield f"the retry is answered with {answer.said}"
            return
        count = len(disk.problems)
        disk.take(calls, wrong is None)
        disk.problems[count:] = [RETRY + problem for problem in disk.problems[count:]]
        seen = look()
        for what in sorted({*clean.after, *(seen or clean.after)}):
            found, new = (seen or clean.after).get(what), clean.after.get(what)
            # A client that got no ID begins another upload.
            twice = what.startswith("uploads") and found == (new or []) * 2
            if found != new and not twice:
                yield f"after the retry {what} is {told(found)}, and not {told(new)}"


def told(value):
    """Says what was seen of a thing, in short."""
    if not isinstance(value, dict):
        return "absent" if value is None else str(value)
    tags = ",".join(f"{name}={tag[:9]}" for name, tag in value["tags"][:3])
    return f"({value['bytes'][1]} {value['etag'][1:9]} {value['type']} " \
           f"{len(value['metadata'])} metadata, tags {tags})"
