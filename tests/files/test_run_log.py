import logging

from dqn_exp.files.run_log import LogFile, log_of_run, run_logs


def test_a_message_goes_to_its_run_and_others_go_to_all(tmp_path, capsys):
    formatter, logger = logging.Formatter("%(levelname)s %(message)s"), logging.getLogger("x")
    logger.setLevel(logging.INFO)
    logging.getLogger("dqn_exp.run").setLevel(logging.INFO)
    with run_logs() as logs:
        for name, level in (("a", logging.INFO), ("b", logging.WARNING)):
            file = LogFile(tmp_path / f"{name}.log", formatter, level)
            logs.add(tmp_path / name, [file])
        log_of_run(tmp_path / "a", "step %d", 3)
        logger.warning("for all")
        log_of_run(tmp_path / "b", "below its level")
        log_of_run(tmp_path / "b", "failed", error=ValueError("no"))
        logs.remove(tmp_path / "a")
        logger.warning("after its end")
    logger.warning("after all")
    assert (tmp_path / "a.log").read_text() == "INFO step 3\nWARNING for all\n"
    text = (tmp_path / "b.log").read_text()
    assert "below" not in text and "after all" not in text and "after its end" in text
    assert "ERROR failed\n" in text and "ValueError: no" in text


def test_a_directory_that_has_vanished_does_not_end_the_others(tmp_path):
    formatter = logging.Formatter("%(message)s")
    with run_logs() as logs:
        for name in ("gone/a", "b"):
            logs.add(tmp_path / name, [LogFile(tmp_path / name, formatter, logging.INFO)])
        logging.getLogger("x").warning("said")
    assert (tmp_path / "b").read_text() == "said\n"
