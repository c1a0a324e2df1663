"""A second client while the first one's sync is still running: it is told nothing that a power cut
could take back."""

import threading

from durability import Disk
from paths import PATHS
from support import PATIENCE, until

WAITING = ["DELETE", "DELETE in folders of its own", "DeleteObjects", "CreateBucket", "PUT small",
           "PUT if absent", "Complete of one part", "Complete of several parts",
           "AbortMultipartUpload", "DeleteBucket", "DeleteBucketCors", "PutObjectTagging"]
# How long the second client's answer is waited for: it may wait for the first one's sync.
SECOND = 0.4
MUTATES = {"renameat", "renameat2", "unlinkat", "mkdirat", "fsetxattr"}


def once_after_the_change(bucket):
    """Picks the first sync after a change that a client can see."""
    seen = {"changed": False, "held": False}

    def hold(call):
        inner = [path.removeprefix(bucket.path.as_posix()).lstrip("/") for path in call.paths]
        if call.name in MUTATES and not all(path.startswith("~!tmp") for path in inner):
            seen["changed"] = True
        if seen["changed"] and not seen["held"] and call.name in ("fsync", "fdatasync"):
            seen["held"] = True
            return True
        return False
    return hold, seen


def waits(bench, name):
    """Runs a path twice at once, the first one's sync waiting; yields what was broken."""
    bucket, request = bench.prepared(PATHS[name])
    hold, state = once_after_the_change(bucket)
    # Two clients have two connections.
    bucket.connection = None
    bench.tracer.record(bucket.path, hold=hold)
    answers = [None, None]

    def ask(at):
        answers[at] = request.send()

    threads = [threading.Thread(target=ask, args=(at,), daemon=True) for at in range(2)]
    threads[0].start()
    until("a sync waits", lambda: state["held"] or not threads[0].is_alive())
    threads[1].start()
    threads[1].join(SECOND)
    early, calls = list(answers), list(bench.tracer.calls)
    bench.tracer.release()
    for thread in threads:
        thread.join(PATIENCE)
    bench.tracer.stop()
    if not state["held"]:
        yield "no sync came after the change"
    if None in answers:
        yield "no answer after the sync"
    if early[0]:
        yield "the first is answered while its sync waits"
    if early[1] and early[1].status < 300:
        disk = Disk(bench.gateway.root, bucket.path)
        # The call that waits has no result, so it counts for nothing.
        disk.take(calls)
        for problem in disk.problems:
            yield f"a second client is answered {early[1].said} meanwhile: {problem}"
