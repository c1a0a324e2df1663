"""The record of what clients asked and saw, and the contents by which they know versions apart."""

import hashlib
import threading
import time

import linearize
from linearize import Operation, Value
from support import MIB, content

POOL = content(16 * MIB, "pool")
# Longer than any line that begins a content.
SMALLEST = 64


class Violation(Exception):
    """What a client saw that no history explains: bytes that nobody wrote, an odd answer."""


def bytes_of(name, size):
    """Returns the content of a version. At each place it differs from that of any other."""
    first = f"{name} {size}\n".encode()
    at = int.from_bytes(hashlib.sha256(first).digest()[:4]) % (len(POOL) - size)
    return first + POOL[at + len(first):at + size]


def quoted(digest, parts=0):
    return f'"{digest.hex()}-{parts}"' if parts else f'"{digest.hex()}"'


class Contents:
    """Each content by its name and by every ETag that it can have."""

    def __init__(self):
        self.lock, self.count, self.sizes, self.by_etag = threading.Lock(), 0, {}, {}

    def new(self, size, cut=None):
        """Makes a content; `cut` is the size of its first part. Returns name, parts and ETag."""
        with self.lock:
            self.count += 1
            name = f"v{self.count}"
        size = max(size, SMALLEST)
        whole = bytes_of(name, size)
        etag = quoted(hashlib.md5(whole).digest())
        parts = [whole]
        if cut is not None:
            parts = [part for part in (whole[:cut], whole[cut:]) if part]
            digests = b"".join(hashlib.md5(part).digest() for part in parts)
            multipart = quoted(hashlib.md5(digests).digest(), len(parts))
        with self.lock:
            self.sizes[name], self.by_etag[etag] = size, name
            if cut is not None:
                # A copy of it has the ETag of the whole.
                self.by_etag[multipart] = name
        return name, parts, multipart if cut is not None else etag

    def name(self, etag):
        if etag not in self.by_etag:
            raise Violation(f"nobody wrote what has the ETag {etag}")
        return self.by_etag[etag]

    def recognised(self, body, etag):
        """Returns the name of a content that was read whole, byte for byte."""
        name = body[:SMALLEST].split(b" ")[0].decode(errors="replace")
        if name not in self.sizes or body != bytes_of(name, self.sizes[name]):
            raise Violation(f"{len(body)} bytes with the ETag {etag} are no content that was "
                            f"written; they begin with {body[:24]!r}")
        return name


class History:
    """The operations of each key, by epochs: from one start of the gateway to its end."""

    def __init__(self, keys):
        self.lock, self.keys = threading.Lock(), keys
        self.epochs = {key: [] for key in keys}
        # What each writer's word for a copy was seen with: its ETag.
        self.seen = {}
        self.contents = Contents()
        self.operations, self.unknown, self.names = 0, 0, {}

    def begin(self):
        for epochs in self.epochs.values():
            epochs.append([])

    def add(self, key, name, begun, outcome, **more):
        operation = Operation(name, begun, time.monotonic() if outcome else float("inf"), outcome,
                              **more)
        with self.lock:
            self.epochs[key][-1].append(operation)
            self.operations += 1
            self.unknown += outcome is None
            if operation.saw and "said" in operation.saw:
                self.seen[operation.saw["said"]] = operation.saw["etag"]
        return operation

    def resolved(self, operation):
        """Fills in what an unknown copy brought, if anybody has seen it."""
        value = operation.value
        if value and value.content == "?" and value.said in self.seen:
            etag = self.seen[value.said]
            operation.value = Value(self.contents.by_etag.get(etag, "?"), etag, value.said,
                                    value.tags)

    def violations(self):
        """Yields the key and the number of the epoch of each answer that nothing explains."""
        for key, epochs in self.epochs.items():
            states = {linearize.State()}
            for number, operations in enumerate(epochs):
                for operation in operations:
                    self.resolved(operation)
                try:
                    states = linearize.epoch(states, operations)
                except linearize.NotLinearizable as problem:
                    yield key, number, str(problem)
                    break
