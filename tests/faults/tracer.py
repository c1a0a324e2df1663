"""A tracer for one running program: it records the system calls that touch a folder, and makes
chosen ones fail or wait.

`strace -e inject=CALL:error=E:when=N` counts per thread, and a request runs on several threads:
one call of a request cannot be named that way. This tracer names a call by what it does (its name
and its paths) and by its place among the same of all threads. It stays attached while the program
lives, so a request costs no new attachment.
"""

import ctypes
import errno
import os
import platform
import re
import signal
import sys
import threading
import time

from support import Skip

SYSCALL, POKEUSER, CONT, SEIZE, INTERRUPT, INFO = 24, 6, 7, 0x4206, 0x4207, 0x420e
SYSGOOD, CLONE = 1, 8
# Any thread; and only those that the waiting thread traces.
WALL, WNOTHREAD = 0x40000000, 0x20000000
# Offsets in x86-64's `struct user`.
ORIG_RAX, RAX = 15 * 8, 10 * 8
AT_FDCWD = -100
# How long the end of a request's calls is waited for, in seconds.
LONGEST_STOP = 0.5
# In place of an error: the process is killed before the call does anything.
KILL = -1

# x86-64 numbers of the calls that may touch a file. `f0` is a descriptor in argument 0, `p0` a path
# there, `a0` a folder's descriptor with the path in the argument after it.
CALLS = {
    0: ("read", "f0"), 1: ("write", "f0"), 2: ("open", "p0"), 4: ("stat", "p0"),
    5: ("fstat", "f0"), 6: ("lstat", "p0"), 8: ("lseek", "f0"), 9: ("mmap", "f4"),
    16: ("ioctl", "f0"), 17: ("pread64", "f0"), 18: ("pwrite64", "f0"), 19: ("readv", "f0"),
    20: ("writev", "f0"), 21: ("access", "p0"), 26: ("msync", ""), 32: ("dup", "f0"),
    40: ("sendfile", "f1"), 72: ("fcntl", "f0"), 73: ("flock", "f0"), 74: ("fsync", "f0"),
    75: ("fdatasync", "f0"), 76: ("truncate", "p0"), 77: ("ftruncate", "f0"),
    78: ("getdents", "f0"), 82: ("rename", "p0p1"), 83: ("mkdir", "p0"), 84: ("rmdir", "p0"),
    85: ("creat", "p0"), 86: ("link", "p0p1"), 87: ("unlink", "p0"), 88: ("symlink", "p1"),
    89: ("readlink", "p0"), 90: ("chmod", "p0"), 91: ("fchmod", "f0"), 93: ("fchown", "f0"),
    137: ("statfs", "p0"), 138: ("fstatfs", "f0"), 188: ("setxattr", "p0"),
    190: ("fsetxattr", "f0"), 191: ("getxattr", "p0"), 193: ("fgetxattr", "f0"),
    196: ("flistxattr", "f0"), 199: ("fremovexattr", "f0"), 217: ("getdents64", "f0"),
    221: ("fadvise64", "f0"), 257: ("openat", "a0"), 258: ("mkdirat", "a0"),
    260: ("fchownat", "a0"), 262: ("newfstatat", "a0"), 263: ("unlinkat", "a0"),
    264: ("renameat", "a0a2"), 265: ("linkat", "a0a2"), 266: ("symlinkat", "a1"),
    267: ("readlinkat", "a0"), 268: ("fchmodat", "a0"), 269: ("faccessat", "a0"),
    275: ("splice", "f0f2"), 277: ("sync_file_range", "f0"), 280: ("utimensat", "a0"),
    285: ("fallocate", "f0"), 295: ("preadv", "f0"), 296: ("pwritev", "f0"),
    304: ("open_by_handle_at", "f0"), 306: ("syncfs", "f0"), 316: ("renameat2", "a0a2"),
    326: ("copy_file_range", "f0f2"), 327: ("preadv2", "f0"), 328: ("pwritev2", "f0"),
    332: ("statx", "a0"), 437: ("openat2", "a0"), 439: ("faccessat2", "a0"),
    452: ("fchmodat2", "a0"),
}
# Calls without a file, or that cannot fail usefully: close, memory, time, threads, sockets, epoll.
OTHERS = frozenset([
    3, 7, 10, 11, 12, 13, 14, 15, 22, 24, 25, 27, 28, 33, 34, 35, 37, 38, 39, 41, 42, 43, 44, 45,
    46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 79, 95, 96, 97, 98, 99,
    100, 102, 104, 107, 108, 110, 111, 124, 131, 157, 158, 186, 200, 202, 203, 204, 213, 218, 219,
    228, 229, 230, 231, 232, 233, 234, 247, 254, 255, 270, 271, 272, 273, 274, 281, 282, 283, 284,
    286, 287, 288, 289, 290, 291, 292, 293, 294, 299, 302, 307, 309, 317, 318, 322, 324, 334, 424,
    435, 436, 441, 444, 445, 446])
SENDS = {1: "write", 20: "writev", 44: "sendto", 46: "sendmsg"}


