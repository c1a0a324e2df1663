"""A disk whose writes and flushes are recorded, and the states that a power cut may leave it in.

The disk is one file of a FUSE file system that this module serves by itself, straight from
/dev/fuse. A loop device on that file passes on each write of the file system above, and turns each
flush (and each forced write) into an fsync. A recorded write carries its time, so that it can be
put in order with what clients saw.

A disk keeps every write that it completed before the last flush that it completed. Each later one
may be kept or lost, in any order. A write of several 4 KiB blocks may be kept in part; a block of
4 KiB is whole, as on disks with sectors of that size.
"""

import bisect
import ctypes
import dataclasses
import os
import pathlib
import signal
import struct
import subprocess
import time

from support import Skip, mount

BLOCK = 4096
MOST = 1024 * 1024
RECORD = struct.Struct("=QQQ")
LIBC = ctypes.CDLL(None, use_errno=True)

HEADER = struct.Struct("=IIQQIIIHH")
ATTRIBUTES = struct.Struct("=QQQQQQIIIIIIIIII")
(LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT,
 INTERRUPT, DESTROY, BATCH_FORGET) = 1, 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 36, 38, 42
NOTHING_HERE, NOT_KNOWN, NOT_SUPPORTED = 2, 38, 95
NAME = b"disk"


