"""Makes the pictures of the documentation: of a report and of TensorBoard, in a real browser.

    python -m scripts.screenshots                 # trains a sweep of 160 runs for them
    python -m scripts.screenshots outputs/...     # of a sweep that is there

It needs chromium and chromedriver.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.browser import browser

DOCS = Path(__file__).parent.parent / "docs"
NAME = "gamma_and_epsilon"
PORT = 6789
SWEEP = (
    *("agent.gamma=0.9,0.95,0.98,0.99", "agent.epsilon=0.01,0.05,0.1,0.2", "seed=range(10)"),
    *("trainer.total_steps=10_000", "eval.every_steps=1_000"),
)


def main() -> None:
    """Trains, and takes the pictures."""
    parser = argparse.ArgumentParser(description="Makes the pictures of the documentation.")
    parser.add_argument("sweep", nargs="?", type=Path, help="directory of a sweep with a report")
    given = parser.parse_args().sweep
    with tempfile.TemporaryDirectory() as folder:
        directory = given or _train(Path(folder))
        take_report(directory)
        take_tensorboard(directory)


def _train(folder: Path) -> Path:
    command = [sys.executable, "-m", "dqn_exp.train", "-m", *SWEEP]
    subprocess.run([*command, f"hydra.sweep.dir={NAME}"], check=True, cwd=folder)
    return folder / NAME


def take_report(directory: Path) -> None:
    """Takes the first part of a report."""
    with browser(1_000, 1_240) as driver:
        driver.get((directory / "report/index.html").absolute().as_uri())
        time.sleep(1)
        driver.save_screenshot(str(DOCS / "report.png"))


def take_tensorboard(directory: Path) -> None:
    """Captures TensorBoard's time series of the settings."""
    logs = directory / "report/tensorboard"
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs)]
    command += ["--port", str(PORT), "--load_fast", "false"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            time.sleep(20)  # Until it has read all runs.
            with browser(1_300, 800) as driver:
                driver.get(f"http://127.0.0.1:{PORT}/#timeseries")
                time.sleep(15)
                driver.save_screenshot(str(DOCS / "tensorboard.png"))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
