"""A gateway whose background sweep runs soon, and waiting for it."""

import os
import time

from litter import litter
from support import Gateway

# The sweep of a small store must have come round by then, in seconds.
SWEPT_WITHIN = float(os.environ.get("SWEPT_WITHIN", 30))


def often(folder, bucket=None, root=None):
    """Starts a gateway that looks after its folders often, as far as it can be told to."""
    settings = {"POSTERN_AUDIT__TO": "off", "POSTERN_STORAGE__PROBE_EVERY": "1h"}
    soon = {"POSTERN_STORAGE__REMOVE_EMPTY_FOLDERS_AFTER": "1s"}
    try:
        return Gateway(folder, root, bucket, **settings, **soon)
    except AssertionError as error:
        # An older version does not know the setting.
        if "unknown key" not in str(error):
            raise
        return Gateway(folder, root, bucket, **settings)


def left_behind(folders):
    """Waits for the sweep, and returns what it leaves: the lines of each folder of a bucket."""
    end = time.monotonic() + SWEPT_WITHIN
    while True:
        left = {folder: litter(folder) for folder in folders if folder.exists()}
        left = {folder: lines for folder, lines in left.items() if lines}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)
