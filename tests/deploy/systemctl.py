"""What systemd does for postern's units, as far as docs/DEPLOY.md needs it: holds sockets, passes them on, waits for the notice of readiness, and runs ExecStart
as User in WorkingDirectory. It is no systemd: nothing of the sandbox is set up. `systemctl.py serve` is the manager; anything else is passed on to it."""

import os
import pathlib
import pwd
import shlex
import signal
import socket
import subprocess
import sys

FOLDERS = [pathlib.Path("/lib/systemd/system"), pathlib.Path("/etc/systemd/system")]
CONTROL = "/run/deploy-manager"
NOTIFY = "/run/deploy-notify"
sockets = {}
processes = {}


def unit(name):
    """A unit's keys with all their values; an empty value forgets those before it."""
    files = [folder / name for folder in FOLDERS]
    for folder in FOLDERS:
        files += sorted((folder / f"{name}.d").glob("*.conf"))
    found = {}
    for file in filter(pathlib.Path.exists, files):
        for line in file.read_text().splitlines():
            if "=" in line and line[0] not in "#;[":
                key, value = line.split("=", 1)
                found[key] = found.get(key, []) + [value] if value else []
    if not found:
        raise KeyError(f"there is no unit {name}")
    return found


def listen(name):
    if name in sockets:
        return
    keys = unit(name)
    host, _, port = keys["ListenStream"][-1].rpartition(":")
    host = host.strip("[]")
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(keys.get("BindIPv6Only") != ["both"]))
    opened.bind((host, int(port)))
    opened.listen(int(keys["Backlog"][-1]))
    sockets[name] = (opened, keys["FileDescriptorName"][-1])


def start(name):
    if name in processes:
        return
    keys = unit(name)
    for needed in keys.get("Requires", []):
        listen(needed)
    user = pwd.getpwnam(keys["User"][-1])
    passed = list(sockets.values())
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    pathlib.Path(NOTIFY).unlink(missing_ok=True)
    notify.bind(NOTIFY)
    os.chmod(NOTIFY, 0o777)
    notify.settimeout(30)

    def become():
        kept = [os.dup(opened.fileno()) for opened, _ in passed]
        for index, descriptor in enumerate(kept):
            os.dup2(descriptor, 3 + index)
        os.chdir(keys["WorkingDirectory"][-1])
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)

    log = open("/run/deploy-log", "ab")
    command = shlex.split(keys["ExecStart"][-1])
    # The process's own number is known only to itself; behind strace there is another in between.
    own = 'exec "$@"' if command[0] == "strace" else 'export LISTEN_PID=$$; exec "$@"'
    process = subprocess.Popen(["sh", "-c", own, "sh", *command], preexec_fn=become, close_fds=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": NOTIFY, "LISTEN_FDS": str(len(passed)),
                                    "LISTEN_FDNAMES": ":".join(name for _, name in passed)})
    processes[name] = process
    while "READY=1" not in notify.recv(4096).decode():
        pass
    notify.close()


def program(process):
    """The program itself, where strace stands in between."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else process.pid


def stop(name):
    process = processes.pop(name, None)
    if process:
        os.kill(program(process), signal.SIGTERM)
        code = process.wait(int(unit(name)["TimeoutStopSec"][-1].rstrip("s")))
        if code:
            raise RuntimeError(f"{name} ended with {code}")


def do(words):
    names = [word for word in words[1:] if not word.startswith("-")]
    match words[0]:
        case "enable" | "start":
            for name in names:
                listen(name) if name.endswith(".socket") else start(name)
        case "stop":
            for name in names:
                stop(name)
        case "restart":
            for name in names:
                stop(name)
                start(name)
        case "reload":
            for name in names:
                os.kill(program(processes[name]), signal.SIGHUP)
        case "daemon-reload":
            pass
        case other:
            raise ValueError(f"the stand-in for systemctl does not know {other}")


def serve():
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(CONTROL)
    control.listen()
    while True:
        client, _ = control.accept()
        words = client.recv(4096).decode().split("\n")
        try:
            do(words)
            client.sendall(b"ok")
        except Exception as error:
            client.sendall(f"{type(error).__name__}: {error}".encode())
        client.close()


if sys.argv[1:] == ["serve"]:
    serve()
else:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(CONTROL)
    client.sendall("\n".join(sys.argv[1:]).encode())
    answer = client.recv(4096).decode()
    if answer != "ok":
        sys.exit(answer)
