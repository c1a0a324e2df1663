#!/usr/bin/env python3
"""What storing and listing cost: processor time and memory of the server, beside what the hashes alone cost on this machine.

    cargo build --release && benches/objects.py [--listing]

Figures are processor seconds of the server (user and system, from /proc), so that a slow client does not count. The listing part makes a
folder of 1,000,000 files and is left out unless it is asked for.
"""

import argparse
import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYS = ("bench", "bench-secret")
TICK = os.sysconf("SC_CLK_TCK")
GIB = 1 << 30


class Server:
    """A release build with keys from its environment and an own store."""

    def __init__(self, folder, **settings):
        environment = {
            "PATH": os.environ["PATH"], "POSTERN_ACCESS_KEY_ID": KEYS[0], "POSTERN_SECRET_ACCESS_KEY": KEYS[1],
            "POSTERN_BUCKETS": "bench", "POSTERN_SERVER__LISTEN": "127.0.0.1:0", "POSTERN_ADMIN__LISTEN": "127.0.0.1:0",
            "POSTERN_LOG__LEVEL": "warn", **settings,
        }
        binary = os.environ.get("POSTERN", str(ROOT / "target/release/postern"))
        started = time.monotonic()
        self.process = subprocess.Popen([binary, "serve"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        self.host = next(line for line in self.process.stdout if line.startswith("postern listens on ")).split("//")[1].strip()
        request("GET", self.host, "/bench", {"list-type": "2"})
        self.started = time.monotonic() - started

    def times(self):
        """Processor seconds in the program and in the kernel for it."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) / TICK, int(fields[12]) / TICK

    def cpu(self):
        return sum(self.times())

    def memory(self, name="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def presigned(method, host, path, query=()):
    """The path and query of a link, signed as AWS says."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, scope = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d") + "/us-east-1/s3/aws4_request"
    query = {
        **dict(query), "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{KEYS[0]}/{scope}", "X-Amz-Date": stamp,
        "X-Amz-Expires": "3600", "X-Amz-SignedHeaders": "host",
    }
    line = "&".join(f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(v, safe='')}" for k, v in sorted(query.items()))
    canonical = f"{method}\n{urllib.parse.quote(path)}\n{line}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    key = ("AWS4" + KEYS[1]).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return f"{urllib.parse.quote(path)}?{line}&X-Amz-Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"


def request(method, host, path, query=(), body=None, connection=None):
    connection = connection or http.client.HTTPConnection(host)
    connection.request(method, presigned(method, host, path, query), body=body)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content[:500]
    return content


def cost(work):
    """Processor seconds of this process while it works."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def hash_cost(name):
    piece = os.urandom(1 << 20)

    def work():
        digest = hashlib.new(name)
        for _ in range(1024):
            digest.update(piece)

    return cost(work)


def write_cost(folder):
    """Kernel seconds to write 1 GiB to a file and sync it."""
    piece = os.urandom(1 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_stime
    with open(pathlib.Path(folder) / "written", "wb", buffering=0) as file:
        for _ in range(1024):
            file.write(piece)
        os.fsync(file.fileno())
    return resource.getrusage(resource.RUSAGE_SELF).ru_stime - before


def large():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        source = pathlib.Path(folder) / "source"
        with open(source, "wb") as file:
            for _ in range(1024):
                file.write(os.urandom(1 << 20))
        server = Server(folder)
        rest = server.memory()
        before = server.times()
        with open(source, "rb") as body:
            connection = http.client.HTTPConnection(server.host, blocksize=1 << 20)
            connection.request("PUT", presigned("PUT", server.host, "/bench/large"), body=body, headers={"Content-Length": str(GIB)})
            assert connection.getresponse().status == 200
        program, kernel = (after - at for after, at in zip(server.times(), before))
        peak = server.memory("VmHWM")
        server.stop()
        written = write_cost(folder)
    md5 = hash_cost("md5")
    print(f"start to first answer           {server.started * 1000:8.0f} ms")
    print(f"PUT 1 GiB, in the program       {program:8.2f} s   (MD5 of 1 GiB by OpenSSL: {md5:.2f} s; ratio {program / md5:.2f})")
    print(f"PUT 1 GiB, in the kernel        {kernel:8.2f} s   (writing and syncing 1 GiB without a network: {written:.2f} s)")
    print(f"PUT 1 GiB, memory growth        {peak - rest:8.1f} MiB (at rest {rest:.1f})")


def in_parallel(count, work):
    """Runs this many at once."""
    workers = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def small(durable):
    count, threads = 4000, 4
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        server = Server(folder, POSTERN_STORAGE__DURABLE="true" if durable else "false")

        def work(number):
            connection = http.client.HTTPConnection(server.host)
            for at in range(count // threads):
                request("PUT", server.host, f"/bench/{number}/{at}", body=b"x" * 4096, connection=connection)

        before, started = server.cpu(), time.monotonic()
        in_parallel(threads, work)
        took, spent = time.monotonic() - started, server.cpu() - before
        server.stop()
    name = "durable" if durable else "not durable"
    print(f"PUT 4 KiB, {name:<14}       {count / took:8.0f} /s  (four connections; {spent / count * 1e6:.0f} µs of processor time each)")


class Pieces:
    """A body of 1 GiB that is one MiB, again and again."""

    def __init__(self):
        self.piece, self.left = os.urandom(1 << 20), 1024

    def read(self, _):
        self.left -= 1
        return self.piece if self.left >= 0 else b""


def parallel():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        server = Server(folder)
        rest = server.memory()

        def work(number):
            connection = http.client.HTTPConnection(server.host, blocksize=1 << 20)
            path = presigned("PUT", server.host, f"/bench/{number}")
            connection.request("PUT", path, body=Pieces(), headers={"Content-Length": str(GIB)})
            assert connection.getresponse().status == 200

        in_parallel(8, work)
        print(f"8 PUTs of 1 GiB at once, growth {server.memory('VmHWM') - rest:8.1f} MiB of memory")
        server.stop()


def multipart():
    size = 8 << 20
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        server = Server(folder)
        rest = server.memory()
        begun = request("POST", server.host, "/bench/parts", {"uploads": ""}).decode()
        upload = begun.split("<UploadId>")[1].split("<")[0]
        count, etags, piece = GIB // size, {}, os.urandom(size)
        before = server.times()

        def work(worker):
            connection = http.client.HTTPConnection(server.host)
            for number in range(worker + 1, count + 1, 4):
                path = presigned("PUT", server.host, "/bench/parts", {"uploadId": upload, "partNumber": str(number)})
                connection.request("PUT", path, body=piece)
                answer = connection.getresponse()
                answer.read()
                etags[number] = answer.headers["ETag"]

        in_parallel(4, work)
        sent = [after - at for after, at in zip(server.times(), before)]
        parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etags[n]}</ETag></Part>" for n in sorted(etags))
        before, started = server.times(), time.monotonic()
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        request("POST", server.host, "/bench/parts", {"uploadId": upload}, body=document)
        took = time.monotonic() - started
        program, kernel = (after - at for after, at in zip(server.times(), before))
        peak = server.memory("VmHWM")
        server.stop()
    print(f"1 GiB in {count} parts            {sent[0]:8.2f} s in the program, {sent[1]:.2f} s in the kernel (four at once)")
    print(f"completing it                   {program:8.2f} s in the program, {kernel:.2f} s in the kernel; answered after {took:.2f} s")
    print(f"memory growth                   {peak - rest:8.1f} MiB")


def listing():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        bucket = pathlib.Path(folder) / "data" / "bench"
        bucket.mkdir(parents=True)
        for number in range(1_000_000):
            os.close(os.open(bucket / f"key-{number:012}", os.O_CREAT | os.O_WRONLY, 0o644))
        time.sleep(1)
        server = Server(folder)
        connection = http.client.HTTPConnection(server.host)
        token, pages = None, 0
        while True:
            query = {"list-type": "2", **({"continuation-token": token} if token else {})}
            page = request("GET", server.host, "/bench", query, connection=connection).decode()
            pages += 1
            if "<IsTruncated>true" not in page:
                break
            token = page.split("<NextContinuationToken>")[1].split("<")[0]
            if pages == 1:
                begun = server.cpu()
        each = (server.cpu() - begun) / (pages - 1)
        print(f"list 1,000,000 keys             {pages:8} pages of 1,000; {each * 1000:.1f} ms of processor time each")
        print(f"reading and sorting the folder  {server.cpu() - each * pages:8.2f} s   once, before the first answer or at its start")
        print(f"memory at most                  {server.memory('VmHWM'):8.1f} MiB")
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listing", action="store_true", help="also list a folder of 1,000,000 files")
    arguments = parser.parse_args()
    large()
    small(durable=True)
    small(durable=False)
    multipart()
    parallel()
    if arguments.listing:
        listing()


main()
