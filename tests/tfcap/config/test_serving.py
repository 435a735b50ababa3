"""The settings of `tfcap serve`."""

import pytest

from records.errors import UserError
from tfcap.config.loading import parse_serving


def test_settings_are_overridden_and_typed():
    settings = parse_serving(["batch=4", "delay=0.1"])
    assert (settings.batch, settings.delay, settings.queue) == (4, 0.1, 64)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch=0", "--set: batch: .*received 0"),
        ("bach=1", "--set: unknown key 'bach'; did you mean 'batch'"),
        ("batch", "--set takes section.key=value; received 'batch'"),
    ],
)
def test_a_wrong_setting_is_explained(override, message):
    with pytest.raises(UserError, match=message):
        parse_serving([override])
