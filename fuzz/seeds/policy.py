#!/usr/bin/env python3
"""Makes the seeds of policy_file from fixtures/policy: each policy, and behind a NUL the first JSON document beside it."""

from pathlib import Path

here = Path(__file__).parent
for policy in sorted((here / "../../fixtures/policy/decisions").glob("*/policy.toml")):
    documents = sorted(policy.parent.rglob("*.json"))
    documents = [document for document in documents if b"Statement" in document.read_bytes()]
    text = policy.read_bytes() + b"".join(b"\0" + document.read_bytes() for document in documents[:1])
    (here / "policy_file" / policy.parent.name).write_bytes(text)
