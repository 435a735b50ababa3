"""`average.json`: of this version, an earlier one, a newer one, and damaged."""

import pytest

from records.errors import UserError
from tfcap.runs.average_file import Average, load_average

OLDEST = '{"run": "runs/a", "kind": "last", "steps": [3, 6]}'
ABOUT = Average(run="runs/a", kind="last", steps=(3, 6))
DAMAGED = "is damaged or was edited, or a newer tfcap wrote it: "
EDITED = r"\. Make the mean again: tfcap average$"


def test_what_is_saved_is_read_again(tmp_path):
    path = str(tmp_path / "average.json")
    ABOUT.save(path)
    assert load_average(path) == ABOUT
    assert ABOUT.in_words() == "mean of the last checkpoints, after steps 3, 6"


def test_the_oldest_says_no_format(tmp_path):
    path = tmp_path / "average.json"
    path.write_text(OLDEST)
    assert load_average(str(path)) == ABOUT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 2, "of": "more"}', r"was written by a newer tfcap \(format 2, "),
        ('{"format": 0}', f"{DAMAGED}format: .*{EDITED}"),
        (OLDEST[:-1] + ', "colour": 1}', f"{DAMAGED}unknown key 'colour'{EDITED}"),
        (OLDEST.replace("last", "first"), f"{DAMAGED}kind: .*{EDITED}"),
        (OLDEST.replace("[3, 6]", "3"), f"{DAMAGED}steps: .*{EDITED}"),
        (OLDEST[:-9], f"{DAMAGED}Invalid JSON.*{EDITED}"),
        ("[]", f"{DAMAGED}Input should be an object.*{EDITED}"),
        ("", f"{DAMAGED}Invalid JSON.*{EDITED}"),
        ("[" * 100_000, f"{DAMAGED}Invalid JSON.*{EDITED}"),
    ],
    ids=range(9),
)
def test_another_version_an_unknown_key_and_damage(tmp_path, content, message):
    path = tmp_path / "average.json"
    path.write_text(content)
    with pytest.raises(UserError, match=f"^{path} {message}"):
        load_average(str(path))
