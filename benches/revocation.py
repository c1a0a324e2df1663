#!/usr/bin/env python3
"""How soon an edit of the policy file bites: from the save to the first denial, and to the cut of a transfer that nobody reads. And what
being able to cut costs while nothing changes.

    cargo build --release && benches/revocation.py [--rounds 100]

A save is a rename, as editors and `postern revoke` do it; the moment before the rename is the start. Clients on this machine ask as fast as
they can, so the resolution is one request (less than a millisecond).
"""

import argparse
import hashlib
import hmac
import http.client
import os
import pathlib
import random
import select
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("POSTERN", str(ROOT / "target/release/postern"))
KEYS = ("AKIABENCH00000000000", "bench-secret")
TICK = os.sysconf("SC_CLK_TCK")
SIGNER = f"[[signer]]\nname = 'bench'\naccess_key_id = '{KEYS[0]}'\nsecret_access_key = '{KEYS[1]}'\n"
ALLOW = "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n"


def link(host, key, life=3600):
    """A presigned GET."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    query = urllib.parse.urlencode(sorted({
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{KEYS[0]}/{scope}", "X-Amz-Date": now,
        "X-Amz-Expires": life, "X-Amz-SignedHeaders": "host"}.items()), quote_via=urllib.parse.quote, safe="")
    path = f"/bench/{key}"
    canonical = f"GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    mac = ("AWS4" + KEYS[1]).encode()
    for part in [*scope.split("/"), text]:
        mac = hmac.new(mac, part.encode(), hashlib.sha256).digest()
    return f"{path}?{query}&X-Amz-Signature={mac.hex()}", hashlib.sha256(mac).hexdigest()


class Server:
    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        (self.folder / "data/bench").mkdir(parents=True, exist_ok=True)
        self.save("")
        environment = {"PATH": os.environ["PATH"], "POSTERN_SERVER__LISTEN": "127.0.0.1:0", "POSTERN_ADMIN__LISTEN": "127.0.0.1:0",
                       "POSTERN_LOG__LEVEL": "warn", **settings}
        self.process = subprocess.Popen([BINARY, "serve"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        self.host = next(line for line in self.process.stdout if line.startswith("postern listens on ")).split("//")[1].strip()
        self.address = (self.host.split(":")[0], int(self.host.split(":")[1]))
        for line in self.process.stdout:
            if line.startswith("admin"):
                break
        time.sleep(0.3)

    def save(self, rules):
        beside = self.folder / "policy.new"
        beside.write_text(SIGNER + ALLOW + rules)
        beside.chmod(0o600)
        start = time.monotonic()
        beside.rename(self.folder / "policy.toml")
        return start

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def told(name, seconds):
    milliseconds = sorted(1000 * second for second in seconds)
    p95 = milliseconds[int(len(milliseconds) * 0.95)]
    print(f"{name}: median {statistics.median(milliseconds):.1f} ms, 95th {p95:.1f} ms, longest {milliseconds[-1]:.1f} ms ({len(milliseconds)} rounds)")


def status(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def denial(server, rounds):
    """From the save to the first denial of one link."""
    (server.folder / "data/bench/small").write_bytes(b"x" * 4096)
    path, digest = link(server.host, "small")
    connection = http.client.HTTPConnection(*server.address)
    waits, back = [], []
    for _ in range(rounds):
        for rule, wanted, into in [(f"[[revoked_url]]\nsha256 = '{digest}'\n", 403, waits), ("", 200, back)]:
            time.sleep(random.uniform(0.05, 0.35))
            start = server.save(rule)
            while status(connection, path) != wanted:
                pass
            into.append(time.monotonic() - start)
    told("from the save to the first denial", waits)
    told("from the save to the first success again", back)


def cut(server, rounds):
    """From the save to the end of a connection that nobody reads."""
    with open(server.folder / "data/bench/large", "wb") as file:
        file.truncate(1 << 30)
    path, digest = link(server.host, "large")
    waits = []
    for _ in range(rounds):
        connection = socket.create_connection(server.address)
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {server.host}\r\n\r\n".encode())
        connection.recv(1000)
        time.sleep(random.uniform(0.05, 0.35))
        poll = select.poll()
        # Of the reader's side only the reset is waited for: bytes are there all the time.
        poll.register(connection, select.POLLERR | select.POLLHUP)
        start = server.save(f"[[revoked_url]]\nsha256 = '{digest}'\n")
        assert poll.poll(10_000), "not cut within 10 seconds"
        waits.append(time.monotonic() - start)
        connection.close()
        server.save("")
        time.sleep(0.1)
    told("from the save to the cut of a transfer that nobody reads", waits)


def download(server, path, times):
    connection = http.client.HTTPConnection(*server.address)
    buffer = bytearray(1 << 20)
    for _ in range(times):
        connection.request("GET", path)
        answer = connection.getresponse()
        while answer.readinto(buffer):
            pass


def cost(folder):
    """Processor time per GiB with and without, in turns."""
    servers = {name: Server(pathlib.Path(folder) / name, POSTERN_POLICY__CUT_TRANSFERS=value) for name, value in [("with", "true"), ("without", "false")] if (pathlib.Path(folder) / name).mkdir() is None}
    figures = {name: [] for name in servers}
    for server in servers.values():
        with open(server.folder / "data/bench/large", "wb") as file:
            for _ in range(64):
                file.write(os.urandom(1 << 20))
    for round in range(6):
        for name, server in servers.items():
            path, _ = link(server.host, "large")
            before = server.cpu()
            threads = [threading.Thread(target=download, args=(server, path, 16)) for _ in range(2)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            if round:
                figures[name].append((server.cpu() - before) / 2)
    [server.stop() for server in servers.values()]
    medians = {name: statistics.median(figure) for name, figure in figures.items()}
    print(f"processor time per GiB sent: {medians['with']:.3f} s able to cut, {medians['without']:.3f} s not: ratio {medians['with'] / medians['without']:.2f} (5 rounds of 2 GiB in turns)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        denial(server, rounds)
        cut(server, rounds)
        server.stop()
    with tempfile.TemporaryDirectory() as folder:
        cost(folder)


if __name__ == "__main__":
    main()