class Server:
    """Serves the file system of one file, in a process of its own, until it is unmounted."""

    def __init__(self, device, image, log, slow):
        self.device, self.slow = device, slow
        self.image = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.image).st_size
        self.log = open(log, "wb", buffering=0)

    def attributes(self, node):
        if node == 1:
            return ATTRIBUTES.pack(1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, BLOCK, 0)
        blocks = self.size // 512
        return ATTRIBUTES.pack(2, self.size, blocks, 0, 0, 0, 0, 0, 0, 0o100600, 1, 0, 0, 0,
                               BLOCK, 0)

    def run(self):
        while True:
            try:
                request = os.read(self.device, MOST + 65536)
            except InterruptedError:
                continue
            except OSError:
                return
            _, call, unique, node, *_ = HEADER.unpack_from(request)
            if call in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            error, answer = self.answer(call, node, memoryview(request)[HEADER.size:])
            head = struct.pack("=IiQ", 16 + len(answer), -error, unique)
            try:
                os.writev(self.device, [head, answer])
            except OSError:
                return
            if call == DESTROY:
                return

    def answer(self, call, node, body):
        if call == WRITE:
            _, offset, size = struct.unpack_from("=QQI", body)
            data = body[40:40 + size]
            self.log.write(RECORD.pack(time.monotonic_ns(), offset, size) + data)
            os.pwrite(self.image, data, offset)
            return 0, struct.pack("=II", size, 0)
        if call == READ:
            _, offset, size = struct.unpack_from("=QQI", body)
            return 0, os.pread(self.image, size, offset)
        if call == FSYNC:
            if self.slow:
                time.sleep(self.slow)
            self.log.write(RECORD.pack(time.monotonic_ns(), 0, 0))
            return 0, b""
        if call == INIT:
            # Reads and writes in parallel, large writes, and the number of pages below.
            flags = 1 << 0 | 1 << 5 | 1 << 15 | 1 << 22
            return 0, struct.pack("=IIIIHHIIHHII24x", 7, 31, 1 << 17, flags, 64, 48, MOST, 1,
                                  MOST // 4096, 0, 0, 0)
        if call == LOOKUP:
            if bytes(body).rstrip(b"\0") != NAME:
                return NOTHING_HERE, b""
            return 0, struct.pack("=QQQQII", 2, 0, 3600, 3600, 0, 0) + self.attributes(2)
        if call in (GETATTR, SETATTR):
            return 0, struct.pack("=QII", 3600, 0, 0) + self.attributes(node)
        if call == OPEN:
            # Not through the page cache.
            return 0, struct.pack("=QII", 1, 1, 0)
        if call == STATFS:
            free = 1 << 20
            return 0, struct.pack("=QQQQQIIII24x", free, free, free, free, free, BLOCK, 255,
                                  BLOCK, 0)
        if call in (FLUSH, RELEASE, DESTROY):
            return 0, b""
        return (NOT_SUPPORTED if call == 43 else NOT_KNOWN), b""


class RecordedDisk:
    """A loop device on a recorded file, with a file system mounted from it."""

    def __init__(self, folder, image, slow=0.0):
        self.folder, self.log = pathlib.Path(folder), pathlib.Path(folder) / "blocks"
        self.served, self.mounted = self.folder / "fuse", self.folder / "mounted"
        self.served.mkdir()
        self.mounted.mkdir()
        try:
            device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise Skip(f"no FUSE here: {error}") from error
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if LIBC.mount(b"recorded", bytes(self.served), b"fuse.recorded", 0, options):
            os.close(device)
            raise Skip(f"cannot mount FUSE here: {os.strerror(ctypes.get_errno())}")
        server = Server(device, image, self.log, slow)
        self.process = os.fork()
        if self.process == 0:
            try:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                server.run()
            finally:
                os._exit(0)
        os.close(device)
        os.close(server.image)
        server.log.close()

    def mount(self, options):
        file = self.served / NAME.decode()
        command = ["losetup", "--find", "--show", "--direct-io=on", str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Skip(f"no loop device here: {done.stderr.strip()}")
        device = done.stdout.strip()
        try:
            mount("-o", options, device, self.mounted)
        finally:
            # From now on it goes with the last that uses it.
            subprocess.run(["losetup", "--detach", device], check=True)

    def close(self):
        for path in [self.mounted, self.served]:
            subprocess.run(["umount", "-l", str(path)], capture_output=True)
        end = time.monotonic() + 10
        while os.waitpid(self.process, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
                break
            time.sleep(0.02)

    def events(self):
        """Returns what is recorded so far."""
        return read_log(self.log)


@dataclasses.dataclass
class Event:
    """A recorded write, or a flush where the size is 0. `at` is where its bytes are in the log."""

    time: int
    offset: int
    size: int
    at: int


def read_log(path):
    events, at, whole = [], 0, os.path.getsize(path)
    with open(path, "rb") as log:
        while at + RECORD.size <= whole:
            log.seek(at)
            time_, offset, size = RECORD.unpack(log.read(RECORD.size))
            at += RECORD.size
            if at + size > whole:
                break
            events.append(Event(time_, offset, size, at))
            at += size
    return events


@dataclasses.dataclass
class Cut:
    """A power cut after the first `count` events, and what it does to writes after the flush.

    `time` is that of the next event: what a client saw before then, it saw before the cut.
    """

    count: int
    way: str
    seed: int
    flushed: int
    time: int


WAYS = ["none", "all", "first", "but one", "some", "torn"]


class States:
    """The states of a disk after a power cut, made from its log."""

    def __init__(self, base, log):
        self.base, self.log = pathlib.Path(base), open(log, "rb")
        self.events = read_log(log)
        self.times = [event.time for event in self.events]
        self.stable, self.applied = self.base.with_suffix(".stable"), None

    def cut(self, count, way, seed):
        flushes = (at + 1 for at in range(count - 1, -1, -1) if not self.events[at].size)
        last = count >= len(self.events)
        end = time.monotonic_ns() if last else self.events[count].time
        return Cut(count, way, seed, next(flushes, 0), end)

    def before(self, moment):
        """Returns how many events happened before a moment."""
        return bisect.bisect_left(self.times, moment)

    def pending(self, first, last):
        """Returns the cuts between two counts of events that come right after a write."""
        return [count for count in range(first + 1, last + 1) if self.events[count - 1].size]

    def unflushed(self, cut):
        return [event for event in self.events[cut.flushed:cut.count] if event.size]

    def make(self, cut, image, random):
        """Writes the state after a cut into an image. Cuts come in the order of their flushes."""
        if self.applied is None or self.applied > cut.flushed:
            copy(self.base, self.stable)
            self.applied = 0
        with open(self.stable, "r+b", buffering=0) as file:
            for event in self.events[self.applied:cut.flushed]:
                if event.size:
                    os.pwrite(file.fileno(), self.bytes(event), event.offset)
        self.applied = cut.flushed
        copy(self.stable, image)
        with open(image, "r+b", buffering=0) as file:
            for event, pieces in self.kept(cut, random):
                data = self.bytes(event)
                for start, end in pieces:
                    os.pwrite(file.fileno(), data[start:end], event.offset + start)

    def bytes(self, event):
        self.log.seek(event.at)
        return self.log.read(event.size)

    def kept(self, cut, random):
        """Chooses what is kept of the writes after the flush: events, and the ranges in them."""
        writes = self.unflushed(cut)
        whole = [(event, [(0, event.size)]) for event in writes]
        if cut.way == "none" or not writes:
            return []
        if cut.way == "first":
            return whole[:random.randrange(len(whole) + 1)]
        if cut.way == "but one":
            del whole[random.randrange(len(whole))]
            return whole
        if cut.way == "some":
            return [kept for kept in whole if random.random() < 0.5]
        if cut.way == "torn":
            return [(event, list(torn(event, random))) for event in writes]
        return whole


def torn(event, random):
    """Yields the blocks of a write that are kept; blocks lie on the disk's own borders."""
    start = 0
    while start < event.size:
        end = min(event.size, start + BLOCK - (event.offset + start) % BLOCK)
        if random.random() < 0.6:
            yield start, end
        start = end


def copy(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)],
                   check=True)
