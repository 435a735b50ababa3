"""The words of captions as coco-caption takes them, without Java.

coco-caption writes captions to a file, a line each, cuts it by the Penn Treebank
tokenizer of Stanford CoreNLP 3.4.1 (options `-preserveLines -lowerCase`), and drops
punctuation. Here the same automaton runs (`tfcap.metrics.ptb_tables`), with the same
actions, over the same text: so a full stop at the end of a caption may depend on
how the next caption begins, as it does there.

A contraction is two words ("dog 's", "is n't"); what is joined by a hyphen, a slash or
a full stop is one ("t-shirt"); brackets, and signs such as "$", stay as words.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tfcap.metrics.ptb_tables import Tables, load_tables, units

PUNCTUATION = {"''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-"}
PUNCTUATION |= {".", "?", "!", ",", ":", "-", "--", "...", ";"}
START = 2  # the automaton's state before a token: traditional treebank
NEWLINE, SKIPPED = 5, (1, 7, 23)
LINE_ENDS = re.compile("[\r\v\f\u2028\u2029]")
LONE = re.compile("[\ud800-\udfff]")
WORD = re.compile("(?:[cw]m*(?:jm*(?=[cw]))?|dm*)+")  # of kinds of letters
IDEOGRAPHS = re.compile("[\u3005\u3041-\u30fe\u3400-\u9fff\uf900-\ufaff]")
MODIFIERS = re.compile(
    "[\u02b0-\u02b8\u02c0-\u02c1\u02e0-\u02e4\u0345\u037a\u1d2c-\u1d61"
    "\u2160-\u217f\u24b6-\u24e9]"
)


class Lines(NamedTuple):
    """Words of captions.

    Attributes:
        words: of each caption, with a space between.
        exact: whether coco-caption gives the same. It loses its place where a caption
            holds a line end; here each caption keeps its own words.
    """

    words: list[str]
    exact: bool


def tokenize(captions: Sequence[str]) -> Lines:
    """Cuts captions into words as coco-caption does, all of a file together.

    >>> tokenize(["A man's t-shirt, isn't it?", "12:30pm :)"]).words
    ["a man 's t-shirt is n't it", '12:30 pm :-rrb-']
    """
    lines = [caption.replace("\n", " ") for caption in captions]
    ends = [*itertools.accumulate(len(units(line)) + 1 for line in lines)]
    tokens = list(lex("\n".join(lines)))
    found = [token.start for token in tokens if token.text is None]
    if found == [end - 1 for end in ends[:-1]]:
        return Lines(join_words(tokens, len(lines)), True)
    alone = (join_words([*lex(LINE_ENDS.sub(" ", line))], 1) for line in lines)
    return Lines([*itertools.chain.from_iterable(alone)], False)


def join_words(tokens: Sequence["Token"], count: int) -> list[str]:
    """Joins the tokens of each of `count` lines, punctuation dropped.

    As there, a line is cut again at its spaces, which a tag has inside, after white
    space at its end is cut off, which an address may end with (U+00A0).
    """
    lines: list[list[str]] = [[] for _ in range(count)]
    number = 0
    for token in tokens:
        if token.text is None:
            number += 1
        else:
            lines[number].append(token.text)
    rows = (" ".join(line).rstrip().split(" ") for line in lines)
    return [" ".join(word for word in row if word not in PUNCTUATION) for row in rows]


class Token(NamedTuple):
    """A token in lower case; `text` is None for the end of a line.

    `start` counts UTF-16 units.
    """

    start: int
    text: str | None


def lex(text: str) -> Iterator[Token]:
    """Yields the tokens of a text, the longest that can be at each place."""
    lexer, start = Lexer(load_tables(), text), 0
    while start < len(lexer.classes):
        end, action = lexer.match(start)
        found, end = lexer.act(action, start, end)
        if action == NEWLINE:
            yield Token(start, None)
        elif found is not None:
            yield Token(start, LONE.sub("?", lower(found)))
        start = end


def lower(text: str) -> str:
    """Returns a text in lower case as Java gives it.

    Java and Python choose the form of a capital sigma alike but for what a word is,
    which to Java goes on over digits, and over one hyphen, quote or full stop.

    >>> lower("ΟΔΟΣ"), lower("ΟΔΟΣ-Α")
    ('οδος', 'οδοσ-α')
    """
    if "Σ" not in text:
        return text.lower()
    kinds = "".join(map(kind_of_letter, text))
    for word in WORD.finditer(kinds):
        first, last = kinds.find("c", *word.span()), kinds.rfind("c", *word.span())
        if first < last and text[last] == "Σ":
            text = text[:last] + "ς" + text[last + 1 :]
    return text.replace("Σ", "\u03c3").lower()


def kind_of_letter(character: str) -> str:
    """Returns `c` where it has cases, `w` where not, `d`igit, `m`ark, or `j`oint."""
    kind = unicodedata.category(character)
    if kind in ("Lu", "Ll", "Lt") or MODIFIERS.match(character):
        return "c"
    if kind in ("Pd", "Pc") or character in "\u2027\"'.":
        return "j"
    if kind in ("Mn", "Me", "Cf"):
        return "m"
    if kind[0] == "N":
        return "d"
    return "w" if kind[0] in "LM" and not IDEOGRAPHS.match(character) else " "


class Lexer:
    """The automaton over one text; places are UTF-16 units.

    Args:
        tables: the automaton's.
        text: to cut.
    """

    def __init__(self, tables: Tables, text: str):
        self.tables, self.content = tables, text.encode("utf-16-le", "surrogatepass")
        self.classes = tables.classes[units(text)].tolist()

    def text(self, start: int, end: int) -> str:
        return self.content[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")

    def match(self, start: int) -> tuple[int, int]:
        """Returns the end of the longest token, and the number of its rule."""
        _, rows, transitions, final, last, actions = self.tables
        state, end, action = START, start, 0
        for place in range(start, len(self.classes)):
            state = transitions[rows[state] + self.classes[place]]
            if state < 0:
                break
            if final[state]:
                end, action = place + 1, actions[state]
                if last[state]:
                    break
        return end, action

    def look_back(self, first: int, second: int, start: int, end: int) -> int:
        """Returns where the token of a rule `token / what follows` ends.

        Args:
            first: state from which the token is matched, forwards from `start`.
            second: state from which what follows is matched, backwards from `end`.
        """
        _, rows, transitions, final, _, _ = self.tables
        may_end, state = set(), first
        for place in range(start, end + 1):
            if final[state]:
                may_end.add(place)
            if place == end:
                break
            state = transitions[rows[state] + self.classes[place]]
            if state < 0:
                break
        place, state = end, second
        while place not in may_end or not final[state]:
            place -= 1
            state = transitions[rows[state] + self.classes[place]]
        return place

    def act(self, action: int, start: int, end: int) -> tuple[str | None, int]:
        """Returns the token's text, None for none, and where the next one begins."""
        if action in SKIPPED or action == NEWLINE:
            return None, end
        if action in LOOK_BACK:
            end = self.look_back(*LOOK_BACK[action], start, end)
        if action in TRIMMED:
            while end > start and self.text(end - 1, end) in " \t\n\v\f\r\x85":
                end -= 1
        if action == QUOTE:
            end = start + 1
        back = PUSHED_BACK.get(action, 0)
        text = self.text(start, end - back)
        if action in FULL_STOP:  # is part of the token, and a token of its own
            alone = action == SHORTEST and end - start == 2
            return self.text(start, end - 1 if alone else end), end - 1
        return CHANGES.get(action, str)(text), end - back


