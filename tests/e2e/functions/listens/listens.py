"""Opens a serial port, which it is granted."""

import errno
import os

from edgefn import edge_function

PORT = "/dev/ttyS0"


@edge_function(devices=(PORT,))
def listens() -> str:
    """Return "opened", or why it was not."""
    try:
        os.close(os.open(PORT, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "opened"
