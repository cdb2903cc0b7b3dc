import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

FIRST_WORKER = """
import signal
from dqn_exp.sweep import process_executor

if __name__ == "__main__":
    process_executor._begin = None  # The worker stays as it is before it is ready for signals.
    executor = process_executor.ProcessExecutor(1, "cpu", 1)
    worker = executor._alive(0)
    blocked = worker.pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
    executor.close()
    print(sorted(number.name for number in blocked))
    print(sorted(number.name for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
"""


def test_signals_wait_until_the_first_worker_is_ready_for_them(tmp_path):
    # In a new process, whose resource tracker does not run yet: its start unblocks signals.
    script = tmp_path / "first_worker.py"
    script.write_text(FIRST_WORKER)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["['SIGINT', 'SIGTERM']", "[]"], done.stderr


def test_each_gpu_has_a_worker_of_its_own(monkeypatch):
    import torch

    from dqn_exp.sweep.process_executor import ProcessExecutor

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    executor = ProcessExecutor(None, "cuda", num_cores=4)
    assert (executor.num_workers, executor.num_threads) == (2, 2)
    seen = []
    for index in range(2):
        worker = executor._alive(index)
        seen.append(worker.pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result())
    executor.close()
    assert seen == ["2", "5"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert ProcessExecutor(None, "cuda", num_cores=4).num_workers == 3
    assert ProcessExecutor(None, "cuda:1", num_cores=4).num_workers == 1
    assert ProcessExecutor(None, "cpu", num_cores=4).num_workers == 4
