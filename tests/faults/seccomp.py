"""Filters of system calls, installed in a child before it becomes the program under test."""

import ctypes
import errno
import platform
import struct

from support import Skip

# Per machine: its audit number and the numbers of the system calls used here.
MACHINES = {
    "x86_64": {"audit": 0xC000003E, "seccomp": 317, "fsync": 74, "fdatasync": 75,
               "renameat2": 316},
    "aarch64": {"audit": 0xC00000B7, "seccomp": 277, "fsync": 82, "fdatasync": 83,
                "renameat2": 276},
}
NO_NEW_PRIVILEGES, MODE_FILTER, NEW_LISTENER = 38, 1, 8
# Loads a word of the call's data; jumps if equal, or if bits are set; returns a decision.
LOAD, EQUAL, SET, RETURN = 0x20, 0x15, 0x45, 0x06
# Where the words are.
CALL, AUDIT, FIFTH = 0, 4, 48
NOTIFY, FAIL, ALLOW = 0x7FC00000, 0x00050000, 0x7FFF0000
EXCHANGE = 2
LIBC = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def numbers():
    if platform.machine() not in MACHINES:
        raise Skip(f"no system call numbers here for {platform.machine()}")
    return MACHINES[platform.machine()]


def install(lines, flags=0):
    """Installs a filter in this process, and returns what the system call returns."""
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    code = ctypes.create_string_buffer(code, len(code))
    program = Program(len(lines), ctypes.addressof(code))
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    call = numbers()["seccomp"]
    return LIBC.syscall(call, MODE_FILTER, flags, ctypes.byref(program))


def hand_over_syncs():
    """Hands each fsync and fdatasync to who holds the descriptor that is returned."""
    known = numbers()
    return install([
        (LOAD, 0, 0, AUDIT), (EQUAL, 0, 3, known["audit"]),
        (LOAD, 0, 0, CALL), (EQUAL, 2, 0, known["fsync"]), (EQUAL, 1, 0, known["fdatasync"]),
        (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOTIFY)], NEW_LISTENER)


def refuse_exchange():
    """Makes RENAME_EXCHANGE fail, as file systems do that cannot exchange two names."""
    known = numbers()
    done = install([
        (LOAD, 0, 0, AUDIT), (EQUAL, 0, 4, known["audit"]),
        (LOAD, 0, 0, CALL), (EQUAL, 0, 2, known["renameat2"]),
        (LOAD, 0, 0, FIFTH), (SET, 1, 0, EXCHANGE),
        (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, FAIL | errno.EINVAL)])
    if done != 0:
        raise OSError("the filter was not installed")
