"""Decides from a request's system calls whether an answer came too early.

A power cut keeps what was synced, and of the rest any part. So before an answer of success each
file that was written and each folder in which a name changed must be synced; a file must be synced
before it gets its name, and what is only needed while the new name may be lost (a spilled record,
the parts of an upload) may go only after that name is synced.
"""

import os
import re

WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate",
          "fsetxattr", "fremovexattr", "copy_file_range", "ioctl", "sendfile", "splice"}
AT_REMOVEDIR, EXCHANGE = 0x200, 2
# FICLONE and FICLONERANGE write; no other ioctl does.
CLONES = {0x40049409, 0x4020940d}
# The file of a part of an upload.
PART = re.compile(r"\d{5}\.")


class Disk:
    """What of a bucket is not synced. It goes from one request to the next."""

    def __init__(self, root, bucket):
        self.root, self.bucket = str(root), str(bucket)
        self.files, self.folders, self.spoiled = set(), set(), set()
        self.problems = []

    def short(self, path):
        """Names a path the same in each run."""
        if path == self.bucket:
            return "the bucket's folder"
        if path == self.root:
            return "the root"
        return re.sub(r"[0-9a-f]{32}", "ID", self.inner(path))

    def inner(self, path):
        return path.removeprefix(self.bucket).lstrip("/")

    def passing(self, path):
        """Whether a name in this folder is only on its way: the sweep removes it."""
        return self.inner(path) == "~!tmp"

    def visible(self, path):
        return not self.inner(path).startswith("~!tmp/")

    def folder(self, path):
        folder = os.path.dirname(path)
        # Each start makes what it needs of its own in the root.
        own = folder == self.root and os.path.basename(path).startswith("~!")
        if not own and not self.passing(folder):
            self.folders.add(folder)

    def moved(self, old, new):
        for known in (self.files, self.folders, self.spoiled):
            for path in [path for path in known if path == old or path.startswith(old + "/")]:
                known.discard(path)
                known.add(new + path[len(old):])

    def problem(self, text):
        if text not in self.problems:
            self.problems.append(text)

    def take(self, calls, succeeded=True):
        """Takes a request's calls. `succeeded`: its answer was one of success."""
        answered = False
        for call in calls:
            if call.name == "answer":
                if succeeded and not answered:
                    self.answered()
                answered = True
            elif call.result is not None and any(map(self.concerns, call.paths)):
                self.call(call)

    def concerns(self, path):
        """Whether a call on this path says something about the bucket; a start looks at others."""
        return path in (self.root, self.bucket) or path.startswith(self.bucket + "/")

    def answered(self):
        for path in sorted(self.files | self.folders):
            # What was removed meanwhile, with all that was in it, cannot be synced any more.
            if self.visible(path) and os.path.exists(path):
                self.problem(f"the answer comes before {self.short(path)} is synced")

    def call(self, call):
        name, paths = call.name, call.paths
        if name in ("fsync", "fdatasync"):
            if call.result == 0:
                self.files.discard(paths[0])
                self.folders.discard(paths[0])
            elif paths[0] in self.files:
                self.spoiled.add(paths[0])
        elif call.result < 0:
            return
        elif name == "syncfs":
            self.files, self.folders = set(), set()
        elif name in WRITES:
            if name != "ioctl" or call.args[1] in CLONES:
                self.files.add(paths[-1])
        elif call.creates:
            self.folder(paths[0])
        elif name in ("mkdirat", "symlinkat"):
            self.folder(paths[0])
        elif name == "linkat":
            self.folder(paths[1])
        elif name in ("renameat", "renameat2"):
            self.renamed(call)
        elif name == "unlinkat":
            self.unlinked(call)

    def renamed(self, call):
        old, new = call.paths
        for path in self.files:
            if (path == old or path.startswith(old + "/")) and self.visible(new):
                self.problem(f"{self.short(new)} gets its name before its content is synced")
        if old in self.spoiled:
            self.problem(f"{self.short(new)} gets its name after its sync has failed")
        if call.name == "renameat2" and call.args[4] & EXCHANGE:
            self.moved(new, new + "\0")
            self.moved(old, new)
            self.moved(new + "\0", old)
        else:
            self.moved(old, new)
        self.folder(old)
        self.folder(new)

    def unlinked(self, call):
        path, needed = call.paths[0], self.inner(call.paths[0])
        parts = needed.split("/")
        removed = call.flags & AT_REMOVEDIR
        in_record = parts[0] == "~!metadata" and len(parts) == 2
        in_upload = parts[0] in ("~!uploads", "~!tmp") and len(parts) > 2
        if not removed and (in_record or in_upload and PART.match(parts[-1])):
            for folder in sorted(self.folders):
                if not self.inner(folder).startswith("~!") and folder != self.root:
                    self.problem(f"{parts[0]}/… is removed before {self.short(folder)} is synced")
        needs = path in self.folders or not removed
        for known in (self.files, self.folders, self.spoiled):
            known.discard(path)
        # Cleaning up needs no sync: the sweep, or the next deletion, does it again. The removal of
        # a folder that was not synced does: a power cut would bring it back with what was in it.
        if needs and not in_record and not in_upload:
            self.folder(path)
