"""What the clients in Python share: plain HTTP, forms, and the run of their cases."""

import sys
import urllib.error
import urllib.request

MIB = 1024 * 1024
CASES = []


def case(function):
    """Makes a function a case: `conditional_write` is `conditional-write`, and `strange_keys` is `keys`."""
    CASES.append(function)
    return function


def fetch(url, method="GET", data=None, headers=None):
    """Status, body and headers of a plain HTTP request."""
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def form_body(fields, file):
    """A form as a browser sends it, and its headers."""
    boundary = "----frontier7MA4YWxkTrZu0gW"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n\r\n'.encode() + file)
    return b"".join(parts) + f"\r\n--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def run(version, missing=None, notes=None):
    """Runs every case, whatever became of the one before, and ends the program."""
    print("version", version, flush=True)
    for word, told in [("note", notes or {}), ("n/a", missing or {})]:
        for name, why in told.items():
            print(f"{word} {name}: {why}", flush=True)
    failed = False
    for function in CASES:
        name = {"strange_keys": "keys"}.get(function.__name__, function.__name__).replace("_", "-")
        try:
            function()
            print("ok", name, flush=True)
        except Exception as error:
            failed = True
            told = " ".join(str(error).split())[:250]
            print(f"not ok {name}: {type(error).__name__}: {told}", flush=True)
    sys.exit(1 if failed else 0)