def without_soft_hyphens(text: str) -> str:
    return text.replace("\xad", "") or "-"


def quotes(text: str, opening: bool) -> str:
    single, double = ("`", "``") if opening else ("'", "''")
    text = re.sub("&apos;|'", single, text)
    text = re.sub('"|&quot;', double, text)
    for pattern, quote in (
        ("[\x91\u2018\u201b\u2039]", "`"),
        ("[\x92\u2019\u203a]", "'"),
        ("[\x93\u201c\xab]", "``"),
        ("[\x94\u201d\xbb]", "''"),
    ):
        text = re.sub(pattern, quote, text)
    return text


def dashes(text: str) -> str:
    return "--" if len(text) in (3, 4) else text


def fractions(text: str) -> str:
    for sign, plain in zip("¼½¾⅓⅔", ("1/4", "1/2", "3/4", "1/3", "2/3")):
        text = text.replace(sign, plain)
    return text


def currency(text: str) -> str:
    return re.sub("[\x80¤₠€]", "$", text.replace("¢", "cents").replace("£", "#"))


def parentheses(text: str) -> str:
    return text.replace("(", "-LRB-").replace(")", "-RRB-")


def unbroken(text: str) -> str:
    return text.replace(" ", "\xa0")


def ampersand(text: str) -> str:
    return re.sub("(?i)&amp;", "&", text)


# By the number of the rule in the automaton's tables. Rules that are not named take the
# text as it is.
LOOK_BACK = {24: (13, 14), 30: (3, 4), 40: (5, 6), 41: (16, 17), 43: (15, 14)}
LOOK_BACK |= {44: (9, 10), 47: (7, 8), 49: (11, 12)}
TRIMMED = (44, 47)
QUOTE = 35
FULL_STOP = (33, 47, 49)
SHORTEST = 47
PUSHED_BACK = {25: 1, 26: 1, 32: 1, 34: 1, 36: 1, 42: 2, 46: 1, 48: 2, 50: 3, 51: 1}
PUSHED_BACK |= {53: 4}
CHANGES: dict[int, Callable[[str], str]] = {
    2: lambda _: "<",
    4: dashes,
    10: lambda _: ">",
    11: lambda _: "--",
    13: lambda _: "...",
    14: fractions,
    15: currency,
    16: lambda _: "-RCB-",
    17: lambda _: "-LRB-",
    18: lambda _: "-RRB-",
    20: lambda _: "-LCB-",
    21: lambda _: "-RSB-",
    22: lambda _: "-LSB-",
    37: ampersand,
    51: ampersand,
    54: lambda text: parentheses(unbroken(text)),
    **dict.fromkeys((6, 12, 29, 30, 32, 40, 46), without_soft_hyphens),
    **dict.fromkeys((8, 36), lambda text: quotes(text, opening=False)),
    **dict.fromkeys((26, 35), lambda text: quotes(text, opening=True)),
    **dict.fromkeys((27, 38, 39), unbroken),
    **dict.fromkeys((28, 34), parentheses),
}
