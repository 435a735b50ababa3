"""A configuration file, and the message of what is wrong in it."""

import pytest

from records.errors import UserError
from tfcap.config.loading import load_config


@pytest.fixture
def write(tmp_path):
    """Returns the function from text to the path of a file that holds it."""

    def write(text: str) -> str:
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def refused(write):
    """Returns the function that loads wrong text and returns the message."""

    def load(text: str) -> str:
        path = write(text)
        with pytest.raises(UserError) as caught:
            load_config(path)
        message = str(caught.value)
        assert message.startswith(path)
        return message

    return load
