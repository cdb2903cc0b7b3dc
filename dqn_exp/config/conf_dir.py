"""The location of the YAML files."""

from pathlib import Path


def conf_dir() -> Path:
    """Returns the folder of `config.yaml`: inside the package in a wheel, else beside it.

    Raises:
        FileNotFoundError: If it is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"conf/config.yaml: expected it in or beside {package}.")
