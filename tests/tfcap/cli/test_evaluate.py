"""The command `tfcap evaluate`: usage, and what is refused before a model is read."""

import pytest

from records.errors import UserError
from tfcap.cli import main
from tfcap.cli.evaluate import check_one_result

REQUIRED = ("--workdir=w", "--records=r")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (REQUIRED[1:], "required: --workdir"),
        (REQUIRED[:1], "required: --records"),
        ([*REQUIRED, "--split=all"], "argument --split: invalid choice: 'all'"),
    ],
)
def test_wrong_usage_is_2(argv, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["evaluate", *argv])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_gallery_is_refused_for_several_seeds():
    args = main.make_parser().parse_args(["evaluate", *REQUIRED, "--gallery=x"])
    with pytest.raises(UserError, match="--gallery is about one result, but w holds"):
        check_one_result(args)


def test_other_options_are_for_several_seeds():
    args = main.make_parser().parse_args(["evaluate", *REQUIRED, "--output=o"])
    check_one_result(args)


def test_a_missing_directory_of_photos_is_named(capsys):
    assert main.main(["evaluate", *REQUIRED, "--photos=/nowhere"]) == 1
    assert capsys.readouterr().err == "error: --photos: no directory /nowhere\n"
