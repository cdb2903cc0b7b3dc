"""Tests; also on a machine of two cores, compiled code may be given four threads in them."""

import os

import dqn_exp as dqn_exp  # Sets environment variables that torch reads when it is imported.

os.environ.setdefault("NUMBA_NUM_THREADS", "4")
