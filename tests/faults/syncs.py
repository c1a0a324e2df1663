"""Drops chosen syncs of a running program: the call is not made, and returns success.

It shows that a test notices a missing fsync, without a build that lacks it. A seccomp filter hands
each fsync and fdatasync of the program to this process, which looks at the file and either lets the
call go on or answers it.
"""

import fcntl
import os
import pathlib
import re
import select
import socket
import stat
import struct
import threading

import seccomp
from support import Skip

# The kinds of syncs that a promise rests on: `kind` says what they are. The sync of `records` is
# not among them: ext4, xfs and btrfs write a record's new name with the sync of its object's file.
KINDS = ["file", "object", "folder", "uploads", "root"]
RECEIVE, SEND, GO_ON = 0xC0502100, 0xC0182101, 1


def kind(path, mode, root):
    """Returns which of the store's syncs this one is, by the path and the mode of the file.

    file      a file on its way: an object's data, a part, or a spilled record
    object    an object in its place, after its attributes were changed
    folder    a folder that holds objects
    records   the folder of spilled records
    uploads   the folder of multipart uploads, or one of an upload
    root      the folder of the buckets
    other     anything else below the root
    """
    if path == root:
        return "root"
    if not path.startswith(f"{root}/"):
        return None
    inside = path.removeprefix(f"{root}/")
    if re.match(r"[^/]+/~!tmp/", inside) and stat.S_ISREG(mode):
        return "file"
    if re.match(r"[^/]+/~!metadata$", inside):
        return "records"
    if re.match(r"[^/]+/~!uploads(/|$)", inside) and stat.S_ISDIR(mode):
        return "uploads"
    if "~!" in inside:
        return "other"
    return "folder" if stat.S_ISDIR(mode) else "object"


class Syncs:
    """Decides about the syncs of one program. `drop` is the kind that does not happen."""

    def __init__(self, root, drop=None):
        seccomp.numbers()
        self.root, self.drop = str(pathlib.Path(root).resolve()), drop
        self.counts, self.dropped = {}, 0
        self.ours, self.theirs = socket.socketpair()
        self.ended = threading.Event()

    def preexec(self):
        """Runs in the child, before the program does."""
        listener = seccomp.hand_over_syncs()
        socket.send_fds(self.theirs, [b"0" if listener >= 0 else b"1"], [max(listener, 0)])

    def start(self):
        """Begins to answer, once the program is started."""
        self.theirs.close()
        word, descriptors, _, _ = socket.recv_fds(self.ours, 1, 1)
        if word != b"0":
            raise Skip("this kernel has no user notification of seccomp")
        self.listener = descriptors[0]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.ended.set()
        self.thread.join()
        os.close(self.listener)
        self.ours.close()

    def serve(self):
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        while not self.ended.is_set():
            events = poll.poll(200)
            if not events:
                continue
            if not events[0][1] & select.POLLIN:
                return
            notice = bytearray(80)
            try:
                fcntl.ioctl(self.listener, RECEIVE, notice, True)
                id_, thread, _, _, _, _, descriptor = struct.unpack_from("=QIIiIQQ", notice)
                how = 0 if self.drops(thread, descriptor) else GO_ON
                fcntl.ioctl(self.listener, SEND, bytearray(struct.pack("=QqiI", id_, 0, 0, how)))
            except OSError:
                # The thread was killed meanwhile.
                continue

    def drops(self, thread, descriptor):
        link = f"/proc/{thread}/fd/{descriptor}"
        try:
            found = kind(os.readlink(link), os.stat(link).st_mode, self.root)
        except OSError:
            return False
        self.counts[found] = self.counts.get(found, 0) + 1
        self.dropped += found == self.drop and found is not None
        return found == self.drop and found is not None
