"""The pages quote messages and reasons of rejects as the code has them."""

import ast
import functools
import re

import pytest

from tests.docs import page_code

PAGES = page_code.pages()
PACKAGES = ("beam_jobs", "records", "tfcap")


@functools.cache
def nodes() -> list[ast.AST]:
    """Returns the syntax of every module of the packages."""
    paths = (p for name in PACKAGES for p in (page_code.ROOT / name).rglob("*.py"))
    trees = (ast.parse(path.read_text("utf-8")) for path in paths)
    return [node for tree in trees for node in ast.walk(tree)]


def reasons_in_code() -> set[str]:
    """Returns the reasons that are passed to what makes or describes a reject."""
    places = {"ItemError": 0, "PhotoProblem": 0, "Reject": 2, "reject_photo": 1}
    calls = (node for node in nodes() if isinstance(node, ast.Call))
    reasons = set()
    for call in calls:
        place = places.get(getattr(call.func, "id", ""), len(call.args))
        for value in call.args[place : place + 1]:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                reasons.add(value.value)
    return reasons


def test_every_reason_of_a_reject_is_explained():
    rows = re.findall(r"^\| (`.*?) \|", PAGES["docs/guides/bad_data.md"], re.M)
    explained = {reason for row in rows for reason in re.findall(r"`(\w+)`", row)}
    assert reasons_in_code() <= explained
    assert explained <= {n.value for n in nodes() if isinstance(n, ast.Constant)}


def message_of(node: ast.AST) -> str:
    """Returns a string of the code, with {} where a value stands."""
    if isinstance(node, ast.JoinedStr):
        return "".join(message_of(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "{}"


@functools.cache
def messages() -> str:
    strings = (n for n in nodes() if isinstance(n, ast.Constant | ast.JoinedStr))
    return "\n".join(map(message_of, strings)).replace("`", "")


def quoted() -> list[str]:
    """Returns the messages that the page on troubleshooting quotes, as terms."""
    text = PAGES["docs/troubleshooting.md"]
    return re.findall(r"^``? ?(.+?) ?``?$(?=\n: )", text, re.M)


@pytest.mark.parametrize("quote", quoted())
def test_a_quoted_message_is_printed_by_the_code(quote):
    """`...` and numbers of the page stand for values."""
    parts = re.split(r"\.\.\.|\b[\d.]+\b", quote.replace("`", ""))
    words = [part.strip(" :;,.") for part in parts]
    assert any(len(part) > 9 for part in words), "quote more of it"
    for part in words:
        assert part in messages()
