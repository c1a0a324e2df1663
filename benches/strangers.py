#!/usr/bin/env python3
"""How long a signer waits while a client without a key attacks from one other address.

    cargo build --release && benches/strangers.py [--seconds 5]

Addresses come by PROXY headers, so the gateway sees two sources. Each attack keeps as many
connections as one address may have, or floods one of them. The table has the signer's latency in
milliseconds, and the ratio of each 99th percentile to the one without an attack.
"""

import argparse
import os
import pathlib
import socket
import statistics
import tempfile
import threading
import time

from revocation import Server, link

STRANGER, SIGNER = "203.0.113.66", "198.51.100.9"
SETTINGS = {
    "POSTERN_SERVER__PROXY_PROTOCOL": "require",
    "POSTERN_SERVER__TRUSTED_PROXIES": '["127.0.0.0/8"]',
}
CONNECTIONS = 1000


def connect(host, address):
    name, port = host.rsplit(":", 1)
    stream = socket.create_connection((name, int(port)), timeout=10)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.sendall(f"PROXY TCP4 {address} 127.0.0.1 1000 9000\r\n".encode())
    return stream


def asked(host, target):
    """One download by a connection of its own: how many seconds it takes."""
    began = time.perf_counter()
    with connect(host, SIGNER) as stream:
        request = f"GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        stream.sendall(request.encode())
        answer = b""
        while part := stream.recv(65536):
            answer += part
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the signer is refused: {answer[:300]!r}")
    return time.perf_counter() - began


def kept(host, beginning):
    """An attack that begins as many requests as it may, and ends none."""
    def attack(stop):
        held = []
        for _ in range(CONNECTIONS):
            try:
                stream = connect(host, STRANGER)
                stream.sendall(beginning)
                held.append(stream)
            except OSError:
                pass
        stop.wait()
        for stream in held:
            stream.close()
    return attack


def flood(host, request):
    """An attack that sends one request after another, as fast as it can."""
    def attack(stop):
        while not stop.is_set():
            try:
                with connect(host, STRANGER) as stream:
                    stream.settimeout(1)
                    while not stop.is_set():
                        stream.sendall(request * 20)
                        stream.recv(65536)
            except OSError:
                pass
    return attack


def measure(host, target, attack, seconds):
    stop = threading.Event()
    thread = threading.Thread(target=attack, args=(stop,))
    thread.start()
    time.sleep(1)
    end, took = time.monotonic() + seconds, []
    while time.monotonic() < end:
        took.append(asked(host, target) * 1000)
        time.sleep(0.005)
    stop.set()
    thread.join()
    took.sort()
    return statistics.median(took), took[int(len(took) * 0.99)], took[-1], len(took)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=5)
    seconds = arguments.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, **SETTINGS)
        try:
            (pathlib.Path(folder) / "data/bench/small").write_bytes(os.urandom(4096))
            host = server.host
            target, _ = link(host, "small")
            forged = target[:-1] + ("0" if target[-1] != "0" else "1")
            form = (f"POST /bench HTTP/1.1\r\nhost: {host}\r\ncontent-length: 100000\r\n"
                    "content-type: multipart/form-data; boundary=B\r\n\r\n").encode()
            body = (f"PUT {forged} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 900000\r\n\r\n1").encode()
            head = f"GET /bench/small HTTP/1.1\r\nhost: {host}\r\nx-a: ".encode()
            get = f"GET {forged} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
            attacks = {
                "none": lambda stop: stop.wait(),
                "forms that never come": kept(host, form),
                "heads that never end": kept(host, head),
                "bodies that never come": kept(host, body),
                "forged signatures": flood(host, get),
            }
            print("| attack | requests | median | 99 % | longest | ratio of 99 % |")
            print("|---|---|---|---|---|---|")
            calm = None
            for name, attack in attacks.items():
                median, high, longest, count = measure(host, target, attack, seconds)
                calm = calm or high
                row = f"| {name} | {count} | {median:.2f} | {high:.2f} | {longest:.2f} |"
                print(f"{row} {high / calm:.1f} |", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
