"""Where a job wants its log, as Hydra's settings have it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.utils import configure_log
from omegaconf import DictConfig, OmegaConf

from dqn_exp.composed import hydra_config
from dqn_exp.run_log import LogFile


def configure_console(config: DictConfig) -> None:
    """Configures logging as a job wants it, without its files."""
    with hydra_config(config):
        settings = _job_logging(config)
        if settings is None:
            return
        names = _file_handlers(settings)
        settings["handlers"] = {k: v for k, v in settings["handlers"].items() if k not in names}
        root = settings["root"]
        root["handlers"] = [name for name in root.get("handlers", []) if name not in names]
        configure_log(OmegaConf.create(settings), config.hydra.verbose)


def log_files_of(config: DictConfig) -> list[LogFile]:
    """Returns the files into which a job with this composed config wants its log."""
    files = []
    with hydra_config(config):
        settings = _job_logging(config)
        if settings is None:
            return []
        for name in _file_handlers(settings):
            if name not in settings["root"].get("handlers", []):
                continue
            handler = settings["handlers"][name]
            form = settings.get("formatters", {}).get(handler.get("formatter"), {})
            formatter = logging.Formatter(form.get("format"), form.get("datefmt"))
            level = logging.getLevelName(handler.get("level", "NOTSET"))
            files.append(LogFile(Path(handler["filename"]), formatter, level))
    return files


def _job_logging(config: DictConfig) -> dict[str, Any] | None:
    if config.hydra.job_logging is None:
        return None
    settings: Any = OmegaConf.to_container(config.hydra.job_logging, resolve=True)
    return settings if settings.get("root") is not None else None


def _file_handlers(settings: Mapping[str, Any]) -> list[str]:
    return [name for name, handler in settings["handlers"].items() if "filename" in handler]