class Info(ctypes.Structure):
    """The kernel's `struct ptrace_syscall_info`, at a call's entry and at its exit."""
    _fields_ = [("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32),
                ("ip", ctypes.c_uint64), ("sp", ctypes.c_uint64), ("words", ctypes.c_uint64 * 8)]


class Call:
    """One system call. `at` is its number among the recorded ones, from 0."""

    def __init__(self, at, name, paths, args):
        self.at, self.name, self.paths, self.args = at, name, paths, args
        self.result, self.injected, self.flags, self.nth = None, None, 0, 0
        # Whether an open makes the file.
        self.creates = False

    def describe(self, folder, root):
        """Sets what the call is in each run: its name and its paths, below `folder`."""
        paths = " ".join("." if path == folder else "the root" if path == root
                         else path.removeprefix(folder + "/") for path in self.paths)
        paths = re.sub(r"[0-9a-f]{32}|[0-9a-f]+-[0-9a-f]+-[0-9a-f]+", "ID", paths)
        self.text = f"{self.name}({paths})"

    @property
    def plan(self):
        """Names the call in another run: what it is, and which of the same it is there."""
        return self.text, self.nth

    def __str__(self):
        return f"{self.text} = {name_of(self.injected)}" if self.injected else self.text


def name_of(code):
    return "KILL" if code == KILL else errno.errorcode[code]


class Tracer:
    """Traces a process from a thread of its own until the process ends."""

    def __init__(self, pid, root):
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise Skip("the tracer knows Linux on x86-64 alone")
        self.pid, self.root = pid, str(root)
        self.lock = threading.Lock()
        self.calls, self.count, self.total, self.inner = [], {}, 0, 0
        self.recording, self.plan, self.folder = False, None, self.root
        self.hold_when, self.held, self.let_go = None, [], False
        self.inside, self.ready, self.problem = {}, threading.Event(), None
        # A thread stops at its calls only while something is recorded: all else is faster so.
        self.stepping, self.wanted, self.stepped = True, False, threading.Event()
        self.threads, self.lagging = set(), set()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.ready.wait()
        if self.problem:
            raise Skip(f"this program may not trace another: {self.problem}")

    # For the test's own thread.

    def record(self, folder, plan=None, hold=None):
        """Records from now on, the calls below `folder` alone.

        `plan` is a call's plan and an error: that call fails. `hold` picks calls that wait at their
        beginning, until `release`.
        """
        with self.lock:
            self.calls, self.count, self.total, self.inner = [], {}, 0, 0
            self.plan, self.folder = plan, str(folder)
            self.hold_when, self.let_go, self.recording = hold, False, True
            self.wanted = not self.stepping
            self.stepped.clear()
        if self.wanted:
            self.wake()
            self.stepped.wait()

    def stop(self, quiet=0.03):
        """Ends the recording once no call has come for a while, and returns the calls."""
        seen, end = -1, time.monotonic() + LONGEST_STOP
        while seen != self.inner and time.monotonic() < end:
            seen = self.inner
            time.sleep(quiet)
        with self.lock:
            self.recording = self.stepping = False
            return self.calls

    def release(self):
        """Lets the calls that wait go on."""
        with self.lock:
            self.let_go, self.hold_when = True, None
        self.wake()

    def wake(self):
        """Has the program stop once, so that the tracer's thread looks at what is asked of it."""
        os.kill(self.pid, signal.SIGWINCH)

    def kill(self):
        """Kills the program, and returns when it is gone.

        Until then nobody else may wait for it (`Popen.kill` does): a stop would be lost to them.
        """
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.thread.join()

    # For the tracer's thread: only it may ask the kernel.

    def ask(self, request, thread, address=0, data=0):
        found = self.libc.ptrace(request, thread, ctypes.c_void_p(address), data)
        if found < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return found

    def run(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.restype = ctypes.c_long
        self.libc.ptrace.argtypes = [
            ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.memory = open(f"/proc/{self.pid}/mem", "rb", buffering=0)
        try:
            self.seize()
        except OSError as error:
            self.problem = error
        self.ready.set()
        while not self.problem:
            try:
                thread, status = os.waitpid(-1, WALL | WNOTHREAD)
            except ChildProcessError:
                # The program has ended.
                self.stepped.set()
                return
            try:
                self.stopped(thread, status)
            except ProcessLookupError:
                # The thread was killed meanwhile.
                self.gone(thread)
            except Exception:
                # Nobody would let the threads go on: the program must not hang unseen.
                os.kill(self.pid, signal.SIGKILL)
                raise

    def gone(self, thread):
        self.inside.pop(thread, None)
        self.threads.discard(thread)
        self.steps(thread)

    def steps(self, thread):
        """Notes that a thread stops at its calls from now on, or has ended."""
        self.lagging.discard(thread)
        if not self.lagging:
            self.stepped.set()

    def seize(self):
        while True:
            names = os.listdir(f"/proc/{self.pid}/task")
            threads = {int(name) for name in names} - self.threads
            if not threads:
                return
            for thread in threads:
                self.threads.add(thread)
                try:
                    self.ask(SEIZE, thread, 0, SYSGOOD | CLONE)
                    self.ask(INTERRUPT, thread)
                except (PermissionError, ProcessLookupError):
                    # It is traced since its maker is, or it has ended.
                    if thread == self.pid:
                        raise

    def stopped(self, thread, status):
        self.let_held_go()
        self.step_all()
        if not os.WIFSTOPPED(status):
            self.gone(thread)
            return
        self.threads.add(thread)
        number, event = os.WSTOPSIG(status), status >> 16
        passed = 0
        if number == signal.SIGTRAP | 0x80:
            if self.at_call(thread):
                self.held.append(thread)
                return
        elif event == 0 and number != signal.SIGWINCH:
            passed = number
        if self.stepping or thread in self.inside:
            self.ask(SYSCALL, thread, 0, passed)
            self.steps(thread)
        else:
            self.ask(CONT, thread, 0, passed)

    def step_all(self):
        """Has each thread stop, after which it stops at its calls."""
        if not self.wanted:
            return
        self.wanted, self.stepping = False, True
        self.lagging = set(self.threads)
        for thread in list(self.threads):
            try:
                self.ask(INTERRUPT, thread)
            except ProcessLookupError:
                self.gone(thread)

    def let_held_go(self):
        if self.let_go and self.held:
            for thread in self.held:
                self.ask(SYSCALL, thread)
            self.held = []

    def at_call(self, thread):
        """Handles the entry or exit of a call. True: the thread has to wait."""
        info = Info()
        self.ask(INFO, thread, ctypes.sizeof(info), ctypes.addressof(info))
        if info.op == 1:
            with self.lock:
                call = self.entry(info.words[0], list(info.words[1:7])) if self.recording else None
                if call is None:
                    return False
                self.inside[thread] = call
                if self.plan and self.plan[0] == call.plan:
                    call.injected = self.plan[1]
                    if call.injected == KILL:
                        os.kill(self.pid, signal.SIGKILL)
                        return False
                    self.ask(POKEUSER, thread, ORIG_RAX, (1 << 64) - 1)
                return bool(self.hold_when and self.hold_when(call))
        if info.op == 2:
            call = self.inside.pop(thread, None)
            if call:
                value = ctypes.c_int64(info.words[0]).value
                if call.injected:
                    value = -call.injected
                    self.ask(POKEUSER, thread, RAX, value % (1 << 64))
                call.result = value
        return False

    def entry(self, number, args):
        """Records the call that begins, if it touches the folder or answers the client."""
        if number in SENDS and self.opened(args[0]).startswith("socket:"):
            self.calls.append(Call(None, "answer", [], args))
            return None
        if number in OTHERS:
            return None
        name, shape = CALLS.get(number, (f"syscall_{number}", "f0"))
        paths = []
        for kind, at in zip(shape[::2], shape[1::2]):
            at = int(at)
            if kind == "f":
                paths.append(self.opened(args[at]))
            else:
                front = os.readlink(f"/proc/{self.pid}/cwd")
                if kind == "a":
                    front = self.opened(args[at]) if int32(args[at]) != AT_FDCWD else front
                    at += 1
                paths.append(os.path.normpath(os.path.join(front, self.text(args[at]))))
        # An open that is confined to a folder counts for the file that it names.
        if not any(self.touches(path) for path in paths):
            return None
        call = Call(self.total, name, paths, args)
        call.describe(self.folder, self.root)
        call.nth = self.count.get(call.text, 0)
        self.count[call.text] = call.nth + 1
        self.total += 1
        # Housekeeping looks at the root now and then, for other buckets.
        self.inner += paths[0] != self.root
        call.flags = self.flags(name, args)
        if name in ("openat", "openat2", "open", "creat"):
            call.creates = bool(call.flags & os.O_CREAT) and not os.path.lexists(paths[0])
        self.calls.append(call)
        return call

    def touches(self, path):
        return path == self.root or path == self.folder or path.startswith(self.folder + "/")

    def flags(self, name, args):
        if name == "openat2":
            self.memory.seek(args[2])
            return int.from_bytes(self.memory.read(8), "little")
        return int32(args[{"openat": 2, "open": 1, "unlinkat": 2}.get(name, 5)])

    def opened(self, descriptor):
        try:
            path = os.readlink(f"/proc/{self.pid}/fd/{int32(descriptor)}")
            return path.removesuffix(" (deleted)")
        except OSError:
            return ""

    def text(self, address):
        """Reads a string of the program; a page that is not there ends it."""
        if not address:
            return ""
        found = b""
        while len(found) < 4096 and b"\0" not in found:
            step = 256 - (address + len(found)) % 256
            try:
                self.memory.seek(address + len(found))
                found += self.memory.read(step)
            except OSError:
                break
        return found.split(b"\0")[0].decode(errors="replace")


def int32(word):
    return ctypes.c_int32(word & 0xffffffff).value
