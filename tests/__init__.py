"""Tests; also on a machine of two cores, compiled code may be given four threads in them."""

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "4")
