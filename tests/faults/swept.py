"""A gateway whose background sweep runs soon, and waiting for it."""

import os
import time

from litter import litter
from support import Gateway

# The sweep of a small store must have come round by then, in seconds.
SWEPT_WITHIN = float(os.environ.get("SWEPT_WITHIN", 30))


def often(folder, bucket=None, root=None, after="1s"):
    """Starts a gateway that removes what is left over after so long, and looks as often."""
    settings = {"POSTERN_AUDIT__TO": "off", "POSTERN_STORAGE__PROBE_EVERY": "1h"}
    soon = {"POSTERN_STORAGE__REMOVE_LEFTOVERS_AFTER": after}
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
